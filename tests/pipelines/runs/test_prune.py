"""Files that no run needs, from listings."""

from collections.abc import Mapping
from typing import Any

import pytest

from pipelines.kubeflow.spec import SpecGraph
from pipelines.runs.prune import Needs, find_superfluous
from pipelines.runs.state import NodeState
from tests.support.roots import make_spec, records_line
from yt8m.identity import work_name
from yt8m.storage import ListedFile

ROOT = "s3://bucket/folder"
TRAIN, REPORT = work_name("k1", ""), work_name("k2", "again")
# The work of each step is named after its key and the mark of a repetition.
GRAPH = SpecGraph(
    make_spec(
        {
            "train-a": {"key": "k1"},
            "report": {"key": "k2", "attempt": "again", "records": records_line({"train-z": "w9", "train-a": TRAIN})},
            "prepare": {"key": "k3", "data_key": "d1"},
        }
    )
)
DONE = {name: NodeState(title=name, state="done") for name in GRAPH.nodes}
ALL_RECORDS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("train-a", TRAIN): {"kept": [f"{ROOT}/checkpoints/train-a/mine.npz", f"{ROOT}/tensorboard/train-a/again/last"]},
    ("report", REPORT): {"kept": []},
    ("train-z", "w9"): {"kept": []},
    ("prepare", work_name("k3", "")): {"kept": []},
}


def superfluous(
    *names: str,
    needs: Needs,
    records: Mapping[tuple[str, str], Mapping[str, Any]] = ALL_RECORDS,
    root: str = ROOT,
    ages: Mapping[str, float] | None = None,
) -> dict[str, list[str]]:
    """Return the files that are superfluous at the time 1000, by kind."""
    files = [ListedFile(f"{ROOT}/{name}", 1, (ages or {}).get(name, 0.0)) for name in names]
    found = find_superfluous(root, files, needs, records, 1000.0).superfluous
    return {kind: [file.uri.removeprefix(f"{ROOT}/") for file in files] for kind, files in found.items() if files}


def of(states: Mapping[str, NodeState] = DONE, *, ended: bool = True) -> Needs:
    return Needs.of_run(GRAPH, states, ended=ended)


def test_records_of_the_run_and_those_that_it_reads_are_needed() -> None:
    names = [f"records/train-a/{TRAIN}.json", f"records/report/{REPORT}.json", "records/train-z/w9.json"]
    others = ["records/train-a/w9.json", f"records/train-b/{TRAIN}.json", "records/train-z/w10.json"]
    assert superfluous(*names, *others, needs=of()) == {"records": others}


def test_files_that_a_needed_record_lists_are_needed() -> None:
    names = ["checkpoints/train-a/mine.npz", "tensorboard/train-a/again/first", "tensorboard/train-a/again/last"]
    gone = ["checkpoints/train-a/other.npz", "checkpoints/train-a/mine.npz.old", "checkpoints/train-b/mine.npz"]
    assert superfluous(*names, *gone, needs=of()) == {"checkpoints": gone}
    logs = ["tensorboard/train-a/first", "tensorboard/train-b/again/last"]
    assert superfluous(*logs, needs=of()) == {"TensorBoard logs": logs}


def test_folders_that_a_needed_record_lists_are_needed() -> None:
    names = ["soft-targets/train-a/12/0", "data/theirs/0"]
    records = {**ALL_RECORDS, ("train-a", TRAIN): {"kept": [f"{ROOT}/soft-targets/train-a/12/", f"{ROOT}/data/theirs"]}}
    gone = "soft-targets/train-a/123/0"
    assert superfluous(*names, gone, needs=of(), records=records) == {"soft targets": [gone]}


@pytest.mark.parametrize("record", [None, {}, {"kept": ["s3://bucket/moved/checkpoints/train-a/mine.npz"]}])
def test_all_files_of_a_node_stay_if_its_record_does_not_list_them(record: dict[str, Any] | None) -> None:
    records = {**ALL_RECORDS, ("train-a", TRAIN): record} if record is not None else {}
    names = [f"{folder}/train-a/any" for folder in ("checkpoints", "tensorboard", "soft-targets")]
    assert superfluous(*names, "records/train-a/any.json", needs=of(), records=records) == {
        "records": ["records/train-a/any.json"]
    }


@pytest.mark.parametrize(
    ("state", "ended", "stays"),
    [
        ("done", False, False),
        ("unchanged", False, False),
        ("stale", False, False),
        ("running", False, True),
        ("failed", True, True),
        ("stopped", True, True),
        ("waiting", False, True),
        ("waiting", True, False),
    ],
)
def test_all_files_of_a_node_stay_as_long_as_it_can_continue_with_them(state: Any, ended: bool, stays: bool) -> None:
    states = {**DONE, "train-a": NodeState(title="", state=state)}
    found = superfluous("checkpoints/train-a/other.npz", needs=of(states, ended=ended))
    assert found == ({} if stays else {"checkpoints": ["checkpoints/train-a/other.npz"]})


def test_a_node_without_a_state_is_not_done() -> None:
    states = {name: node for name, node in DONE.items() if name != "train-a"}
    assert not superfluous("checkpoints/train-a/other.npz", needs=of(states))


def test_generated_shards_are_needed_by_their_key() -> None:
    names = ["data/k3/0.tfrecord", "data/d1/train/0.tfrecord"]
    assert superfluous(*names, "data/old/0.tfrecord", needs=of()) == {"generated shards": ["data/old/0.tfrecord"]}


def test_other_files_are_never_superfluous() -> None:
    assert not superfluous("README", "records/readme", "models/a/b", "data/file", "checkpoints", needs=Needs())
    elsewhere = ListedFile("s3://bucket/folder-2/records/train-a/w.json", 1, 0.0)
    assert not any(find_superfluous(ROOT, [elsewhere], Needs(), {}, 1000.0).superfluous.values())


def test_changed_files_stay_and_are_counted() -> None:
    names = ["records/x/old.json", "records/x/new.json"]
    ages = {"records/x/old.json": 999.0, "records/x/new.json": 1000.0}
    assert superfluous(*names, needs=Needs(), ages=ages) == {"records": ["records/x/old.json"]}
    found = find_superfluous(ROOT, [ListedFile(f"{ROOT}/{names[1]}", 1, 1000.0)], Needs(), {}, 1000.0)
    assert [file.uri for file in found.recent] == [f"{ROOT}/{names[1]}"]


def test_what_one_of_two_runs_needs_stays() -> None:
    graph = SpecGraph(make_spec({"train-a": {"key": "other"}}))
    other = Needs.of_run(graph, {"train-a": NodeState(title="", state="done")}, ended=True)
    records = {**ALL_RECORDS, ("train-a", work_name("other", "")): {"kept": [f"{ROOT}/checkpoints/train-a/theirs.npz"]}}
    names = ["checkpoints/train-a/mine.npz", "checkpoints/train-a/theirs.npz", "checkpoints/train-a/nobodys.npz"]
    assert superfluous(*names, needs=of() | other, records=records) == {"checkpoints": names[2:]}


def test_both_spellings_of_kubeflow_s_own_store_and_of_a_folder_are_one_root() -> None:
    records = {("train-a", TRAIN): {"kept": ["minio://bucket/folder/checkpoints/train-a/mine.npz"]}}
    needs = Needs(works=frozenset({("train-a", TRAIN)}))
    names = ["checkpoints/train-a/mine.npz", "checkpoints/train-a/other.npz"]
    assert superfluous(*names, needs=needs, records=records, root=f"{ROOT}/") == {"checkpoints": names[1:]}
    assert superfluous(*names, needs=needs, records=records, root=ROOT.replace("s3:", "minio:")) == {
        "checkpoints": names[1:]
    }
