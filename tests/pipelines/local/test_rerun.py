"""Reruns of nodes in a real, tiny run."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.local.folder import lock_root
from pipelines.runs.state import NodeState, RunState

RECIPE = """
name: tiny
data: {generate: {preset: smoke, videos: 200, videos_per_shard: 20}, holdout_shards: 1}
training: {epochs: 1, batch_size: 32}
families:
  logistic:
    candidates:
      linear: {model: {architecture: logistic}}
ensemble: {search: {trials: 2}}
"""
STUDENT = "students: {pupil: {like: linear, learn_from: logistic}}"
AFTER_TRAINING = {"quantize-linear", "search-weights", "export", "report"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a finished run."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(RECIPE)
    call("run", str(folder / "tiny.yaml"), "--root", str(folder / "root"))
    return folder / "root"


def nodes_in(root: Path, *states: str) -> set[str]:
    return {name for name, node in RunState.load(root).nodes.items() if node.state in states}


def executions(root: Path, node: str) -> int:
    return len(list((root / "steps").glob(f"*/{node}/executor_output.json")))


def recorded(root: Path, node: str) -> float:
    """Return the seconds of a node, which no two executions have in common."""
    seconds: float = json.loads(Path(RunState.load(root).nodes[node].outputs["record"]).read_text())["seconds"]
    return seconds


def reported(root: Path, node: str) -> float:
    nodes = json.loads((root / "summary.json").read_text())["nodes"]
    (seconds,) = (each["seconds"] for each in nodes if each["node"] == node)
    return float(seconds)


def refresh(root: Path) -> None:
    call("run", str(root / "recipe.json"), "--root", str(root))


def steps(root: Path) -> float:
    return RunState.load(root).nodes["train-linear"].metrics["steps"]


def test_a_rerun_trains_one_node_and_makes_its_descendants_stale(root: Path) -> None:
    before = {name: executions(root, name) for name in RunState.load(root).nodes}
    report = (root / "report.html").stat().st_mtime_ns
    result = call("rerun", str(root), "train-linear")
    after = {name: executions(root, name) for name in before}
    assert {name for name in before if after[name] > before[name]} == {"train-linear"}
    # Training started again instead of continuing from the finished checkpoint.
    assert "step 5/5" in call("logs", str(root), "train-linear").output
    assert nodes_in(root, "stale") == AFTER_TRAINING
    assert (root / "report.html").stat().st_mtime_ns == report
    assert "Stale now: " in result.output
    assert "stale" in call("status", str(root)).output
    assert "quantize-linear (stale)" in call("rerun", str(root), "report", code=2).output
    refresh(root)
    assert nodes_in(root, "done") == AFTER_TRAINING
    assert nodes_in(root, "unchanged") == {"generate", "prepare", "train-linear"}
    assert (root / "report.html").stat().st_mtime_ns > report


def test_a_rerun_of_the_report_executes_nothing_else_and_needs_every_record(root: Path) -> None:
    before = {name: executions(root, name) for name in RunState.load(root).nodes}
    call("rerun", str(root), "report")
    after = {name: executions(root, name) for name in before}
    assert {name for name in before if after[name] > before[name]} == {"report"}
    assert nodes_in(root, "unchanged", "done") == set(before)
    record = Path(RunState.load(root).nodes["prepare"].outputs["record"])
    record.rename(record.with_suffix(".away"))
    result = call("rerun", str(root), "report", code=2)
    assert "prepare" in result.output
    assert str(record) in result.output
    record.with_suffix(".away").rename(record)


def test_after_a_downstream_rerun_that_was_cut_off_the_report_is_that_of_the_new_model(root: Path) -> None:
    call("rerun", str(root), "train-linear")
    # As if the worker had been killed before the nodes that depend on the training.
    state = RunState.load(root)
    for name in AFTER_TRAINING:
        state.nodes[name] = NodeState(title=name)
    state.save()
    refresh(root)
    assert nodes_in(root, "done") == AFTER_TRAINING
    assert reported(root, "train-linear") == recorded(root, "train-linear")


def test_a_node_whose_artifact_was_deleted_is_executed_again_and_then_reported(root: Path) -> None:
    Path(RunState.load(root).nodes["search-weights"].outputs["weights"]).unlink()
    refresh(root)
    assert nodes_in(root, "done") == {"search-weights", "export", "report"}
    assert reported(root, "search-weights") == recorded(root, "search-weights")


def test_downstream_executes_all_descendants_with_the_settings(root: Path) -> None:
    setting = "families.logistic.candidates.linear.training.epochs=2"
    result = call("rerun", str(root), "train-linear", "--set", setting, "--downstream")
    assert nodes_in(root, "done") == {"train-linear", *AFTER_TRAINING}
    assert steps(root) == 10
    assert "Report: " in result.output
    # The run's recipe includes the setting now.
    refresh(root)
    assert nodes_in(root, "unchanged") == set(RunState.load(root).nodes)
    # The first recipe's results are still in the cache.
    call("run", str(root.parent / "tiny.yaml"), "--root", str(root))
    assert nodes_in(root, "unchanged") == set(RunState.load(root).nodes)
    assert steps(root) == 5


def test_a_failed_rerun_keeps_the_old_results(root: Path) -> None:
    recipe = (root / "recipe.json").read_text()
    setting = "families.logistic.candidates.linear.training.batch_size=100000"
    result = call("rerun", str(root), "train-linear", "--set", setting, code=2)
    assert "Node train-linear failed" in result.output
    assert nodes_in(root, "failed") == {"train-linear"}
    assert (root / "recipe.json").read_text() == recipe
    refresh(root)
    assert nodes_in(root, "unchanged") == set(RunState.load(root).nodes)


def test_without_kfp_s_cache_every_step_copies_what_was_done(root: Path) -> None:
    refresh(root)
    before = json.loads((root / "summary.json").read_text())
    shutil.rmtree(root / "steps" / ".kfp_cache")
    refresh(root)
    nodes = RunState.load(root).nodes
    assert nodes_in(root, "done") == set(nodes)
    copied = {node for node in nodes if "same work as in the execution" in call("logs", str(root), node).output}
    # The report lists the addresses of the copies.
    assert copied == set(nodes) - {"report"}
    after = json.loads((root / "summary.json").read_text())
    assert after.pop("artifacts")[0]["weights"] == nodes["train-linear"].outputs["model"]
    before.pop("artifacts")
    for summary in (before, after):
        summary["nodes"] = [each for each in summary["nodes"] if each["node"] != "report"]
    assert after == before


def test_a_repetition_that_failed_continues_and_later_runs_find_it(root: Path) -> None:
    first = RunState.load(root).nodes["train-linear"].outputs["record"]
    call("rerun", str(root), "train-linear")
    repeated = RunState.load(root).nodes["train-linear"].outputs["record"]
    assert repeated != first
    # As if the repetition had failed.
    state = RunState.load(root)
    state.nodes["train-linear"] = NodeState(title="train-linear", state="failed")
    state.save()
    call("rerun", str(root), "train-linear")
    assert RunState.load(root).nodes["train-linear"].outputs["record"] == repeated
    call("run", str(root.parent / "tiny.yaml"), "--root", str(root))
    assert RunState.load(root).nodes["train-linear"].outputs["record"] == repeated


def test_a_rerun_writes_soft_targets_again(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(f"{RECIPE}{STUDENT}")
    setting = "families.logistic.ensemble_size=1"
    call("run", str(tmp_path / "tiny.yaml"), "--root", str(tmp_path / "root"), "--set", setting)
    folder = tmp_path / "root" / "soft-targets"
    before = {path.name: path.read_bytes() for path in folder.rglob("*.tfrecord")}
    call("rerun", str(tmp_path / "root"), "soft-targets-logistic")
    node = RunState.load(tmp_path / "root").nodes["soft-targets-logistic"]
    assert node.metrics["written_shards"] == len(before)
    manifest = json.loads(Path(node.outputs["manifest"]).read_text())
    assert {Path(uri).name: Path(uri).read_bytes() for uri in manifest["sidecars"].values()} == before
    assert len(list(folder.rglob("*.tfrecord"))) == 2 * len(before)


def test_a_root_in_use_is_refused(root: Path) -> None:
    with lock_root(root):
        assert "in use by another run" in call("rerun", str(root), "report", code=2).output


def test_from_failed_executes_what_is_not_done_and_has_nothing_to_do_then(root: Path) -> None:
    call("rerun", str(root), "train-linear")
    stale = nodes_in(root, "stale")
    assert stale
    result = call("rerun", str(root), "--from-failed")
    assert f"Done: {len(stale)} of" in result.output
    assert nodes_in(root, "stale", "failed", "waiting") == set()
    assert "nodes are done, so there is nothing to continue" in call("rerun", str(root), "--from-failed", code=2).output
