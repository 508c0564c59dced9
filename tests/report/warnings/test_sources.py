"""Rules that compare a model with label frequencies, with the model it was made of, and with the ensemble's members."""

from typing import Any

import pytest

from tests.support.warned import rules_of, warned
from yt8m.report.warnings.sources import beats_baseline


def record(stage: str, name: str = "dbof", **metrics: float) -> dict[str, Any]:
    figures = {"gap": 0.6, "baseline_gap": 0.24, "videos": 840.0, "gap_error": 0.008, "gain_error": 0.01}
    figures |= {"gap_select": 0.6, "baseline_gap_select": 0.24, "gain_error_select": 0.01, "select_videos": 830.0}
    return {
        "node": f"{stage}-{name}".removesuffix("-"),
        "stage": stage,
        "name": name,
        "metrics": figures | metrics,
        "details": {"part": "report"},
    }


@pytest.mark.parametrize("stage", ["train", "average", "export"])
@pytest.mark.parametrize(
    ("gap", "error", "worthless"),
    [
        (0.255, 0.01, True),
        (0.265, 0.01, False),
        (0.23, 0.01, True),
        (0.24, 0.0, True),
        (0.4, 0.1, True),
        (0.58, 0.01, False),
    ],
)
def test_a_model_not_above_label_frequencies_by_two_standard_errors_is_worthless(stage, gap, error, worthless) -> None:
    name = "" if stage == "export" else "dbof"
    found = warned(record(stage, name, gap=gap, gain_error=error))
    assert [warning.rule for warning in found] == [2] * worthless
    for warning in found:
        assert "worthless" in warning.text
        assert f"GAP {gap:.3f} is not above that of label frequencies alone, 0.240, by 2 standard err" in warning.text
        assert "on 840 report videos" in warning.text
        assert ("The exported model" in warning.text) == (stage == "export")


@pytest.mark.parametrize(("select", "worthless"), [(0.265, False), (0.255, True)])
def test_a_gain_must_show_on_both_parts_of_the_hold_out(select, worthless) -> None:
    on_select = {"gap_select": select, "select_videos": 830.0, "baseline_gap_select": 0.24, "gain_error_select": 0.01}
    found = warned(record("train", gap=0.265, **on_select))
    assert [warning.rule for warning in found] == [2] * worthless
    assert ["on 830 select videos" in warning.text for warning in found] == [True] * worthless
    # The same videos are not compared twice.
    assert len(warned(record("train", gap=0.2, **on_select | {"gap_select": 0.2}))) == 1


@pytest.mark.parametrize(("gap", "worthless"), [(0.268, True), (0.272, False)])
def test_a_hold_out_that_is_not_divided_requires_three_standard_errors(gap, worthless) -> None:
    undivided = record("train", gap=gap) | {"details": {"part": "hold-out"}}
    for name in ("baseline_gap_select", "gain_error_select"):
        del undivided["metrics"][name]
    found = warned(undivided)
    assert [warning.rule for warning in found] == [2] * worthless
    assert ["by 3 standard errors (0.030), on 840 hold-out videos" in each.text for each in found] == [True] * worthless
    assert beats_baseline(undivided["metrics"]) is not worthless


def test_an_averaged_model_is_judged_by_its_final_weights() -> None:
    assert rules_of(record("train", gap=0.24), record("average", gap=0.5)) == []


def test_worthless_models_come_before_all_other_warnings() -> None:
    curve = [
        {"epoch": epoch, "step": epoch, "examples": 900 * epoch, "loss": loss, "gap": 0.2}
        for epoch, loss in ((1, 5.0), (2, 9.0))
    ]
    train = record("train", training_gap=0.9)
    train["details"]["curve"] = curve
    assert rules_of(train, record("export", "", gap=0.2, gain_error=0.02)) == [2, 1, 3]


@pytest.mark.parametrize(
    ("before", "after", "error", "told"),
    [(0.6, 0.55, 0.002, True), (0.6, 0.585, 0.002, False), (0.6, 0.61, 0.002, False), (0.6, 0.55, 0.03, False)],
)
def test_an_average_far_below_its_model_is_told(before, after, error, told) -> None:
    average = record("average", gap_before=before, gap_after=after, kept=1.0, gap=after, averaging_loss_error=error)
    found = warned(average)
    assert [warning.rule for warning in found] == [4] * told
    for warning in found:
        assert (
            f"GAP {before:.3f} before and {after:.3f} after it, on 840 report videos. The average was kept."
            in warning.text
        )
        assert warning.setting == "`average: if_better`"


def test_an_average_that_was_not_kept_is_told_with_another_setting() -> None:
    average = record("average", gap_before=0.6, gap_after=0.5, kept=0.0)
    average["config"] = {"learning_rate_divisor": 5.0, "policy": "if_better"}
    (warning,) = warned(average)
    assert "not kept" in warning.text
    assert warning.setting == "`averaging.learning_rate_divisor: 10`, or `average: never`"


def test_a_model_of_8_bits_that_is_far_below_keeps_floats() -> None:
    (warning,) = warned(record("train"), record("quantize", gap=0.57, bits=8.0))
    assert warning.setting.startswith("`quantization.threshold_elements`")


def test_a_quantized_model_far_below_the_float_model_is_told() -> None:
    quantized = record("quantize", gap=0.57, bits=3.25)
    (warning,) = warned(record("train"), quantized)
    assert (warning.rule, warning.node, warning.setting) == (4, "quantize-dbof", "`quantization.bits: 8`")
    assert "3.25 bits" in warning.cause
    assert warned(record("train"), record("quantize", gap=0.595)) == []
    assert warned(record("train"), record("quantize", gap=0.57, quantization_loss_error=0.016)) == []
    assert warned(quantized) == []  # its page alone does not know the float model


@pytest.mark.parametrize("gap_error", [0.008, 0.05])
def test_few_videos_do_not_hide_what_is_certain_on_the_same_videos(gap_error) -> None:
    errors = {"gap_error": gap_error, "quantization_loss_error": 0.0006}
    assert rules_of(record("train", gap=0.6), record("quantize", gap=0.555, **errors)) == [4]


def searched(error: float = 0.001, **members: tuple[float, float, float]) -> dict[str, Any]:
    """Make the record of a search, with weight, GAP on select and GAP on report of each member."""
    table = [
        {"name": name, "weight": weight, "gap_select": select, "gap": gap, "size_bytes": 1000}
        for name, (weight, select, gap) in members.items()
    ]
    metrics = {"best_member_error": error}
    return {"node": "search-weights", "stage": "search_weights", "metrics": metrics, "details": {"members": table}}


@pytest.mark.parametrize(("gap", "error", "told"), [(0.58, 0.001, True), (0.615, 0.001, False), (0.58, 0.021, False)])
def test_an_exported_model_far_below_its_best_member_is_told(gap, error, told) -> None:
    # Members may be of other runs, so that there is no record of them.
    search = searched(error, a=(0.5, 0.63, 0.62), b=(0.5, 0.5, 0.64), c=(0.0, 0.7, 0.7))
    found = warned(search, record("export", "", gap=gap, gap_error=0.05))
    assert [(warning.rule, warning.node) for warning in found] == [(10, "export")] * told
    for warning in found:
        assert "its best member a alone 0.620" in warning.text
        assert "`ensemble.members: [a]`" in warning.setting
