import json
from typing import Any

import pytest

from tests.support.python import modules_after
from yt8m.errors import DataError
from yt8m.stages.report import report

RECORDS: list[dict[str, Any]] = [
    {"node": "prepare", "stage": "prepare", "metrics": {"training_videos": 100.0, "holdout_videos": 20.0}},
    {"node": "train-dbof1", "stage": "train", "name": "dbof1", "family": "dbof", "seconds": 3.5},
    {
        "node": "evaluate-dbof1",
        "stage": "evaluate",
        "name": "dbof1",
        "family": "dbof",
        "metrics": {"gap": 0.61, "baseline_gap": 0.2, "videos": 20.0},
    },
]


@pytest.fixture
def records(tmp_path):
    paths = []
    for record in RECORDS:
        paths.append(tmp_path / f"{record['node']}.json")
        paths[-1].write_text(json.dumps(record))
    return paths


def test_the_page_and_a_summary_with_the_same_figures_are_written(records, tmp_path):
    html, summary = tmp_path / "out" / "report.html", tmp_path / "out" / "summary.json"
    result = report(records=records, html=html, summary=summary)
    assert result.metrics == {"gap": 0.61, "baseline_gap": 0.2, "nodes": 3.0}
    assert "<!doctype html>" in html.read_text()
    assert json.loads(summary.read_text())["final"]["gap"] == 0.61


def test_the_keys_of_the_summary_are_stable(records, tmp_path):
    report(records=records, html=tmp_path / "report.html", summary=tmp_path / "summary.json")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["format"] == 1
    assert set(summary) == {
        "format", "final", "checks", "tables", "models", "selections", "search", "export", "class_kinds", "curves",
        "data", "nodes", "nodes_seconds", "artifacts",
    }  # fmt: skip
    assert set(summary["tables"]) == {"averaging", "quantization", "distillation", "ensemble", "ensemble_families"}
    assert set(summary["final"]) == {
        "gap", "gap_held_out", "measured_on", "map", "hit_at_1", "perr", "videos", "size_bytes", "budget_bytes",
        "budget_share", "members", "baseline_gap", "best_model", "best_model_gap",
    }  # fmt: skip


def test_the_pipelines_backend_accepts_the_metrics(records, tmp_path):
    result = report(records=records, html=tmp_path / "report.html", summary=tmp_path / "summary.json")
    assert {type(value) for value in result.metrics.values()} == {float}


def test_the_same_records_give_the_same_files(records, tmp_path):
    for name in ("first", "second"):
        report(records=records, html=tmp_path / f"{name}.html", summary=tmp_path / f"{name}.json")
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()


def test_nothing_is_written_when_a_record_is_damaged(records, tmp_path):
    records[1].write_text("{")
    with pytest.raises(DataError, match=r"train-dbof1\.json"):
        report(records=records, html=tmp_path / "report.html", summary=tmp_path / "summary.json")
    assert not (tmp_path / "report.html").exists()
    assert not (tmp_path / "summary.json").exists()


def test_importing_the_stage_loads_no_plots_and_no_training():
    assert not {"matplotlib", "tensorflow", "keras"} & modules_after("import yt8m.stages.report")
