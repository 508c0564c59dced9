"""Automatic settings over all sizes of data, with values worked out by hand."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError
from yt8m.training.auto.counts import DataCounts
from yt8m.training.auto.rules import (
    LEAST_RATE,
    MOST_FACTOR,
    SHORT_RATE,
    resolve_averaged_steps,
    resolve_ensemble_size,
    resolve_threshold_elements,
    resolve_training,
)
from yt8m.training.config import ResolvedTraining, TrainingConfig

AUTO = TrainingConfig()
# From two videos to ten million, a quarter more each time.
SIZES = sorted({2, 3, 20, *(int(2 * 1.25**power) for power in range(70)), 10_000_000})


def counts(videos: int, classes: int = 50) -> DataCounts:
    return DataCounts(training_videos=videos, classes=classes, num_features=128, max_frames=10)


def resolved(videos: int, config: TrainingConfig = AUTO) -> ResolvedTraining:
    return resolve_training(config, counts(videos))[0]


def steps(training: ResolvedTraining, videos: int) -> int:
    return training.epochs * (videos // training.batch_size)


@given(st.integers(2, 10_000_000))
def test_values_suit_any_number_of_videos(videos: int) -> None:
    training, settings = resolve_training(AUTO, counts(videos))
    assert 1 <= training.batch_size <= min(videos, 256)
    assert LEAST_RATE <= training.learning_rate <= SHORT_RATE * MOST_FACTOR
    examples = steps(training, videos) * training.batch_size
    decays = math.ceil(examples / training.decay_examples) - 1  # the last stair ends with the training
    assert 0 <= training.warmup_steps <= min(20, steps(training, videos) / 10)
    assert 1 <= decays <= 11
    assert decays == 11 or examples < 12 * 12
    assert training.batch_norm_momentum is None
    assert training.initial_bias == "class_frequencies"
    assert all(setting.automatic and setting.reason for setting in settings.values())
    assert {key: getattr(training, key) for key in settings} == {key: each.value for key, each in settings.items()}


def test_more_videos_never_get_smaller_batches_more_epochs_or_a_higher_rate() -> None:
    # So many classes that the videos of each do not raise the rate.
    found = [resolve_training(AUTO, counts(videos, 100_000))[0] for videos in SIZES]
    for one, other in pairwise(found):
        assert one.batch_size <= other.batch_size
        assert one.learning_rate >= other.learning_rate * 0.7  # steps fall where batches grow
    assert found[0].learning_rate > found[-1].learning_rate
    assert found[0].epochs >= found[-1].epochs


@pytest.mark.parametrize(
    ("classes", "rate"),
    # 8 epochs of 272 steps, 2,176: 0.01 x (1500 / 2176) ** 0.5, or with more than 100 videos per class up to 2 x 0.01 x
    # (1500 / 2176) ** 0.75.
    [(2000, 0.0083), (240, 0.0083), (200, 0.0091), (120, 0.015), (10, 0.015)],
)
def test_many_videos_per_class_get_a_higher_rate(classes: int, rate: float) -> None:
    assert resolve_training(AUTO, counts(24_000, classes))[0].learning_rate == rate


def test_a_model_that_starts_from_a_trained_one_has_a_fifth_of_the_rate() -> None:
    training, settings = resolve_training(AUTO, counts(8000, 400), is_warm=True)
    assert training.learning_rate == pytest.approx(0.01 / 5)
    assert "a fifth of 0.01" in settings["learning_rate"].reason
    stated = resolve_training(TrainingConfig(learning_rate=0.0123), counts(8000, 400), is_warm=True)[0]
    assert stated.learning_rate == 0.0123


def test_a_long_training_has_the_same_rate_for_any_number_of_classes() -> None:
    few, many = (resolve_training(AUTO, counts(4_800_000, classes))[0].learning_rate for classes in (2, 100_000))
    assert few == many == 0.001


def test_values_follow_from_the_counts_alone() -> None:
    config = TrainingConfig(seed=3, precision="mixed_bfloat16", checkpoint_every_steps=2)
    one, other = resolve_training(config, counts(777)), resolve_training(AUTO, counts(777))
    assert one[1] == other[1] == resolve_training(AUTO, counts(777))[1]
    assert (one[0].seed, one[0].precision) == (3, "mixed_bfloat16")


def test_stated_values_stay_and_later_ones_follow_from_them() -> None:
    stated = TrainingConfig(batch_size=10, epochs=3, batch_norm_momentum=0.9, initial_bias="zero", memory_bytes=7)
    training, settings = resolve_training(stated, counts(1000))
    assert (training.batch_size, training.epochs, training.batch_norm_momentum) == (10, 3, 0.9)
    assert (training.initial_bias, training.memory_bytes) == ("zero", 7)
    chosen = {key for key, each in settings.items() if each.automatic}
    assert chosen == {"learning_rate", "warmup_steps", "decay_examples"}
    assert {each.reason for each in settings.values() if not each.automatic} == {"stated in the recipe"}
    assert training.decay_examples == 250  # 3 x 1,000 videos in 12 stairs


def test_a_stated_batch_larger_than_the_training_set_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training\.batch_size: 21, but there are only 20 training videos"):
        resolved(20, TrainingConfig(batch_size=21))


@pytest.mark.parametrize(
    ("steps_per_epoch", "averaged"), [(1, 5), (10, 5), (11, 5), (12, 6), (400, 200), (4001, 2000), (60_000, 2000)]
)
def test_weights_are_averaged_over_half_an_epoch_within_bounds(steps_per_epoch: int, averaged: int) -> None:
    assert resolve_averaged_steps("auto", steps_per_epoch).value == averaged
    assert resolve_averaged_steps(33, steps_per_epoch).value == 33


@pytest.mark.parametrize(
    ("features", "classes", "threshold"),
    [(8, 3, 1000), (128, 10, 1000), (512, 37, 2560), (1152, 3862, 17_000), (10, 1000, 5000)],
)
def test_vectors_stay_floats(features: int, classes: int, threshold: int) -> None:
    spec = DataSpec(features={"x": features}, num_classes=classes, max_frames=1)
    assert resolve_threshold_elements("auto", spec).value == threshold
    assert resolve_threshold_elements(0, spec).value == 0


@pytest.mark.parametrize(
    ("features", "classes", "vectors"),
    [
        (16, 1, "16 features or 1 class"),
        (1, 2, "1 feature or 2 classes"),
        (1152, 3862, "1,152 features or 3,862 classes"),
    ],
)
def test_the_reason_of_the_threshold_has_nouns_of_one_and_of_several(features: int, classes: int, vectors: str) -> None:
    spec = DataSpec(features={"x": features}, num_classes=classes, max_frames=1)
    reason = resolve_threshold_elements("auto", spec).reason
    assert reason == f"vectors of {vectors} stay floats, matrices do not"


@pytest.mark.parametrize(("candidates", "teachers"), [(1, 1), (2, 2), (3, 3), (16, 3)])
def test_three_candidates_teach_if_there_are_as_many(candidates: int, teachers: int) -> None:
    assert resolve_ensemble_size("auto", candidates).value == teachers


@pytest.mark.parametrize(
    ("videos", "reason"),
    [
        (18, "the most that give 4 steps in a pass over 18 videos"),
        (8000, "0.57 times the root of 8,000 videos, a multiple of 8"),
        (1_000_000, "the largest that `auto` chooses"),
    ],
)
def test_the_reason_of_a_batch_is_what_limits_it(videos: int, reason: str) -> None:
    assert resolve_training(AUTO, counts(videos))[1]["batch_size"].reason == reason


def test_the_reason_of_a_rate_names_its_number_of_steps_only_where_it_depends_on_it() -> None:
    short, long = (resolve_training(AUTO, counts(videos, 10_000))[1]["learning_rate"].reason for videos in (20, 24_000))
    assert short == "that of trainings of at most 1,500 steps; the paper has 0.0002 for half a million"
    assert long == "that of trainings of 2,176 steps; the paper has 0.0002 for half a million"


@pytest.mark.parametrize(
    ("videos", "reason"),
    # Per video 1,280 bytes of frames, and a byte of each of 2,000 classes; 4 more with soft targets.
    [
        (88_000, "288,640,000 bytes and are kept in memory"),
        (100_000, "328,000,000 bytes and are kept in memory, but not together with soft targets, 1,128,000,000 bytes"),
        (400_000, "1,312,000,000 bytes and are read from their shards in every epoch"),
    ],
)
def test_the_reason_of_the_memory_says_where_videos_are(videos: int, reason: str) -> None:
    setting = resolve_training(AUTO, counts(videos, 2000))[1]["memory_bytes"]
    assert (setting.value, setting.reason) == (1_000_000_000, f"the videos take {reason}")
