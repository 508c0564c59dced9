"""The folder of a local run: its lock and its published results."""

import json
import os
from pathlib import Path

import pytest

from pipelines.local.folder import is_locked, lock_root, publish_results, view_folder
from pipelines.runs.state import NodeState, RunState
from yt8m.errors import ConfigError


def test_a_second_run_is_refused_with_the_process_of_the_first(tmp_path: Path) -> None:
    told = rf"in use by another run \(process {os.getpid()}\)"
    with lock_root(tmp_path), pytest.raises(ConfigError, match=told), lock_root(tmp_path):
        pass


def test_the_lock_ends_with_its_context(tmp_path: Path) -> None:
    with lock_root(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    with lock_root(tmp_path):
        pass


def test_a_folder_without_a_run_is_not_locked(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)


def finished(root: Path, text: str) -> RunState:
    steps = root / "steps"
    (steps / "export" / "variables").mkdir(parents=True, exist_ok=True)
    (steps / "export" / "saved_model.pb").unlink(missing_ok=True)
    (steps / "export" / "saved_model.pb").write_text(text)
    (steps / "page").write_text(text)
    (steps / "summary").write_text("{}")
    nodes = {
        "export": NodeState(title="Export", state="done", outputs={"exported": str(steps / "export")}),
        "report": NodeState(
            title="Report", state="done", outputs={"page": str(steps / "page"), "summary": str(steps / "summary")}
        ),
    }
    return RunState(root, "run", nodes)


def test_results_are_published_in_the_root_and_replaced_by_later_ones(tmp_path: Path) -> None:
    for text in ("first", "second"):
        publish_results(finished(tmp_path, text))
        assert (tmp_path / "report.html").read_text() == text
        assert (tmp_path / "export" / "saved_model.pb").read_text() == text
        assert (tmp_path / "summary.json").read_text() == "{}"


def test_the_view_of_a_finished_run_has_the_warnings_of_its_summary(tmp_path: Path) -> None:
    state = finished(tmp_path, "text")
    state.save()
    warning = {"node": "train-a", "title": "Training far above the hold-out", "text": "GAP 0.9, but 0.3."}
    (tmp_path / "summary.json").write_text(json.dumps({"warnings": [warning]}))
    assert "  train-a: Training far above the hold-out. GAP 0.9, but 0.3." in view_folder(tmp_path).notes
    (tmp_path / "summary.json").write_text('{"warnings": []}')
    assert view_folder(tmp_path).notes[0] == f"Report: {tmp_path / 'report.html'}"
    (tmp_path / "summary.json").unlink()
    assert view_folder(tmp_path).notes[0] == f"Report: {tmp_path / 'report.html'}"
