"""`yt8m fetch` for runs in a cluster: recorded runs, through the command line."""

import hashlib
import json
import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from tests.pipelines.cluster.recordings import (
    ROOT,
    SMOKE_FOLDER,
    SUMMARY,
    TRAIN_FOLDER,
    RecordedCluster,
    plain_workflow,
)
from tests.support.paths import RECORDINGS, names_in

pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")

# Name of the recorded smoke.
NAME = "smoke-2026-11-26-19-58-05"
EXPORTED = f"{SMOKE_FOLDER}/export/9a02be60-9da0-4b25-9518-bef823f1614e/exported"
PAGE = f"{SUMMARY.removesuffix('summary')}html"
TRAIN_RECORD = f"{ROOT.removeprefix('s3://mlpipeline/')}/records/train-netvlad/3a8251b01c0b.json"
MODEL = {"saved_model.pb": b"graph", "variables/variables.index": b"index", "assets.extra/ensemble.json": b"{}"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, in which the command is called."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    # The cache of objects.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return here


@pytest.fixture(params=["store", "interface"])
def way(request: pytest.FixtureRequest, recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return whether the store can be read directly, or only through the user interface's server."""
    if request.param == "interface":
        monkeypatch.delenv("AWS_ENDPOINT_URL")
    return str(request.param)


def fetch(recorded: RecordedCluster, run_id: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["fetch", run_id, *arguments, "--host", recorded.url])


def add_model(recorded: RecordedCluster) -> None:
    recorded.objects |= {f"{EXPORTED}/{name}": content for name, content in MODEL.items()}


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_summary_of_a_run_is_fetched(recorded: RecordedCluster, way: str, folder: Path) -> None:
    result = fetch(recorded, recorded.show("smoke"), "summary")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{NAME}-summary.json (101,648 bytes)")
    assert names_in(folder) == [f"{NAME}-summary.json"]
    assert (folder / f"{NAME}-summary.json").read_bytes() == (RECORDINGS / "artifact-smoke-summary.json").read_bytes()
    direct = [path for _, path, _ in recorded.requests if path.startswith("/artifacts/minio/")]
    assert bool(direct) == (way == "interface")


def test_the_report_is_the_default_and_exact(recorded: RecordedCluster, way: str, folder: Path) -> None:
    recorded.objects[PAGE] = b"<!doctype html>\n<title>Report</title>\r\n  "
    result = fetch(recorded, recorded.show("smoke"))
    assert result.exit_code == 0, result.output
    assert content_of(folder) == {f"{NAME}-report.html": recorded.objects[PAGE]}


def test_the_model_is_a_folder(recorded: RecordedCluster, way: str, folder: Path) -> None:
    add_model(recorded)
    result = fetch(recorded, recorded.show("smoke"), "model", "--output", "models/smoke")
    assert result.exit_code == 0, result.output
    assert names_in(folder) == ["models"]
    assert content_of(folder / "models" / "smoke") == MODEL


def test_a_node_gives_a_folder_with_its_artifacts_without_its_log(
    recorded: RecordedCluster, way: str, folder: Path
) -> None:
    recorded.objects |= {
        f"{TRAIN_FOLDER}/model/weights.safetensors": b"weights",
        f"{TRAIN_FOLDER}/page": b"<html>",
    }
    (folder / "there").mkdir()
    result = fetch(recorded, recorded.show("smoke"), "train-netvlad", "--output", "there")
    assert result.exit_code == 0, result.output
    expected = {"model/weights.safetensors": b"weights", "page": b"<html>"}
    assert content_of(folder / "there" / f"{NAME}-train-netvlad") == expected
    assert names_in(folder / "there") == [f"{NAME}-train-netvlad"]
    assert "Not there, because the step did not write it: metrics" in result.output
    assert "Not verified, because the record has no checksums of it: model, page" in result.output


def test_a_step_from_the_cache_has_the_artifacts_of_its_record(recorded: RecordedCluster, folder: Path) -> None:
    run_id = recorded.show("smoke-cached")
    assert fetch(recorded, run_id, "summary", "--output", "a.json").exit_code == 0
    run_id = recorded.show("smoke")
    recorded.has_v1beta1 = False
    assert fetch(recorded, run_id, "summary", "--output", "b.json").exit_code == 0
    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes() == recorded.objects[SUMMARY]


def test_nothing_is_overwritten(recorded: RecordedCluster, folder: Path) -> None:
    (folder / f"{NAME}-summary.json").write_text("mine")
    result = fetch(recorded, recorded.show("smoke"), "summary")
    assert result.exit_code == 2
    assert f"{NAME}-summary.json: exists already" in result.output
    assert (folder / f"{NAME}-summary.json").read_text() == "mine"


def list_files(recorded: RecordedCluster, **files: list[tuple[str, bytes]]) -> None:
    """Let the record of netvlad's training list files, as records of later versions do."""
    record = json.loads(recorded.objects[TRAIN_RECORD])
    record["files"] = {
        name: [
            {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in listed
        ]
        for name, listed in files.items()
    }
    recorded.objects[TRAIN_RECORD] = json.dumps(record).encode()


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (b"weights", ""),
        (b"weightS", "model: weights.safetensors has not the checksum"),
        (b"weight", "model: weights.safetensors has 6 bytes instead of 7"),
        (None, "model: weights.safetensors is missing, which the step wrote"),
    ],
)
def test_what_is_fetched_is_compared_with_the_record(
    recorded: RecordedCluster, way: str, folder: Path, weights: bytes | None, problem: str
) -> None:
    list_files(recorded, model=[("config.json", b"{}"), ("weights.safetensors", b"weights")], page=[("", b"page")])
    recorded.objects |= {f"{TRAIN_FOLDER}/model/config.json": b"{}", f"{TRAIN_FOLDER}/page": b"page"}
    if weights is not None:
        recorded.objects[f"{TRAIN_FOLDER}/model/weights.safetensors"] = weights
    result = fetch(recorded, recorded.show("smoke"), "train-netvlad")
    if problem:
        assert result.exit_code == 2
        assert problem in result.output
        assert names_in(folder) == []
    else:
        assert result.exit_code == 0, result.output
        assert "Not verified" not in result.output


def test_a_transfer_that_breaks_off_leaves_nothing(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    add_model(recorded)
    recorded.objects[f"{EXPORTED}/variables/variables.data-00000-of-00001"] = os.urandom(100_000)
    recorded.cut_bytes = 50_000
    result = fetch(recorded, recorded.show("smoke"), "model")
    assert result.exit_code == 2
    assert "the transfer broke off" in result.output
    assert names_in(folder) == []


def test_what_is_gone_is_an_error_with_every_place(recorded: RecordedCluster, folder: Path) -> None:
    del recorded.objects[SUMMARY]
    result = fetch(recorded, recorded.show("smoke"), "summary")
    assert result.exit_code == 2
    assert f"minio://mlpipeline/{SUMMARY}: there is no such object" in result.output
    assert f"{recorded.url} answers 404: No objects found" in result.output
    assert names_in(folder) == []


def test_what_is_no_model_is_refused(recorded: RecordedCluster, folder: Path) -> None:
    recorded.objects[f"{EXPORTED}/README.md"] = b"card"
    result = fetch(recorded, recorded.show("smoke"), "model")
    assert result.exit_code == 2
    assert "what arrived is not a SavedModel" in result.output
    assert names_in(folder) == []


def test_a_step_that_did_not_run_has_no_artifacts(recorded: RecordedCluster) -> None:
    result = fetch(recorded, recorded.show("smoke-running"), "model")
    assert result.exit_code == 2
    assert "export: has no artifacts in this run; it is waiting" in result.output


def test_the_store_is_enough_behind_the_api_server_alone(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    recorded.has_interface = False
    # The variable of the store alone is enough, too.
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", recorded.url)
    assert fetch(recorded, recorded.show("smoke"), "summary").exit_code == 0
    assert names_in(folder) == [f"{NAME}-summary.json"]


def test_google_s_store_is_only_read_directly_since_the_interface_changes_texts(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", "0.1")
    run_id = recorded.show("smoke")
    run, _ = recorded.runs[run_id][0]
    workflow = json.dumps(plain_workflow("run-v1beta1-smoke-succeeded.json"))
    recorded.runs[run_id] = [(run, json.loads(workflow.replace("minio://mlpipeline/", "gs://mlpipeline/")))]
    result = fetch(recorded, run_id, "summary")
    assert result.exit_code == 2
    assert f"gs://mlpipeline/{SUMMARY}: listing failed" in result.output
    assert "the user interface gives no exact copies of objects in Google's store" in result.output
    assert names_in(folder) == []


def test_unknown_names_get_a_suggestion(recorded: RecordedCluster) -> None:
    result = fetch(recorded, recorded.show("smoke"), "sumary")
    assert result.exit_code == 2
    assert "no node 'sumary'. Did you mean 'summary'?" in result.output


@pytest.mark.parametrize(("what", "node"), [("report", "report"), ("summary", "report"), ("model", "export")])
def test_a_run_of_another_pipeline_has_no_results(recorded: RecordedCluster, what: str, node: str) -> None:
    run_id = recorded.show("hello")
    result = fetch(recorded, run_id, what)
    assert result.exit_code == 2
    message = f"run {run_id}: has no node '{node}'. It is a run of a part of a recipe, or of another pipeline."
    assert message in result.output
    assert "Its nodes: make, read." in result.output
    assert "Did you mean" not in result.output
    assert "Known: make, read." in fetch(recorded, run_id, "sumary").output
