import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rich.console import Console

from pipelines.cli import main
from pipelines.cli.run import _figures, _show_failure, _show_results
from pipelines.local.folder import lock_root
from pipelines.runs.state import RunState
from tests.support.paths import SMOKE


def failure(root: Path, failed: str = "prepare", error: str = "", code: int = 1) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    execution = SimpleNamespace(state=SimpleNamespace(root=root), failed=failed, error=error)
    assert _show_failure(console, execution) == code  # type: ignore[arg-type]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "prepare.log"


def test_a_failed_node_is_shown_with_the_end_and_the_path_of_its_log(log: Path) -> None:
    log.write_text("".join(f"line {number}\n" for number in range(100)) + "RuntimeError: [broken]\n")
    lines = failure(log.parents[1])
    assert "line 50" not in "\n".join(lines)
    assert lines[-3:-1] == ["  | RuntimeError: [broken]", f"Node prepare failed; its log: {log}"]


def test_user_errors_are_shown_without_a_traceback(log: Path) -> None:
    log.write_text("Traceback\n  somewhere\nyt8m.errors.ConfigError: a: wrong\nb: wrong, too\n")
    assert failure(log.parents[1], code=2)[:2] == ["  | ConfigError: a: wrong", "  | b: wrong, too"]


def test_a_failure_of_the_pipeline_itself_shows_its_log(tmp_path: Path, log: Path) -> None:
    (log.parent / "pipeline.log").write_text("ImportError: kfp\n")
    lines = failure(tmp_path, failed="")
    assert lines[0] == "  | ImportError: kfp"
    assert lines[1].startswith("The pipeline failed; its log: ")


def test_the_final_figures_are_gap_baseline_size_and_members() -> None:
    final = {"gap": 0.5, "measured_on": "exported model", "videos": 100.0, "baseline_gap": 0.2}
    size = {"size_bytes": 1.5e6, "budget_bytes": 3e6, "members": 2}
    assert _figures({**final, **size}) == [
        "GAP 0.5000 of the exported model on 100 hold-out videos; label frequencies alone: 0.2000",
        "Size 1.5 MB, 50.0% of the budget; 2 members",
    ]
    assert _figures({}) == []
    report = {**final, "measured_on": "model", "part": "report", "videos": 1050.0, "gap_low": 0.48, "gap_high": 0.52}
    assert _figures({**report, "test_gap": 0.49, "test_videos": 300.0}) == [
        "GAP 0.5000 (95%: 0.4800 to 0.5200) of the model on 1,050 report videos; label frequencies alone: 0.2000",
        "GAP 0.4900 on 300 test videos",
    ]
    named = {**final, "gap_name": "GAP@3", "accuracy": 0.75, "balanced_accuracy": 0.7, "test_gap": 0.49}
    assert _figures(named) == [
        "GAP@3 0.5000 of the exported model on 100 hold-out videos; label frequencies alone: 0.2000",
        "Accuracy 0.7500, 0.7000 averaged over the classes, on 100 hold-out videos",
        "GAP@3 0.4900 on the test videos",
    ]


@pytest.mark.parametrize(("name", "told"), [("run", False), ("run [v1]", True)])
def test_a_model_in_a_folder_that_tensorflow_takes_for_a_pattern_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, told: bool
) -> None:
    root = tmp_path / name
    root.mkdir()
    (root / "summary.json").write_text('{"final": {}}')
    _show_results(Console(width=300), RunState(root, "tiny", {}), 1.0)
    assert ("Copy it to a folder without" in capsys.readouterr().out) == told


def test_warnings_are_printed_with_their_number_and_the_first_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warnings = [
        {
            "rule": 1,
            "title": "Training far above",
            "node": f"train-{i}",
            "text": f"GAP 0.{i}.",
            "cause": "c",
            "setting": "s",
        }
        for i in range(7)
    ]
    (tmp_path / "summary.json").write_text(json.dumps({"final": {}, "warnings": warnings}))
    _show_results(Console(width=300), RunState(tmp_path, "tiny", {}), 1.0)
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("7 warnings; the report names causes and the settings to change:")
    assert lines[start + 1] == "  train-0: Training far above. GAP 0.0."
    assert lines[start + 6 : start + 8] == ["  and 2 more", f"Report:   {tmp_path / 'report.html'}"]


def test_a_root_in_use_is_refused(tmp_path: Path) -> None:
    with lock_root(tmp_path):
        result = CliRunner().invoke(main, ["run", str(SMOKE), "--root", str(tmp_path)])
    assert result.exit_code == 2
    assert "in use by another run" in result.output


def test_a_batch_larger_than_the_training_set_is_refused_before_anything_runs(tmp_path: Path) -> None:
    options = ["--root", str(tmp_path / "run"), "--set", "training.batch_size=851"]
    result = CliRunner().invoke(main, ["run", str(SMOKE), *options])
    assert result.exit_code == 2
    told = "smoke.yaml: dbof-wide: training.batch_size: 851, but there are only 850 training videos."
    assert told in " ".join(result.output.split())
    assert not (tmp_path / "run").exists()
