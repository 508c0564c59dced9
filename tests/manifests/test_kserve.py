import ast
import base64
import json
import runpy
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import yaml

from tests.support.paths import REPOSITORY
from tests.support.toy_ensemble import SPEC, export_ensemble, write_quantized_model, write_weights
from tests.support.videos import video_of, write_shard
from yt8m.data.reading import read_videos
from yt8m.export.exported_model import ExportedModel

FOLDER = REPOSITORY / "manifests" / "kserve"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    weights = write_weights(folder / "weights.json", {"a": 1.0})
    return export_ensemble({"a": write_quantized_model(folder / "a", 1)}, weights, folder)


@pytest.fixture
def service(model):
    """A server with the REST API of TensorFlow Serving (row format) and the signatures of the model.

    Yields its address and the growing list of requested signatures.
    """
    asked = []
    signatures = tf.saved_model.load(str(model)).signatures

    class Service(BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/models/yt8m:predict"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body["signature_name"])
            signature = signatures[asked[-1]]
            inputs = signature.structured_input_signature[1]
            given = {name: tf.constant(values_of(body["instances"], each), each.dtype) for name, each in inputs.items()}
            columns = {key: value.numpy().tolist() for key, value in signature(**given).items()}
            # A single output comes without its name.
            if len(columns) == 1:
                (rows,) = columns.values()
            else:
                rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            answer = json.dumps({"predictions": rows}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def values_of(instances, spec):
    """Return the values of an input. A bare instance belongs to the only input, and {"b64": ...} is a string."""
    if spec.dtype == tf.string:
        return [base64.b64decode(instance["b64"]) for instance in instances]
    return [instance[spec.name] for instance in instances]


@pytest.fixture
def client(monkeypatch, capsys):
    """Function that runs the client, in this process; it returns the exit code and what was printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["client.py", *map(str, arguments)])
        code: Any = 0
        try:
            runpy.run_path(str(FOLDER / "client.py"), run_name="__main__")
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def ask(service, client, model, tmp_path):
    """Function that runs the client on videos, and returns its output and the batch of videos."""

    address, asked = service

    def ask(*signature):
        sizes: dict[str, Any] = dict(SPEC.features)
        videos = [video_of(number, num_frames=2 + number, **sizes) for number in range(2)]
        shard = write_shard(tmp_path / "a.tfrecord", videos)
        command = [address, shard, *signature]
        if signature and not signature[0].startswith("serialized"):
            command += ["--description", model / "assets.extra" / "ensemble.json"]
        code, printed, errors = client(*command)
        assert code == 0, errors
        assert asked == [*signature, "serialized"][:1]
        (batch,) = read_videos([shard], SPEC, batch_size=2)
        return ast.literal_eval(printed), batch["frames"], batch["num_frames"]

    return ask


@pytest.mark.parametrize(
    "signature",
    [[], *(pytest.param([name], marks=pytest.mark.slow) for name in ("serialized", "serving_default"))],
)
def test_the_client_prints_the_models_predictions_by_records_or_frames(ask, model, signature):
    predictions, *videos = ask(*signature)
    classes, scores = ExportedModel(model).top(*videos)
    assert [row["classes"] for row in predictions] == classes.tolist()
    np.testing.assert_allclose([row["scores"] for row in predictions], scores, rtol=1e-6)


@pytest.mark.parametrize(
    "signature", ["probabilities", pytest.param("serialized_probabilities", marks=pytest.mark.slow)]
)
def test_the_client_prints_all_probabilities_when_asked(ask, model, signature):
    predictions, *videos = ask(signature)
    np.testing.assert_allclose(predictions, ExportedModel(model).probabilities(*videos), rtol=1e-6)


def test_the_client_says_what_records_without_the_features_have(client, model, tmp_path):
    video = video_of(0, audio_embedding=128)
    shard = write_shard(tmp_path / "a.tfrecord", [video])
    description = str(model / "assets.extra" / "ensemble.json")
    code, _, errors = client("http://127.0.0.1:9", shard, "serving_default", "--description", description)
    assert code == 2
    assert "record 0: no frames of" in errors
    assert "audio_embedding" in errors


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a shard and two files that are none."""
    write_shard(tmp_path / "a.tfrecord", [video_of(0)])
    (tmp_path / "empty.tfrecord").touch()
    (tmp_path / "text.tfrecord").write_text("dog,cat\n" * 9)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("shard", "options", "said"),
    [
        ("none.tfrecord", [], "none.tfrecord: cannot be read"),
        ("text.tfrecord", [], "text.tfrecord: cannot be read"),
        ("empty.tfrecord", [], "empty.tfrecord: has no records"),
        ("a.tfrecord", [], "http://127.0.0.1:9: no predictions"),
        ("a.tfrecord", ["serving_default", "--description", "empty.tfrecord"], "--description: expected"),
    ],
)
def test_the_client_says_what_it_cannot_read_or_reach(client, shard, options, said):
    code, _, errors = client("http://127.0.0.1:9", shard, *options)
    assert code == 2
    assert said in errors


def test_the_manifest_names_the_runtime_and_the_uri_of_the_model():
    service = yaml.safe_load((FOLDER / "inference-service.yaml").read_text())
    assert service["kind"] == "InferenceService"
    model = service["spec"]["predictor"]["model"]
    assert model["modelFormat"] == {"name": "tensorflow"}
    assert model["storageUri"].startswith("gs://")
    assert service["metadata"]["name"] == "yt8m"
