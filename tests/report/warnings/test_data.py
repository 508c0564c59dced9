"""Rules about the data."""

from typing import Any

import pytest

from tests.support.warned import rules_of, warned


def prepared(details: dict[str, Any] | None = None, **metrics: float) -> dict[str, Any]:
    figures = {"training_videos": 900.0, "holdout_videos": 200.0, "classes_without_training_video": 0.0}
    figures |= {"holdout_videos_in_training": 0.0, "holdout_classes_without_training_video": 0.0}
    return {
        "node": "prepare",
        "stage": "prepare",
        "config": {"spec": {"num_classes": 72}},
        "metrics": figures | metrics,
        "details": details or {},
    }


def test_sound_data_are_no_warning() -> None:
    assert warned(prepared()) == []


def test_classes_without_training_examples_are_told_by_name() -> None:
    listed = {"classes_without_training_video": "3 (guitar), 9 (piano)"}
    (warning,) = warned(
        prepared(listed, classes_without_training_video=2.0, holdout_classes_without_training_video=1.0)
    )
    assert (warning.rule, warning.node) == (6, "prepare")
    assert warning.text == (
        "2 of 72 classes have no training video: 3 (guitar), 9 (piano). 1 of them has hold-out videos."
    )
    (warning,) = warned(prepared(classes_without_training_video=1.0))
    assert warning.text == "1 of 72 classes has no training video."


def test_holdout_videos_that_are_training_videos_are_told() -> None:
    (warning,) = warned(prepared(holdout_videos_in_training=4.0))
    assert warning.rule == 7
    assert warning.text == "4 of 200 hold-out videos are training videos, too."
    example = {"shared_videos": "4 of 200 hold-out videos are training videos, too, for instance 'x' in v0 and t1."}
    assert warned(prepared(example, holdout_videos_in_training=4.0))[0].text == example["shared_videos"]


@pytest.mark.parametrize(
    ("used", "told"), [(3.0, ["3 of 50 test videos have the id of a training or hold-out video."]), (0.0, [])]
)
def test_test_videos_that_the_run_has_used_are_told(used, told) -> None:
    metrics = {"test_videos": 50.0, "test_videos_in_training": used}
    found = warned({"node": "export", "stage": "export", "metrics": metrics, "details": {}})
    assert [warning.text for warning in found if warning.rule == 7] == told


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ({"doubts": ["Only 10 of 900 training videos have a label (1.1%)."]}, "Only 10 of 900"),
        ({"damaged_shards": ["train0: damaged at byte 4096"]}, "1 damaged shard"),
    ],
)
def test_other_doubts_and_damage_are_told(details, told) -> None:
    (warning,) = warned(prepared(details))
    assert warning.rule == 13
    assert told in warning.text


def test_rules_come_in_their_order() -> None:
    doubtful = {"doubts": ["All hold-out videos have the same labels."]}
    assert rules_of(prepared(doubtful, classes_without_training_video=1.0, holdout_videos_in_training=1.0)) == [
        6,
        7,
        13,
    ]
