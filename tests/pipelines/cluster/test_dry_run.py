"""`yt8m submit --dry-run` with an object store, and images of clusters."""

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.graph import fingerprints
from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.spec import SpecGraph
from pipelines.recipe.load import read_recipe
from tests.pipelines.cluster.recordings import BUCKET, RecordedCluster
from tests.support.paths import SMOKE

# google-cloud-storage warns once.
pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")

ROOT = f"s3://{BUCKET}/dry"
# Nobody listens there.
IMAGE = "127.0.0.1:1/yt8m:1"
DIGEST = "sha256:" + "ab" * 32


def submit(*options: str, image: str = IMAGE, root: str = ROOT, recipe: Path = SMOKE) -> Result:
    given = ["--image", image] if image else []
    return CliRunner().invoke(main, ["submit", str(recipe), "--root", root, *given, *options])


@pytest.fixture(scope="module")
def graph() -> SpecGraph:
    return SpecGraph(Compilation(read_recipe(SMOKE), str(SMOKE), read_data=False).build(IMAGE).specs[0])


def finish(recorded: RecordedCluster, graph: SpecGraph, *nodes: str) -> None:
    """Let nodes have records in the store, each with an artifact of two files and one of a single file."""
    for node in nodes:
        files = {
            "model": [{"path": "a/weights", "bytes": 3, "sha256": "0"}, {"path": "config", "bytes": 2, "sha256": "1"}],
            "page": [{"path": "", "bytes": 4, "sha256": "2"}],
        }
        uris = {name: f"s3://{BUCKET}/artifacts/{node}/{name}" for name in files}
        read = {"data": graph.constant(node, "data_version") * 4} if graph.constant(node, "data_version") else {}
        record = {"node": node, "stage": "any", "artifacts": uris, "files": files, "inputs": read}
        recorded.objects[f"dry/records/{node}/{graph.work(node)}.json"] = json.dumps(record).encode()
        recorded.objects[f"artifacts/{node}/model/a/weights"] = b"123"
        recorded.objects[f"artifacts/{node}/model/config"] = b"12"
        recorded.objects[f"artifacts/{node}/page"] = b"1234"


def rows(result: Result) -> dict[str, str]:
    """Return state and reason by node."""
    lines = [line.partition("  ") for line in result.output.splitlines() if "  " in line]
    return {name: state.strip() for name, _, state in lines}


def test_nothing_is_done_in_a_new_root(recorded: RecordedCluster, graph: SpecGraph) -> None:
    result = submit("--dry-run")
    assert result.exit_code == 0, result.output
    assert f"smoke: 0 of {len(graph.nodes)} steps are done under {ROOT}, {len(graph.nodes)} would run" in result.output
    assert set(rows(result)) == set(graph.nodes)
    assert all(row == "runs: no record of this work" for row in rows(result).values())
    assert "a run takes 10% of Argo's limit at its start, about 19% at its end" in result.output
    assert "Nothing was submitted." in result.output
    assert not recorded.requests


def test_steps_with_records_and_files_are_done_if_all_they_depend_on_are(
    recorded: RecordedCluster, graph: SpecGraph
) -> None:
    finish(recorded, graph, *(set(graph.nodes) - {"train-netvlad", "report"}))
    found = rows(submit("--dry-run"))
    for node in graph.nodes:
        if node in {"train-netvlad", "report"}:
            assert "runs: no record" in found[node]
        elif "train-netvlad" in graph.ancestors(node):
            assert "runs: depends on " in found[node]
        else:
            assert found[node] == "done", node


def test_lost_and_cut_off_files_and_records_are_found(recorded: RecordedCluster, graph: SpecGraph) -> None:
    finish(recorded, graph, "generate", "prepare", "train-netvlad", "train-dbof-wide", "train-dbof-narrow")
    del recorded.objects["artifacts/train-netvlad/model/a/weights"]
    recorded.objects["artifacts/train-dbof-wide/model/config"] = b"1"
    recorded.objects[f"dry/records/train-dbof-narrow/{graph.work('train-dbof-narrow')}.json"] = b"{"
    found = rows(submit("--dry-run"))
    uri = f"s3://{BUCKET}/artifacts"
    assert found["train-netvlad"] == (f"runs: 1 of its files are gone, such as {uri}/train-netvlad/model/a/weights")
    assert found["train-dbof-wide"].endswith(
        f"runs: 1 of its files are gone, such as {uri}/train-dbof-wide/model/config"
    )
    assert "runs: its record cannot be read" in found["train-dbof-narrow"]
    assert found["prepare"] == "done"


@pytest.mark.slow
def test_changed_configuration_is_other_work(recorded: RecordedCluster, graph: SpecGraph) -> None:
    finish(recorded, graph, *graph.nodes)
    assert f"{len(graph.nodes)} of {len(graph.nodes)} steps are done" in submit("--dry-run").output
    # Another image is no other work.
    assert ", 0 would run" in submit("--dry-run", image="127.0.0.1:1/yt8m:2").output
    found = rows(submit("--dry-run", "--set", "students.netvlad-second.training.epochs=7"))
    assert "runs: no record" in found["train-netvlad-second"]
    assert found["train-netvlad"] == "done"


RECIPE = f"""
name: small
data: {{training: ["s3://{BUCKET}/data/train*"], validation: ["s3://{BUCKET}/data/validate*"], holdout_shards: 1}}
families: {{logistic: {{candidates: {{linear: {{model: {{architecture: logistic}}}}}}}}}}
"""


def test_shards_are_known_by_their_fingerprints_where_the_store_answers(
    recorded: RecordedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    recorded.objects |= {f"data/{name}": b"1" for name in ("train0", "validate0", "validate1")}
    spec = Compilation(read_recipe(path), str(path), read_data=True).build(IMAGE).specs[0]
    finish(recorded, SpecGraph(spec), *SpecGraph(spec).nodes)
    result = submit("--dry-run", recipe=path)
    assert ", 0 would run" in result.output
    assert "no fingerprints" not in result.output
    # A run that was submitted where the data cannot be read finds the same work.
    later = rows(submit("--dry-run", "--schedule", "0 3 * * *", "--name", "nightly", recipe=path))
    assert later.pop("prepare").startswith("runs: looks at the data")
    assert set(later.values()) == {"done if the data have not changed"}
    recorded.objects["data/train0"] = b"2"
    assert rows(submit("--dry-run", recipe=path))["prepare"] == "runs: the data have changed"
    assert (
        "The data have no fingerprints"
        in submit("--dry-run", "--schedule", "0 3 * * *", "--name", "nightly", recipe=path).output
    )
    monkeypatch.setattr(fingerprints, "SECONDS_TO_LIST", 0.2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", "0.1")
    unread = submit("--dry-run", recipe=path)
    assert unread.exit_code == 0, unread.output
    assert f"The data have no fingerprints: s3://{BUCKET}/data/train" in unread.output
    assert "The step `prepare` will look at them." in unread.output


def test_without_fingerprints_prepare_runs_and_the_rest_is_done_if_the_data_are_the_same(
    recorded: RecordedCluster, tmp_path: Path
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    graph = SpecGraph(Compilation(read_recipe(path), str(path), read_data=False).build(IMAGE).specs[0])
    finish(recorded, graph, *graph.nodes.keys() - {"report"})
    result = submit("--dry-run", "--schedule", "0 3 * * *", "--name", "nightly", recipe=path)
    found = rows(result)
    assert found["prepare"] == "runs: looks at the data, which have no fingerprints"
    assert found["train-linear"] == "done if the data have not changed"
    assert found["report"] == "runs: no record of this work"
    count = len(graph.nodes)
    assert f"small: {count - 2} of {count} steps are done if the data have not changed under {ROOT}, 2 would run" in (
        result.output
    )


def test_a_store_that_cannot_be_read_is_told_once(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", "0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    result = submit("--dry-run", root="s3://elsewhere/dry")
    assert result.exit_code == 0, result.output
    assert "Which of them are done cannot be known: s3://elsewhere/dry" in result.output
    assert {record.getMessage().split("/")[5] for record in caplog.records if "s3://" in record.getMessage()} == {
        "generate"
    }
    assert "a run takes 10% of Argo's limit" in result.output


def test_a_dry_run_says_of_each_image_whether_it_is_there(recorded: RecordedCluster) -> None:
    result = submit("--dry-run", "--set", "cluster={training: {image: '{image}-gpu'}}")
    assert f"Image {IMAGE}: cannot be known, because " in result.output
    assert f"Image {IMAGE}-gpu: cannot be known, because " in result.output
    assert "Give" not in result.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image", "advice"),
    [
        ("", "--image is missing: the steps need the image of this code, yt8m:"),
        ("yt8m:1", "Push the image and give its whole name, such as registry.example.com/team/yt8m:1."),
    ],
)
def test_a_dry_run_says_which_image_a_submit_will_need(recorded: RecordedCluster, image: str, advice: str) -> None:
    result = submit("--dry-run", image=image)
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "the name has no registry" in text
    assert advice in text


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("", "--image is missing: the steps need the image of this code, yt8m:"),
        ("yt8m:1", "--image yt8m:1: the name has no registry"),
        ("Reg/yt8m:", "not the name of a container image"),
    ],
)
def test_submit_needs_an_image_in_a_registry(image: str, reason: str) -> None:
    result = submit("--host", "http://127.0.0.1:1", image=image)
    assert result.exit_code == 2
    assert reason in " ".join(result.output.split())


@pytest.mark.slow
def test_the_image_of_a_digest_needs_a_second_one_for_gpus(recorded: RecordedCluster) -> None:
    image = f"127.0.0.1:1/yt8m@{DIGEST}"
    assert f"Image {image}: cannot" in submit("--dry-run", image=image).output
    refused = submit("--dry-run", "--set", "cluster={training: {image: '{image}-gpu'}}", image=image)
    assert refused.exit_code == 2
    assert "no other name follows from a digest" in refused.output
    gpu = f"127.0.0.1:1/yt8m@sha256:{'cd' * 32}"
    given = submit("--dry-run", "--set", f"cluster={{training: {{image: '{gpu}'}}}}", image=image)
    assert f"Image {gpu}: cannot" in given.output


def test_a_vocabulary_in_a_store_is_read_and_a_path_of_the_containers_is_left_to_prepare(
    recorded: RecordedCluster,
) -> None:
    recorded.objects["names.csv"] = b"Index,Name\n0,Game\n99,Car\n"
    refused = submit("--dry-run", "--set", f"export.vocabulary=s3://{BUCKET}/names.csv")
    assert refused.exit_code == 2
    assert f"export.vocabulary: s3://{BUCKET}/names.csv: line 3: class 99, but there are 24 classes" in refused.output
    missing = submit("--dry-run", "--set", f"export.vocabulary=s3://{BUCKET}/none.csv")
    assert (missing.exit_code, "none.csv: there is no such file" in missing.output) == (2, True)

    told = submit("--dry-run", "--set", "export.vocabulary=/volume/names.csv")
    assert told.exit_code == 0, told.output
    text = " ".join(told.output.split())
    assert (
        "export.vocabulary: /volume/names.csv cannot be looked at from here. The step `prepare` will look at it."
        in text
    )
