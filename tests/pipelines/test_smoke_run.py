"""The smoke recipe, for real: every stage, in KFP's local runner."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.cost.dataset import DatasetSize
from pipelines.cost.settings import known_settings
from pipelines.runs.state import RunState
from tests.support.changed_files import append, changed_file
from tests.support.paths import REPOSITORY, SMOKE
from tests.support.recipes import load_recipe
from tests.support.videos import write_shard

GAP_SCRIPT = REPOSITORY / "tests" / "export" / "independent_gap.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def run(root: Path, *settings: str, runner: str = "subprocess", explain: str = "") -> Result:
    options = ["--runner", runner, *(part for setting in settings for part in ("--set", setting))]
    options += ["--explain", explain] if explain else []
    result = CliRunner().invoke(main, ["run", str(SMOKE), "--root", str(root), *options])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a finished run; the variable SMOKE_ROOT names one that is there, to save the time.

    Its name has letters with a meaning in patterns: everything below such a folder must be found, written and loaded.
    """
    folder = Path(os.environ.get("SMOKE_ROOT") or tmp_path_factory.mktemp("smoke") / "run [v1] *?")
    run(folder)
    return folder


def executed(root: Path) -> set[str]:
    return {name for name, node in RunState.load(root).nodes.items() if node.state == "done"}


def test_a_run_leaves_report_summary_and_a_model_that_predicts(root: Path) -> None:
    summary = json.loads((root / "summary.json").read_text())
    final, quantized = summary["final"], summary["tables"]["quantization"]
    assert final["gap"] > final["baseline_gap"]
    assert (final["part"], final["videos"]) == ("report", 50)
    assert final["gap_low"] < final["gap"] < final["gap_high"]
    # So few videos are a warning.
    assert 12 in {warning["rule"] for warning in summary["warnings"]}
    assert not [warning for warning in summary["warnings"] if warning["rule"] == 2]
    assert {row["automatic"] for row in summary["settings"]} == {True, False}
    assert [row["model"] for row in quantized] == ["dbof-student", "netvlad-second"]
    assert all(row["bytes_after"] < 0.6 * row["bytes_before"] for row in quantized)
    assert 0 < final["size_bytes"] <= final["budget_bytes"]
    assert "<html" in (root / "report.html").read_text()
    (shard, *_) = sorted(root.glob("data/*/test*.tfrecord"))
    arguments = ["--model", str(root / "export"), "--input", str(shard), "--output", str(root / "submission.csv")]
    assert CliRunner().invoke(main, ["predict", *arguments]).exit_code == 0
    assert (root / "submission.csv").read_text().startswith("VideoId,LabelConfidencePairs\n")


def test_steps_find_the_settings_that_the_plan_shows(root: Path) -> None:
    recipe = load_recipe(SMOKE)
    rows = known_settings(recipe, DatasetSize.known(recipe))
    planned = {(row.key.rpartition(".")[2], repr(row.setting.value)) for row in rows}
    found = {(row["key"], repr(row["value"])) for row in json.loads((root / "summary.json").read_text())["settings"]}
    assert planned == found


def test_steps_in_containers_give_the_numbers_that_steps_as_processes_give(
    root: Path, tmp_path: Path, image: str
) -> None:
    run(tmp_path, runner="docker")
    assert len(executed(tmp_path)) == len(RunState.load(tmp_path).nodes)
    in_containers, as_processes = (json.loads((folder / "summary.json").read_text()) for folder in (tmp_path, root))
    # TensorFlow writes a number that is random, and as many bytes as it needs, beside every model.
    sizes = [summary["final"].pop("size_bytes") for summary in (in_containers, as_processes)]
    shares = [summary["final"].pop("budget_share") for summary in (in_containers, as_processes)]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)
    assert shares[0] == pytest.approx(shares[1], rel=1e-3)
    # The URIs lie in different folders.
    artifacts = [summary.pop("artifacts") for summary in (in_containers, as_processes)]
    models, others = ([(each["model"], each["key"], each["member_key"]) for each in table] for table in artifacts)
    assert models == others
    assert without_times(in_containers) == without_times(as_processes)


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if "seconds" not in key}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def reported_records(partition: dict[str, Any]) -> list[bytes]:
    """Return the hold-out records on which figures are reported, by the hashes of their ids."""
    import tensorflow as tf  # noqa: PLC0415 - most tests do without

    division = partition["division"]

    def is_reported(record: bytes) -> bool:
        (video_id,) = tf.train.SequenceExample.FromString(record).context.feature["id"].bytes_list.value
        digest = hashlib.sha256(b"%d:%s" % (division["seed"], video_id)).digest()
        return int.from_bytes(digest[:8], "big") < division["threshold"]

    shards = tf.data.TFRecordDataset([shard["uri"] for shard in partition["holdout"]])
    return [record for record in shards.as_numpy_iterator() if is_reported(record)]


def test_a_process_with_tensorflow_alone_measures_the_gap_of_the_report(root: Path, tmp_path: Path) -> None:
    # TensorFlow takes some letters of the root's name for a pattern.
    model = shutil.copytree(root / "export", tmp_path / "export")
    (partition,) = root.glob("steps/*/prepare/partition")
    reported = tmp_path / "report.tfrecord"
    write_shard(reported, reported_records(json.loads(partition.read_text())))
    done = subprocess.run(
        [sys.executable, "-I", GAP_SCRIPT, model, reported], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    summary = json.loads((root / "summary.json").read_text())
    assert found["videos"] == summary["final"]["videos"]
    assert found["gap"] == pytest.approx(summary["final"]["gap"], abs=1e-4)
    (searched,) = (method["gap"] for method in summary["search"]["methods"] if method["chosen"])
    assert found["gap"] == pytest.approx(searched, abs=1e-4)


def test_a_second_run_does_nothing_and_says_so(root: Path) -> None:
    assert run(root, explain="report").output.startswith("report would not run again")
    result = run(root)
    assert not executed(root)
    assert "Nothing to do" in result.output


def test_a_changed_student_is_trained_again_with_what_depends_on_it_and_nothing_else(root: Path) -> None:
    setting, name = "students.netvlad-second.training.epochs=1", "netvlad-second"
    explained = run(root, setting, explain="report").output.splitlines()
    assert "  configuration training.epochs: 2 -> 1" in explained
    run(root, setting)
    assert executed(root) == {f"train-{name}", f"quantize-{name}", "search-weights", "export", "report"}
    assert executed(root) == {line.removesuffix(" would run:") for line in explained if not line.startswith(" ")}


def test_after_a_change_of_words_or_infrastructure_nothing_runs(root: Path) -> None:
    comment = changed_file("yt8m/losses.py", append("\n# A comment.\n"))
    infrastructure = changed_file("yt8m/errors.py", append("\nX = 1\n"))
    with comment, infrastructure:
        run(root, "students.netvlad-second.training.epochs=1")
    assert not executed(root)


def contents(*folders: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}


def models(root: Path) -> dict[str, dict[Path, bytes]]:
    """Return the files of every trained or averaged model, by node and path in the model's folder."""
    found = {}
    for name, node in RunState.load(root).nodes.items():
        for folder in (Path(node.outputs[output]) for output in ("model", "averaged") if output in node.outputs):
            found[name] = {path.relative_to(folder): content for path, content in contents(folder).items()}
    return found


def seconds_of_training(root: Path) -> dict[str, float]:
    nodes = RunState.load(root).nodes
    return {name: node.metrics["seconds"] for name, node in nodes.items() if name.startswith(("train-", "average-"))}


def test_what_only_measures_trains_nothing(root: Path) -> None:
    run(root)
    kept = [root / "checkpoints", root / "soft-targets"]
    before = contents(*kept), models(root), seconds_of_training(root)
    changed_at = {path: path.stat().st_mtime_ns for path in before[0]}
    run(root, "evaluation.top_k=50")
    trained = set(before[1])
    assert len(trained) == 9
    assert trained <= executed(root)
    assert (contents(*kept), models(root), seconds_of_training(root)) == before
    assert {path: path.stat().st_mtime_ns for path in before[0]} == changed_at
    logs = [(root / "logs" / f"{name}.log").read_text() for name in trained]
    assert not [log for log in logs if "epoch" in log]


def test_the_status_shows_all_nodes(root: Path) -> None:
    result = CliRunner().invoke(main, ["status", str(root)])
    assert result.exit_code == 0
    assert all(name in result.output for name in RunState.load(root).nodes)
