"""A training in two images of the code, with a store: its stage function is called again only if its code changed."""

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kfp.dsl.types import artifact_types

import components.__main__ as entry
from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.spec import SpecGraph
from tests.storage.emulators import s3_emulator
from tests.support.changed_files import append, changed_file, replace
from yt8m import storage
from yt8m.records.files import missing_files
from yt8m.records.record import NodeRecord
from yt8m.stages.result import StageResult

RECIPE = {
    "name": "tiny",
    "data": {"generate": {"preset": "smoke"}, "holdout_shards": 1},
    "families": {
        "netvlad": {
            "candidates": {"vlad": {"model": {"architecture": "netvlad", "num_clusters": 4, "hidden_units": 8}}}
        },
    },
    "ensemble": {"members": ["vlad"]},
}
NODE = "train-vlad"
ROOT = "s3://runs/root"
SCHEMAS = {
    "model": "system.Model", "predictions": "system.Artifact", "metrics": "system.Metrics", "page": "system.HTML"
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def store() -> Iterator[None]:
    """An S3 store with the buckets of the root and of KFP's artifacts."""
    with s3_emulator() as port, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # about optional packages
            import google.cloud.storage  # noqa: F401, PLC0415 - only tests with stores need it
        import boto3  # noqa: PLC0415 - slow

        for bucket in ("runs", "mlpipeline"):
            boto3.client("s3").create_bucket(Bucket=bucket)
        yield


class Pods:
    """Pods that execute the training of a compiled pipeline, with a launcher that moves artifacts."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self._folder = folder
        self._patch = patch
        self._patch.setenv("YT8M_CACHE_DIR", str(folder / "cache"))
        self._patch.setattr("yt8m.stages.train.train", self._train)
        with storage.open_atomic("minio://mlpipeline/prepare/partition") as file:
            file.write(b"the partition")

    def _train(self, *, output: Path, predictions: Path, **_: Any) -> StageResult:
        self.calls += 1
        (output / "variables").mkdir(parents=True)
        (output / "config.json").write_text("{}")
        (output / "variables" / "weights").write_text(f"weights {self.calls}")
        predictions.write_text(f"predictions {self.calls}")
        return StageResult({"gap": 0.75}, {"curve": []})

    def run(self, run: str, image: str) -> tuple[str, dict[str, str]]:
        """Compile the recipe with the code as it is, execute the training, and return its key and its artifacts."""
        graph = SpecGraph(Compilation(RECIPE, "recipe", read_data=True).build(image).specs[0])
        assert graph.executor(NODE)["container"]["image"].startswith(image)
        given = graph.task(NODE)["inputs"]["parameters"]
        parameters = {key: each.get("runtimeValue", {}).get("constant", ROOT) for key, each in given.items()}
        mount = self._folder / run
        self._patch.setattr(artifact_types, "_MINIO_LOCAL_MOUNT_PREFIX", f"{mount}/")
        partition = mount / "mlpipeline" / "prepare" / "partition"
        partition.parent.mkdir(parents=True)
        partition.write_bytes(storage.read_bytes("minio://mlpipeline/prepare/partition"))
        uris = {name: f"minio://mlpipeline/{run}/{name}" for name in SCHEMAS}
        outputs = {name: described(name, schema, uris[name]) for name, schema in SCHEMAS.items()}
        inputs = {"partition": described("partition", "system.Dataset", "minio://mlpipeline/prepare/partition")}
        executor_input = {
            "inputs": {"parameterValues": parameters, "artifacts": inputs},
            "outputs": {"artifacts": outputs, "outputFile": str(mount / "metadata.json")},
        }
        self._patch.setattr("sys.argv", ["components", "train", json.dumps(executor_input)])
        entry.main()
        for path in (mount / "mlpipeline" / run).rglob("*"):
            if path.is_file():
                with storage.open_atomic(f"minio://{path.relative_to(mount)}") as file:
                    file.write(path.read_bytes())
        shutil.rmtree(mount / "mlpipeline")
        names = storage.list_uris(f"minio://mlpipeline/{run}/**")
        made = {name.removeprefix(f"minio://mlpipeline/{run}/"): storage.read_text(name) for name in names}
        return parameters["key"], made


def described(name: str, schema: str, uri: str) -> dict[str, Any]:
    return {"artifacts": [{"name": name, "type": {"schemaTitle": schema}, "uri": uri}]}


@pytest.fixture
def pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pods:
    return Pods(tmp_path, monkeypatch)


def record_of(key: str) -> NodeRecord:
    uri = f"{ROOT}/records/{NODE}/{key}.json"
    return NodeRecord.parse_json(storage.read_text(uri), uri)


def test_a_finished_training_is_trained_again_only_if_its_code_changed(
    pods: Pods, capsys: pytest.CaptureFixture[str]
) -> None:
    key, first = pods.run("first", "registry/yt8m:a")
    assert pods.calls == 1
    ended = record_of(key).ended
    # An image with a corrected report has the same training.
    with changed_file("yt8m/report/tables.py", append("\nCORRECTED = True\n")):
        same, second = pods.run("second", "registry/yt8m:b")
    assert pods.calls == 1
    assert f"{NODE}: same work as in the execution that ended" in capsys.readouterr().out
    assert (same, second) == (key, first)
    assert second["model/variables/weights"] == "weights 1"
    record = record_of(key)
    assert record.artifacts["model"] == "minio://mlpipeline/second/model"
    assert record.ended == ended
    assert missing_files(record) == []
    # A layer of the model makes it another training.
    with changed_file("yt8m/layers/netvlad.py", replace("residuals - totals", "residuals + totals")):
        other, third = pods.run("third", "registry/yt8m:c")
    assert pods.calls == 2
    assert other != key
    assert third["model/variables/weights"] == "weights 2"
    # The first code still has its training.
    assert pods.run("fourth", "registry/yt8m:a") == (key, first)
    assert pods.calls == 2


@pytest.mark.parametrize("change", ["removed", "damaged"])
def test_a_training_whose_files_in_the_store_are_not_intact_is_executed_again(
    pods: Pods, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # A layer's change gives this test a training of its own.
    with changed_file("yt8m/layers/netvlad.py", append(f"\nCHANGE = '{change}'\n")):
        pods.run(f"before-{change}", "registry/yt8m:a")
        uri = f"minio://mlpipeline/before-{change}/model/variables/weights"
        if change == "removed":
            storage.remove([uri])
        else:
            with storage.open_atomic(uri) as file:
                file.write(b"weightsX1")
        _, made = pods.run(f"after-{change}", "registry/yt8m:b")
    assert pods.calls == 2
    assert made["model/variables/weights"] == "weights 2"
    assert f"{NODE}: not copied from an earlier execution" in capsys.readouterr().out


def test_another_partition_under_the_same_address_is_another_training(pods: Pods) -> None:
    with changed_file("yt8m/layers/netvlad.py", append("\nCHANGE = 'partition'\n")):
        pods.run("before-partition", "registry/yt8m:a")
        with storage.open_atomic("minio://mlpipeline/prepare/partition") as file:
            file.write(b"other shards!")
        pods.run("after-partition", "registry/yt8m:a")
    assert pods.calls == 2
