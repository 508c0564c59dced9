"""`yt8m prune` with the root of runs in a cluster, in an emulated object store."""

from collections.abc import Iterator, Mapping

import pytest
from click.testing import Result

from pipelines.cli import prune as command
from pipelines.cluster import client
from tests.pipelines.cluster.commands import call
from tests.pipelines.cluster.kfp_server import KfpServer, kfp_server
from tests.pipelines.cluster.recordings import ROOT as RECORDED_ROOT
from tests.pipelines.cluster.recordings import RecordedCluster
from tests.storage.emulators import gcs_emulator
from tests.support.roots import make_spec, names_under, put, put_record
from yt8m.identity import work_name

# google.api_core warns about optional packages. Python hides such warnings by default.
pytestmark = pytest.mark.filterwarnings("ignore::ImportWarning")

BUCKET = "yt8m-prune"
# A run in the recorded list that was not recorded itself.
UNRECORDED = "a079ff25-0d3d-414f-bc1f-c890efbe9082"


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """Run an object store for all tests; return its address."""
    with gcs_emulator(BUCKET) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def root(store: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Return a new root in the object store, whose files count as old."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", store)
    monkeypatch.setattr(command, "HOURS_TO_KEEP", -1)
    return f"gs://{BUCKET}/{request.node.name}"


@pytest.fixture
def server() -> Iterator[KfpServer]:
    with kfp_server() as running:
        yield running


def add_run(
    server: KfpServer, root: str, works: Mapping[str, str], *, number: int = 1, default: bool = False, **fields: str
) -> None:
    """Add a run of steps with these keys, which has its root as a parameter or as the pipeline's default."""
    spec = make_spec({name: {"key": key} for name, key in works.items()}, root if default else "")
    parameters = {} if default else {"root": root}
    server.runs[f"runs-{number}"] = {
        "run_id": f"runs-{number}",
        "display_name": f"tiny {number}",
        "experiment_id": "experiments-1",
        "pipeline_spec": spec,
        "runtime_config": {"parameters": parameters},
        **fields,
    }


def put_work(root: str, node: str, key: str) -> set[str]:
    """Write the record of a work with a checkpoint; return the names of both."""
    checkpoint = f"checkpoints/{node}/{key}.npz"
    put(root, checkpoint)
    put_record(root, node, work_name(key, ""), [checkpoint])
    return {checkpoint, f"records/{node}/{work_name(key, '')}.json"}


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_what_no_run_needs_is_shown_and_then_removed(server: KfpServer, root: str) -> None:
    needed = put_work(root, "train-a", "new")
    gone = put_work(root, "train-a", "old") | put_work(root, "train-b", "new")
    put(root, "tensorboard/train-b/events", "soft-targets/soft-targets-a/12/0", "data/old/0", "models/mine", "notes")
    gone |= {"tensorboard/train-b/events", "soft-targets/soft-targets-a/12/0", "data/old/0"}
    add_run(server, root, {"train-a": "new"})
    server.progress = [("SUCCEEDED", {"train-a": "SUCCEEDED"})]

    shown = call(server, "prune", root)
    assert shown.exit_code == 0, shown.output
    assert f"To remove: {len(gone)} files" in words(shown)
    assert "Runs with this root: 1: tiny 1" in words(shown)
    assert gone <= names_under(root)

    removed = call(server, "prune", root, "--yes")
    assert removed.exit_code == 0, removed.output
    assert f"Removed: {len(gone)} files" in words(removed)
    assert names_under(root) == needed | {"models/mine", "notes"}


def test_two_runs_on_one_root_keep_what_each_needs(
    server: KfpServer, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RUNS_AT_ONCE", 1)
    needed = put_work(root, "train-a", "new") | put_work(root, "train-a", "more") | put_work(root, "train-b", "more")
    unfinished = "checkpoints/train-c/unfinished.npz"
    gone = put_work(root, "train-a", "old")
    put(root, unfinished)
    add_run(server, root, {"train-a": "new"}, number=1, storage_state="ARCHIVED")
    add_run(server, f"{root}/", {"train-a": "more", "train-b": "more", "train-c": "more"}, number=2)
    add_run(server, f"{root}-beside", {"train-a": "old"}, number=3)
    states = {"train-a": "SUCCEEDED", "train-b": "SUCCEEDED"}
    server.progress = [("SUCCEEDED", states), ("RUNNING", states | {"train-c": "RUNNING"})]

    result = call(server, "prune", root, "--yes")

    assert result.exit_code == 0, result.output
    assert "Runs with this root: 2: tiny 1, tiny 2" in words(result)
    assert names_under(root) == needed | {unfinished}
    assert gone.isdisjoint(names_under(root))


def test_the_root_of_a_form_is_the_default_of_the_pipeline(server: KfpServer, root: str) -> None:
    needed = put_work(root, "train-a", "new")
    add_run(server, root, {"train-a": "new"}, default=True)
    server.progress = [("SUCCEEDED", {"train-a": "SUCCEEDED"})]
    assert call(server, "prune", root, "--yes").exit_code == 0
    assert names_under(root) == needed


def test_a_failed_node_keeps_its_checkpoint_for_the_next_run(server: KfpServer, root: str) -> None:
    put_work(root, "train-a", "old")
    add_run(server, root, {"train-a": "new"})
    server.progress = [("FAILED", {"train-a": "FAILED: main: Error (exit code 1)"})]
    assert call(server, "prune", root, "--yes").exit_code == 0
    assert names_under(root) == {"checkpoints/train-a/old.npz"}


def test_recent_files_stay(server: KfpServer, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "HOURS_TO_KEEP", 24)
    files = put_work(root, "train-a", "old")
    result = call(server, "prune", root, "--yes")
    assert result.exit_code == 0, result.output
    assert "2 files" in words(result)
    assert "changed in the last 24 hours" in words(result)
    assert "There is nothing to remove." in words(result)
    assert names_under(root) == files


def test_nothing_is_removed_if_the_pipeline_of_a_run_is_unknown(server: KfpServer, root: str) -> None:
    files = put_work(root, "train-a", "old")
    add_run(server, root, {"train-a": "new"})
    server.runs["runs-1"]["pipeline_spec"] = {"apiVersion": "argoproj.io/v1alpha1"}
    result = call(server, "prune", root, "--yes")
    assert result.exit_code == 2
    assert "What run runs-1 needs is unknown, so nothing was removed." in words(result)
    assert names_under(root) == files


def test_nothing_is_removed_if_a_run_starts_meanwhile(server: KfpServer, root: str) -> None:
    files = put_work(root, "train-a", "old")
    answer, lists = server.answer, []

    def answer_and_start(method: str, path: str, query: dict[str, list[str]], body: object) -> tuple[int, str, str]:
        if path == "/apis/v2beta1/runs":
            lists.append(path)
            if len(lists) == 2:
                add_run(server, root, {"train-a": "old"})
        return answer(method, path, query, body)

    server.answer = answer_and_start  # type: ignore[method-assign]
    result = call(server, "prune", root, "--yes")
    assert result.exit_code == 2
    assert "run runs-1 was started meanwhile. Nothing was removed." in words(result)
    assert names_under(root) == files


def test_a_folder_without_records_is_no_root(server: KfpServer, root: str) -> None:
    put(root, "checkpoints/train-a/old.npz")
    result = call(server, "prune", root, "--yes")
    assert result.exit_code == 2
    assert f"{root}: not the root of a run, because records/ is missing." in words(result)
    assert names_under(root) == {"checkpoints/train-a/old.npz"}


def test_a_cluster_that_does_not_answer_is_told(root: str) -> None:
    server = KfpServer(url="http://127.0.0.1:1")
    put_work(root, "train-a", "old")
    assert call(server, "prune", root, "--yes").exit_code == 2
    assert len(names_under(root)) == 2


def prune_recorded(recorded: RecordedCluster, *missing: str) -> Result:
    """Look through the root of the recorded runs, of which the server does not have some."""
    for moment in ("paper-failed", "paper-stuck", "smoke", "paper-offloaded"):
        recorded.show(moment)
    recorded.runs[UNRECORDED] = recorded.runs["ec56e88f-09f2-42e0-91c5-f55b38be0907"]
    for run_id in missing:
        del recorded.runs[run_id]
    folder = RECORDED_ROOT.removeprefix("s3://mlpipeline/")
    recorded.objects[f"{folder}/records/train-netvlad/0123456789ab.json"] = b"{}"
    recorded.objects[f"{folder}/checkpoints/train-netvlad/checkpoint-01.npz"] = b"needed"
    recorded.objects[f"{folder}/checkpoints/train-removed/checkpoint-01.npz"] = b"not needed"
    return call(recorded, "prune", RECORDED_ROOT)


@pytest.mark.slow
def test_recorded_runs_of_an_earlier_version_keep_their_records_and_the_files_of_their_nodes(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "HOURS_TO_KEEP", -1_000_000)
    result = prune_recorded(recorded)
    assert result.exit_code == 0, result.output
    assert "Runs with this root: 5:" in words(result)
    # Besides ours, one of a rerun that is not in the recorded list.
    assert "records records/evaluate-netvlad/61df7f70acb9-5fe88d10.json 2 1.6 kB" in words(result)
    assert "checkpoints checkpoints/train-removed/checkpoint-01.npz 1 10 B" in words(result)
    assert "Needed: 37 files" in words(result)  # the records of smoke's 36 steps, and the checkpoint
    assert "To remove: 3 files, 1.6 kB." in words(result)


def test_a_recorded_run_that_cannot_be_read_is_named(recorded: RecordedCluster) -> None:
    result = prune_recorded(recorded, UNRECORDED)
    assert result.exit_code == 2
    assert f"What run {UNRECORDED} needs is unknown, so nothing was removed." in words(result)
