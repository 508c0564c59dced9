"""The report reads the results of the real ensemble stages."""

import json
from itertools import pairwise

import pytest

from tests.support.offers import write_offers
from tests.support.predictions import members
from yt8m.predictions import Predictions
from yt8m.records.record import NodeRecord
from yt8m.report.page import render_page
from yt8m.report.summarize import build_summary
from yt8m.stages.search_weights import SearchWeightsConfig, search_weights
from yt8m.stages.select_teachers import SelectConfig, select_teachers

NAMES = ("dbof1", "dbof2", "dbof3", "dbof4")


@pytest.fixture
def predictions(tmp_path):
    paths = {name: tmp_path / f"{name}.predictions" for name in NAMES}
    for name, member in zip(NAMES, members(4, noise=1.5), strict=True):
        member.save(paths[name])
    return paths


def recorded(result, **identity):
    """Make a record of a stage's result, read back from JSON."""
    record = {**identity, "metrics": result.metrics, "details": result.details}
    return NodeRecord.parse_json(json.dumps(record), "record.json")


def test_a_real_search_is_reported(tmp_path, predictions):
    folders = {
        name: write_offers(tmp_path / name, {"8": (1000, Predictions.load(path))}) for name, path in predictions.items()
    }
    config = SearchWeightsConfig(trials=40, budget_bytes=3100, size_margin=0.01)
    output = tmp_path / "weights.json"
    result = search_weights(offers=folders, config=config, output=output)
    summary = build_summary([recorded(result, node="search-weights", stage="search_weights")])
    written = json.loads(output.read_text())
    assert {row.model: row.weight for row in summary.tables.ensemble} == written["members"]
    assert summary.final.gap == written["gap"]
    assert summary.final.gap_select == written["gap_select"]
    assert [row.method for row in summary.search.methods if row.chosen] == [written["method"]]
    assert set(summary.search.dropped) == set(NAMES) - set(written["members"])
    assert all(a.size_bytes < b.size_bytes for a, b in pairwise(summary.search.frontier))
    assert "Left out" in render_page(summary)


def test_a_real_selection_is_reported(tmp_path, predictions):
    result = select_teachers(predictions=predictions, config=SelectConfig(size=2), output=tmp_path / "selection.json")
    summary = build_summary([recorded(result, node="select-dbof", stage="select_teachers", family="dbof")])
    (selection,) = summary.selections
    assert len(selection.combinations) == 6
    assert selection.gap == selection.combinations[0].gap == result.metrics["gap"]
    assert selection.gap_select == max(row.gap_select for row in selection.combinations)
    assert selection.combinations[0].chosen
