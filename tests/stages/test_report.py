import json
from typing import Any

import pytest

from tests.support.python import modules_after
from yt8m.records.record import NodeRecord
from yt8m.stages.report import report

RECORDS: list[dict[str, Any]] = [
    {"node": "prepare", "stage": "prepare", "metrics": {"training_videos": 100.0, "holdout_videos": 20.0}},
    {
        "node": "train-dbof1",
        "stage": "train",
        "name": "dbof1",
        "family": "dbof",
        "metrics": {"gap": 0.61, "baseline_gap": 0.2, "videos": 20.0, "training_gap": 0.9},
        "seconds": 3.5,
    },
]


@pytest.fixture
def records():
    return [NodeRecord(**record) for record in RECORDS]


def test_the_page_and_a_summary_with_the_same_figures_are_written(records, tmp_path):
    page, summary = tmp_path / "out" / "report.html", tmp_path / "out" / "summary.json"
    result = report(records=records, students={}, page=page, summary=summary)
    assert result.metrics == {"gap": 0.61, "baseline_gap": 0.2, "gap_dbof1": 0.61, "warnings": 1.0}
    assert "<!doctype html>" in page.read_text()
    written = json.loads(summary.read_text())
    assert written["final"]["gap"] == 0.61
    assert result.details["warnings"] == written["warnings"]
    assert [(each["rule"], each["node"]) for each in written["warnings"]] == [(1, "train-dbof1")]


def test_the_keys_of_the_summary_are_stable(records, tmp_path):
    report(records=records, students={}, page=tmp_path / "report.html", summary=tmp_path / "summary.json")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["format"] == 3
    assert set(summary) == {
        "format", "final", "parts", "warnings", "checks", "tables", "models", "artifacts", "selections", "search",
        "export", "class_kinds", "curves", "settings", "data", "nodes", "nodes_seconds",
    }  # fmt: skip
    assert set(summary["tables"]) == {"averaging", "quantization", "distillation", "ensemble", "ensemble_families"}
    assert set(summary["final"]) == {
        "gap", "gap_name", "part", "videos", "gap_low", "gap_high", "gap_error", "gain_error", "beats_baseline",
        "unseen", "measured_on", "map",
        "hit_at_1", "perr", "accuracy", "balanced_accuracy", "gap_select", "test_gap", "test_gap_low", "test_gap_high",
        "test_videos", "size_bytes", "budget_bytes", "budget_share", "members", "baseline_gap",
        "best_model", "best_model_gap", "best_member_error",
    }  # fmt: skip


def test_the_pipelines_backend_accepts_the_metrics(records, tmp_path):
    result = report(records=records, students={}, page=tmp_path / "report.html", summary=tmp_path / "summary.json")
    assert {type(value) for value in result.metrics.values()} == {float}


def test_the_same_records_give_the_same_files(records, tmp_path):
    for name in ("first", "second"):
        report(records=records, students={}, page=tmp_path / f"{name}.html", summary=tmp_path / f"{name}.json")
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()


def test_the_metrics_are_one_row_that_people_compare(tmp_path):
    figures = {"bytes": 4000.0, "budget_bytes": 9000.0, "gap": 0.71, "baseline_gap": 0.2, "load_seconds": 2.0}
    members = [{"name": "vlad-2", "weight": 0.8}, {"name": "b", "weight": 0.2}, {"name": "c", "weight": 0.0}]
    records = [
        NodeRecord(node="train-vlad-2", stage="train", metrics={"gap": 0.6, "loss": 3.0}, name="vlad-2"),
        NodeRecord(node="quantize-vlad-2", stage="quantize", metrics={"gap": 0.595, "bytes_after": 3.0}, name="vlad-2"),
        NodeRecord(node="search-weights", stage="search_weights", details={"members": members}),
        NodeRecord(node="export", stage="export", metrics=figures),
    ]
    result = report(records=records, students={}, page=tmp_path / "page", summary=tmp_path / "summary")
    assert result.metrics == {
        "gap": 0.71,
        "size_bytes": 4000.0,
        "members": 2.0,
        "baseline_gap": 0.2,
        "gap_vlad-2": 0.6,
        "warnings": 0.0,
    }


def test_students_are_told_by_the_report_and_not_by_records(records, tmp_path):
    students = {"dbof1": {"learn_from": "netvlad", "baseline": ""}}
    report(records=records, students=students, page=tmp_path / "page", summary=tmp_path / "summary")
    summary = json.loads((tmp_path / "summary").read_text())
    assert [model["role"] for model in summary["models"]] == ["student"]
    assert [row["learn_from"] for row in summary["tables"]["distillation"]] == ["netvlad"]


def test_importing_the_stage_loads_no_plots_and_no_training():
    assert not {"matplotlib", "tensorflow", "keras"} & modules_after("import yt8m.stages.report")
