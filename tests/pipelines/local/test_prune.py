"""`yt8m prune` with the folder of a local run."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.local.folder import lock_root
from pipelines.local.rerun import save_spec
from pipelines.runs.state import NodeState, RunState, State
from tests.support.roots import make_spec, names_under, put, put_record
from yt8m.identity import work_name

RECIPE = """
name: tiny
data: {generate: {preset: smoke, videos: 200, videos_per_shard: 20}, holdout_shards: 1}
training: {batch_size: 32}
families:
  logistic:
    ensemble_size: 1
    candidates:
      linear: {model: {architecture: logistic}}
ensemble: {search: {trials: 2}}
students: {pupil: {like: linear, learn_from: logistic}}
"""
NOW, BEFORE = work_name("now", ""), work_name("before", "")
RUN, OLD_RUN = "steps/tiny-2", "steps/tiny-1"
# Files of the present run, of an earlier one, and others.
PRESENT = {
    "pipeline.yaml",
    "nodes.json",
    "export/weights",
    f"records/train-a/{NOW}.json",
    f"records/report/{NOW}.json",
    "checkpoints/train-a/now.npz",
    f"{RUN}/train-a/model/weights",
    f"{RUN}/train-a/executor_output.json",
    f"{RUN}/report/page",
    "steps/.kfp_cache/train-a-now.json",
    "steps/.kfp_cache/report-now.json",
    "logs/pipeline.log",
    "logs/train-a.log",
    "work/train-a.json",
    "mine/notes.txt",
}
EARLIER = {
    f"records/train-a/{BEFORE}.json",
    f"records/train-b/{NOW}.json",
    "checkpoints/train-a/before.npz",
    "checkpoints/train-b/now.npz",
    "tensorboard/train-b/train/events",
    "soft-targets/soft-targets-a/1234/0.tfrecord",
    "data/before/0.tfrecord",
    f"{OLD_RUN}/train-a/model/weights",
    f"{RUN}/train-b/model/weights",
    "steps/.kfp_cache/train-a-before.json",
    "steps/.kfp_cache/train-b-now.json",
    "logs/train-b.log",
    "work/train-b.json",
}


def add_cache_entry(root: Path, name: str, artifact: str) -> None:
    entry = {"model": {"__kfp_artifact__": True, "uri": str(root / artifact)}}
    (root / "steps" / ".kfp_cache" / f"{name}.json").write_text(json.dumps(entry))


def save_state(root: Path, train: State) -> None:
    artifacts = {"train-a": {"model": f"{RUN}/train-a/model"}, "report": {"page": f"{RUN}/report/page"}}
    states: dict[str, State] = {"train-a": train, "report": "done"}
    nodes = {
        name: NodeState(
            title=name,
            state=states[name],
            outputs={key: str(root / path) for key, path in each.items()}
            | {"record": str(root / "records" / name / f"{NOW}.json")},
        )
        for name, each in artifacts.items()
    }
    RunState(root, "tiny", nodes).save()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder of a finished run, after earlier runs with other nodes and works."""
    root = tmp_path / "run"
    put(str(root), *PRESENT, *EARLIER)
    put_record(str(root), "train-a", NOW, ["checkpoints/train-a/now.npz"])
    put_record(str(root), "train-a", BEFORE, ["checkpoints/train-a/before.npz"])
    put_record(str(root), "train-b", NOW, ["checkpoints/train-b/now.npz"])
    put_record(str(root), "report", NOW, [])
    save_spec(root / "pipeline.yaml", make_spec({"train-a": {"key": "now"}, "report": {"key": "now"}}))
    for name, artifact in (
        ("train-a-now", f"{RUN}/train-a/model"),
        ("train-a-before", f"{OLD_RUN}/train-a/model"),
        ("train-b-now", f"{RUN}/train-b/model"),
        ("report-now", f"{RUN}/report/page"),
    ):
        add_cache_entry(root, name, artifact)
    save_state(root, "done")
    return root


def prune(root: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["prune", str(root), *options])


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_nothing_is_removed_without_a_yes(root: Path) -> None:
    before = names_under(str(root))
    result = prune(root)
    assert result.exit_code == 0, result.output
    assert names_under(str(root)) - {".lock"} == before
    assert "artifacts steps/tiny-1/train-a/model/weights 2 68 B" in words(result)
    assert f"To remove: {len(EARLIER)} files" in words(result)
    assert "Nothing was removed; --yes removes them." in words(result)


def test_what_the_present_run_does_not_have_is_removed(root: Path) -> None:
    result = prune(root, "--yes")
    assert result.exit_code == 0, result.output
    assert f"Removed: {len(EARLIER)} files" in words(result)
    assert names_under(str(root)) - {".lock"} == PRESENT
    assert not (root / "checkpoints" / "train-b").exists()
    assert "There is nothing to remove." in words(prune(root, "--yes"))


@pytest.mark.parametrize("state", ["failed", "stopped", "waiting"])
def test_a_node_that_is_not_done_keeps_all_its_files(root: Path, state: State) -> None:
    save_state(root, state)
    assert prune(root, "--yes").exit_code == 0
    gone = {name for name in EARLIER if "train-a" not in name} | {f"records/train-a/{BEFORE}.json"}
    assert names_under(str(root)) - {".lock"} == (PRESENT | EARLIER) - gone


def test_a_node_without_its_artifacts_keeps_all_its_files(root: Path) -> None:
    shutil.rmtree(root / RUN / "train-a")
    assert prune(root, "--yes").exit_code == 0
    assert (root / "checkpoints" / "train-a" / "before.npz").exists()


def test_artifacts_that_a_needed_record_lists_stay(root: Path) -> None:
    path = root / "records" / "train-a" / f"{NOW}.json"
    model = str(root / OLD_RUN / "train-a" / "model")
    listed = {"files": {"model": []}, "artifacts": {"model": model, "partition": str(root / RUN / "train-b" / "model")}}
    path.write_text(json.dumps(json.loads(path.read_text()) | listed))
    assert prune(root, "--yes").exit_code == 0
    kept = {f"{OLD_RUN}/train-a/model/weights", "steps/.kfp_cache/train-a-before.json"}
    assert names_under(str(root)) - {".lock"} == PRESENT | kept


def test_a_copy_of_a_folder_keeps_the_files_of_its_nodes(root: Path) -> None:
    copy = shutil.copytree(root, root.with_name("copy"))
    assert prune(copy, "--yes").exit_code == 0
    assert (copy / RUN / "train-a" / "model" / "weights").exists()
    assert (copy / "checkpoints" / "train-a" / "now.npz").exists()
    assert not (copy / "checkpoints" / "train-b").exists()


def test_a_folder_in_use_is_refused(root: Path) -> None:
    before = names_under(str(root))
    with lock_root(root):
        result = prune(root, "--yes")
    assert result.exit_code == 2
    assert f"{root}: in use by another run" in words(result)
    assert names_under(str(root)) - {".lock"} == before


def test_a_damaged_pipeline_is_told_and_nothing_is_removed(root: Path) -> None:
    (root / "pipeline.yaml").write_text("components: {}")
    before = names_under(str(root))
    result = prune(root, "--yes")
    assert result.exit_code == 2
    assert "not a compiled pipeline" in words(result)
    assert names_under(str(root)) - {".lock"} == before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_pruned_folder_has_all_that_its_run_needs(tmp_path: Path) -> None:
    recipe, root = tmp_path / "tiny.yaml", tmp_path / "root"
    recipe.write_text(RECIPE)

    def run(epochs: int) -> str:
        options = ["--root", str(root), "--set", f"training.epochs={epochs}"]
        result = CliRunner().invoke(main, ["run", str(recipe), *options])
        assert result.exit_code == 0, result.output
        return words(result)

    run(1)
    run(2)
    models = set(root.glob("steps/*/train-linear/model/weights.safetensors"))
    assert len(models) == 2
    assert prune(root, "--yes").exit_code == 0
    assert len(set(root.glob("steps/*/train-linear/model/weights.safetensors"))) == 1
    assert "Nothing to do: all 10 nodes are unchanged" in run(2)
    assert "Done: 8 of 10 nodes" in run(1)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    result = prune(tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path}: not the folder of a run on this machine" in words(result)
    assert not list(tmp_path.iterdir())


def test_a_run_without_records_is_no_root(root: Path) -> None:
    shutil.rmtree(root / "records")
    result = prune(root, "--yes")
    assert result.exit_code == 2
    assert "records/ is missing" in words(result)
    assert (root / "checkpoints" / "train-b").exists()
