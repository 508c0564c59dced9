"""Rules about the ensemble, and about the videos on which it was measured."""

from typing import Any

import pytest

from tests.support.warned import rules_of, warned


def searched(sizes: dict[str, float], budget: float = 10_000.0, **weights: float) -> dict[str, Any]:
    members = [{"name": name, "weight": weight, "size_bytes": sizes[name]} for name, weight in weights.items()]
    return {
        "node": "search-weights",
        "stage": "search_weights",
        "metrics": {"budget_bytes": budget},
        "details": {
            "members": members,
            "room": {"limit_bytes": int(budget / 1.01), "graph_bytes": 100, "budget_for_all": 9999},
        },
    }


SIZES: dict[str, float] = {"a": 2000, "b": 3000, "c": 4000}


@pytest.mark.parametrize("weights", [{"a": 1.0, "b": 0.0, "c": 0.0}, {"a": 0.97, "b": 0.03, "c": 0.0}])
def test_one_member_of_several_is_told(weights) -> None:
    (warning,) = warned(searched(SIZES, **weights))
    assert (warning.rule, warning.node) == (5, "search-weights")
    assert "a alone" in warning.text
    assert "of 3 members in the recipe" in warning.text
    assert "b, c" in warning.text
    assert "add nothing" in warning.cause
    assert "`ensemble.members`" in warning.setting


def test_a_budget_for_one_member_is_named_with_one_for_all() -> None:
    # With their graphs, two members take 2000 + 3000 + 2 * 100 bytes, and the limit is 5148.
    (warning,) = warned(searched(SIZES, budget=5200.0, a=0.0, b=1.0, c=0.0))
    assert "budget of 5,200 bytes has no room for two" in warning.cause
    assert "`ensemble.search.budget_bytes: 9999`" in warning.setting
    (warning,) = warned(searched(SIZES, budget=5300.0, a=0.0, b=1.0, c=0.0))
    assert "add nothing" in warning.cause


@pytest.mark.parametrize("weights", [{"a": 0.6, "b": 0.4, "c": 0.0}, {"a": 1.0}])
def test_several_members_and_a_recipe_of_one_are_no_warning(weights) -> None:
    assert warned(searched(SIZES, **weights)) == []


def exported(**metrics: float) -> dict[str, Any]:
    figures = {"gap": 0.62, "baseline_gap": 0.24, "videos": 840.0, "select_videos": 840.0}
    figures |= {"gap_low": 0.6, "gap_high": 0.64, "gap_error": 0.01, "gain_error": 0.01}
    return {"node": "export", "stage": "export", "metrics": figures | metrics, "details": {"part": "report"}}


@pytest.mark.parametrize(
    ("test", "low", "high", "told"),
    [
        (0.5, 0.48, 0.52, True),
        (0.61, 0.6, 0.62, False),
        (0.57, 0.5, 0.64, False),  # on few test videos
        (0.7, 0.68, 0.72, False),
    ],
)
def test_test_videos_far_below_the_report_are_told(test, low, high, told) -> None:
    record = exported(test_gap=test, test_gap_low=low, test_gap_high=high, test_videos=500.0)
    found = warned(record)
    assert [warning.rule for warning in found] == [11] * told
    for warning in found:
        assert "GAP 0.500 on 500 test videos, but 0.620 on 840 report videos" in warning.text


def test_a_wide_interval_is_told_with_the_number_of_videos_for_a_narrow_one() -> None:
    (warning,) = warned(exported(gap_low=0.5, gap_high=0.7, videos=100.0))
    assert warning.rule == 12
    assert "GAP on 100 report videos is known only to lie between 0.500 and 0.700" in warning.text
    assert warning.setting == "`data.holdout_shards`, to as many shards as have about 400 videos in this part"


@pytest.mark.parametrize(
    ("existing", "setting"),
    [
        (12.0, "`data.holdout_shards: 12`, as many shards as have about 400 videos in this part"),
        (11.0, "`data.holdout_shards: 11`, all that exist; about 400 videos in this part need more"),
        (3.0, "the number of validation videos: all 3 shards are held out, and this part needs about 400 videos"),
    ],
)
def test_no_more_hold_out_shards_are_wanted_than_exist(existing: float, setting: str) -> None:
    prepare = {
        "node": "prepare",
        "stage": "prepare",
        "metrics": {"holdout_shards": 3.0, "validation_shards": existing},
    }
    (warning,) = warned(prepare, exported(gap_low=0.5, gap_high=0.7, videos=100.0))
    assert warning.setting == setting


def test_few_report_videos_are_told_although_their_interval_is_narrow() -> None:
    (warning,) = warned(exported(gap_low=1.0, gap_high=1.0, videos=1.0))
    assert (warning.rule, warning.text) == (12, "All figures were computed on 1 report video alone.")
    assert warning.setting == "`data.holdout_shards`, to as many shards as have about 100 videos in this part"


def test_few_select_videos_are_told() -> None:
    (warning,) = warned(exported(select_videos=50.0))
    assert warning.rule == 12
    assert "on 50 select videos" in warning.text
    (warning,) = warned(exported(select_videos=50.0, videos=50.0) | {"details": {"part": "hold-out"}})
    assert "on 50 hold-out videos" in warning.text


def test_the_figures_of_the_demo_are_no_warning() -> None:
    assert rules_of(exported(), searched(SIZES, a=0.4, b=0.3, c=0.3)) == []
