"""Rules about trainings, each with figures that make it warn and figures of a healthy run that do not."""

from typing import Any

import pytest

from tests.support.warned import rules_of, warned

# Mean loss and GAP of each epoch, as the demo's models have them.
LOSSES = (7.3, 6.3, 5.9, 5.6)
GAPS = (0.45, 0.54, 0.57, 0.59)


def curve(losses=LOSSES, holdout=(), batch_size=100):
    """Make a curve with two points per epoch; hold-out figures stand at the ends of epochs."""
    points: list[dict[str, Any]] = []
    for epoch, (loss, gap) in enumerate(zip(losses, (*GAPS, *GAPS), strict=False), 1):
        points.append(
            {"epoch": epoch, "step": 20 * epoch - 10, "loss": 1.1 * loss, "gap": gap - 0.01, "holdout_gap": None}
        )
        at_end = holdout[epoch - 1] if holdout else None
        points.append({"epoch": epoch, "step": 20 * epoch, "loss": loss, "gap": gap, "holdout_gap": at_end})
    return [point | {"examples": point["step"] * batch_size} for point in points]


def first_epoch(*losses, batch_size=16):
    """Make a curve of one epoch with a point every five steps, after one at the first step."""
    steps = (1, *(5 * number for number in range(1, len(losses))))
    return [
        {"epoch": 1, "step": step, "examples": step * batch_size, "loss": loss}
        for step, loss in zip(steps, losses, strict=True)
    ]


def trained(details: dict[str, Any] | None = None, **metrics: float) -> dict[str, Any]:
    figures = {"gap": 0.58, "baseline_gap": 0.24, "videos": 840.0, "gap_error": 0.01, "gain_error": 0.01}
    return {
        "node": "train-dbof",
        "stage": "train",
        "name": "dbof",
        "family": "dbof",
        "config": {"model": {"architecture": "dbof", "num_clusters": 128}, "training": {"learning_rate": 0.006}},
        "metrics": figures | {"training_gap": 0.61, "steps": 906.0} | metrics,
        "details": {"part": "report", "curve": curve()} | (details or {}),
    }


@pytest.mark.parametrize(
    ("training", "holdout", "error"),
    [
        (0.81, 0.217, 0.01),  # 2,000 videos, with moving statistics that have not settled
        (0.898, 0.673, 0.002),  # DBoF on 37,600 real examples
        (0.999, 0.701, 0.05),  # the first run of the tutorial, on 48 videos
    ],
)
def test_a_training_far_above_the_holdout_is_told_with_both_figures(training, holdout, error) -> None:
    (warning,) = warned(trained(training_gap=training, gap=holdout, gap_error=error, baseline_gap=0.1))
    assert (warning.rule, warning.node) == (1, "train-dbof")
    assert f"{training:.3f} on the training videos" in warning.text
    assert f"{holdout:.3f} on 840 report videos" in warning.text
    assert "`num_clusters: 64` in the entry `model` of `dbof`" in warning.setting


@pytest.mark.parametrize(
    ("training", "holdout", "error"),
    [
        (0.706, 0.582, 0.01),  # NetFV of the demo
        (0.687, 0.579, 0.01),  # NetVLAD of the demo
        (0.66, 0.45, 0.05),  # the difference is within the noise of so few videos
    ],
)
def test_a_training_somewhat_above_the_holdout_is_normal(training, holdout, error) -> None:
    assert warned(trained(training_gap=training, gap=holdout, gap_error=error)) == []


def test_the_training_is_compared_at_the_epoch_that_was_kept() -> None:
    late = trained(training_gap=0.95, kept_epoch=4.0)  # epoch 4 had 0.59 in training
    assert warned(late) == []


def test_statistics_that_have_not_settled_are_named_as_the_cause() -> None:
    settings = {"batch_norm_momentum": {"value": 0.999, "reason": "stated", "automatic": False}}
    (warning,) = warned(trained({"settings": settings}, training_gap=0.81, gap=0.3, steps=250.0))
    assert "after 250 steps with momentum 0.999, 78% of them are initial values" in warning.cause
    assert "`training.batch_norm_momentum: auto`" in warning.setting


@pytest.mark.parametrize(
    ("momentum", "kept", "layers", "told"),
    [
        (0.99, 2.0, 5, True),  # after 46 steps, so that epoch 2 was kept by chance
        (0.99, 12.0, 5, False),  # after 276 steps, the 6% that are left do no harm to a good model
        (0.9, 2.0, 5, False),
        (None, 2.0, 5, False),  # measured before every prediction
        (0.99, 2.0, 0, False),
    ],
)
def test_an_epoch_that_was_kept_because_its_statistics_had_not_settled_is_told(momentum, kept, layers, told) -> None:
    gaps = (0.058, 0.121, 0.281, 0.401, 0.479, 0.554, 0.627, 0.689, 0.761, 0.822, 0.869, 0.908)
    points = [
        {"epoch": epoch, "step": 23 * epoch, "examples": 1472 * epoch, "loss": 18.0 - epoch, "gap": gap}
        for epoch, gap in enumerate(gaps, 1)
    ]
    details = {
        "curve": points,
        "batch_normalizations": layers,
        "settings": {"batch_norm_momentum": {"value": momentum}},
    }
    report = 0.104 if kept == 2 else 0.8
    found = warned(trained(details, gap=report, baseline_gap=0.05, kept_epoch=kept, epochs_done=12.0, steps=276.0))
    assert [warning.rule for warning in found] == [1] * told
    for warning in found:
        assert "GAP 0.908 on the training videos, during the training, but 0.104 on 840 report videos" in warning.text
        assert "after 46 steps with momentum 0.99, 63% of them are initial values" in warning.cause


def test_an_earlier_epoch_that_was_better_is_the_setting_to_change() -> None:
    record = trained({"curve": curve(holdout=(0.5, 0.6, 0.58, 0.57))}, training_gap=0.9)
    record["config"]["training"]["keep"] = "last"
    (warning,) = warned(record)
    assert warning.setting == "`training.keep: best`"


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (curve(losses=(7.3, 6.3, 9.1, 8.8)), "rose from 6.3 (epoch 2) to 9.1 (epoch 3)"),
        (first_epoch(9.0, 20.0, 40.0, batch_size=256), "from 9 (step 1) to 40 (epoch 1)"),
        # Initial biases, then a rate that is too high: the first points are single batches, so that a later one counts.
        (first_epoch(0.7, 0.7, 0.7, 0.9, 1.4, 2.2, 2.8), "from 0.9 (step 15) to 2.8 (epoch 1)"),
        (curve(losses=(3.0, 4.5)), "rose from 3 (epoch 1) to 4.5 (epoch 2)"),
        (curve(losses=(7.3, 2.0, 0.5, 1.3)), "rose from 0.5 (epoch 3) to 1.3 (epoch 4)"),
        (curve(holdout=(0.5, 0.58, 0.41, 0.42)), "GAP fell from 0.580 after epoch 2 to 0.410 after epoch 3"),
    ],
)
def test_an_epoch_that_diverged_is_told_with_a_lower_rate(points, told) -> None:
    (warning,) = warned(trained({"curve": points}))
    assert warning.rule == 3
    assert told in warning.text
    assert ("GAP" in told) == warning.text.endswith("on a sample of the select videos.")
    assert warning.setting == "`training.learning_rate: 0.002`"


@pytest.mark.parametrize(
    "points",
    [
        curve(),
        curve(losses=(7.3, 6.3, 7.0, 6.2)),
        curve(losses=(2.1, 0.3, 0.008, 0.053)),  # memorized
        curve(holdout=(0.5, 0.58, 0.5, 0.55)),
        first_epoch(0.26, 0.35, 0.4, 0.42, 0.42, 0.42),  # a warm start, whose first point is one batch
        first_epoch(0.78, 0.82, 1.03, 1.02, 0.96, 0.87, 0.81),  # DBoF on 800 videos, 80 of them in its first points
        curve(losses=(1.46, 1.19, 0.23, 0.57, 1.37), batch_size=1),  # an epoch of 20 videos
        [],
    ],
)
def test_epochs_that_vary_have_not_diverged(points) -> None:
    assert warned(trained({"curve": points})) == []


def test_few_select_videos_make_a_fall_less_certain() -> None:
    fell = {"curve": curve(holdout=(0.5, 0.58, 0.41, 0.42))}
    assert rules_of(trained(fell, videos=800.0, select_videos=800.0)) == [3]
    assert rules_of(trained(fell, videos=1600.0, select_videos=100.0)) == []


def test_the_gap_of_one_video_says_nothing_although_a_bootstrap_finds_no_error() -> None:
    fell = {"curve": curve(holdout=(0.9, 1.0, 0.5, 1.0))}
    assert 3 not in rules_of(trained(fell, videos=1.0, select_videos=1.0, gap_error=0.0))
    assert 3 in rules_of(trained(fell, videos=100.0, select_videos=100.0, gap_error=0.0))


def averaged(record: dict[str, Any], points: list[dict[str, Any]]) -> dict[str, Any]:
    """Make the record of an average that continues a training."""
    further = {"node": "average-dbof", "stage": "average", "config": {"learning_rate_divisor": 5.0}}
    return record | further | {"details": {"curve": points}}


def test_an_average_that_diverged_names_its_own_setting() -> None:
    record = trained()
    (warning,) = warned(record, averaged(record, curve(losses=(5.0, 7.0))))
    assert (warning.node, warning.setting) == ("average-dbof", "`averaging.learning_rate_divisor: 10`")


def test_an_average_is_compared_with_the_epoch_that_it_continues() -> None:
    record = trained({"curve": curve(holdout=(0.5, 0.6, 0.58, 0.57))}, kept_epoch=2.0)
    for later in (6.2, 7.0):  # below the kept epoch, or a tenth above it; the epochs after it do not count
        assert warned(record, averaged(record, first_epoch(4.0, 5.0, 5.2, 5.2, later, batch_size=100))) == []
    (warning,) = warned(record, averaged(record, first_epoch(6.5, 7.0, 8.0, batch_size=100)))
    assert warning.text == "The training loss rose from 6.3 (epoch 2 of the training) to 8 (epoch 1)."


def test_the_first_batch_of_an_average_is_no_reference() -> None:
    # Two classes, 800 training videos: GAP changed by 0.002.
    record = trained({"curve": curve(losses=(0.62, 0.51, 0.44))}, kept_epoch=3.0)
    assert warned(record, averaged(record, first_epoch(0.2565, 0.36, 0.41, 0.42, 0.4181))) == []


def test_an_average_of_a_model_that_has_memorized_its_videos_has_not_diverged() -> None:
    record = trained({"curve": curve(losses=(2.1, 0.3, 0.02, 0.009))})
    assert warned(record, averaged(record, curve(losses=(0.008, 0.053)))) == []
    (warning,) = warned(record, averaged(record, curve(losses=(0.008, 0.4))))
    assert warning.node == "average-dbof"


def test_a_training_that_still_gains_in_its_last_epoch_is_too_short() -> None:
    (warning,) = warned(trained({"curve": curve(holdout=(0.3, 0.4, 0.5, 0.55))}))
    assert (warning.rule, warning.setting) == (8, "`training.epochs: 8`")
    assert "0.500 after epoch 3 and 0.550 after epoch 4" in warning.text
    assert warned(trained({"curve": curve(holdout=(0.3, 0.4, 0.5, 0.515))})) == []


def test_a_first_epoch_that_is_the_best_of_several_is_told() -> None:
    points = curve(holdout=(0.58, 0.53, 0.52, 0.51))
    (warning,) = warned(trained({"curve": points}, kept_epoch=1.0, epochs_done=4.0))
    assert warning.rule == 9
    assert "0.580 on a sample of the select videos, then at most 0.530" in warning.text
    (warning,) = warned(trained({"curve": points, "part": "hold-out"}, kept_epoch=1.0, epochs_done=4.0))
    assert "0.580 on a sample of the hold-out videos, then at most 0.530" in warning.text
    assert warned(trained({"curve": points}, kept_epoch=1.0, epochs_done=2.0)) == []
    assert warned(trained({"curve": points}, kept_epoch=2.0, epochs_done=4.0)) == []


@pytest.mark.parametrize(
    ("gaps", "figures"),
    [
        ((1.0, 1.0, 1.0, 1.0), {}),  # easy data: the first of equal epochs is kept
        ((0.58, 0.5799, 0.56, 0.55), {}),
        ((0.58, 0.57, 0.53, 0.53), {}),
        ((0.58, 0.53, 0.52, 0.51), {"gap_error": 0.04}),
        ((0.58, 0.53, 0.52, 0.51), {"videos": 1680.0, "select_videos": 100.0}),
    ],
)
def test_a_first_epoch_that_is_hardly_the_best_is_no_warning(gaps, figures) -> None:
    assert 9 not in rules_of(trained({"curve": curve(holdout=gaps)}, kept_epoch=1.0, epochs_done=4.0, **figures))


@pytest.mark.parametrize(
    ("part", "named"), [("report", "a sample of the select videos"), ("hold-out", "a sample of the hold-out videos")]
)
def test_the_sample_is_named_by_the_part_that_it_belongs_to(part, named) -> None:
    curves = [curve(holdout=gaps) for gaps in ((0.5, 0.58, 0.3, 0.4), (0.3, 0.4, 0.5, 0.55), (0.6, 0.57, 0.56, 0.55))]
    records = [trained({"curve": points, "part": part}, kept_epoch=1.0, epochs_done=4.0) for points in curves]
    found = {warning.rule: warning.text for record in records for warning in warned(record)}
    assert {rule: named in text for rule, text in found.items()} == {3: True, 8: True, 9: True}
