"""Settings that depend on the amount of data: the values that `auto` stands for, each with its reason.

Every value follows from the counts of the data and from what the recipe states, never from the machine or from what is
left to do. Steps and `yt8m plan` call the same functions, so that both have the same values.
"""

from collections.abc import Callable
from math import ceil, sqrt
from typing import Any

from yt8m.data.format import DataSpec
from yt8m.quantization.methods import THRESHOLD_ELEMENTS
from yt8m.records.settings import Setting, resolve_setting
from yt8m.training.auto.counts import DataCounts
from yt8m.training.config import ResolvedTraining, TrainingConfig
from yt8m.training.steps import Steps
from yt8m.words import count

# Videos per step: so many times the root of the training videos, a multiple of the second number, at most the third.
# Then a budget of steps gives fewer epochs to more videos. `benchmarks/auto_settings.py` measures these numbers.
BATCH_FACTOR, BATCH_UNIT, MOST_BATCH = 0.57, 8, 256
# Fewest videos of a step, if there are as many.
LEAST_BATCH = 2
# Fewest steps of an epoch, unless there are fewer videos than that.
LEAST_STEPS_PER_EPOCH = 4
# Steps that a training needs, and the bounds of the epochs that give them.
STEPS_BUDGET, LEAST_EPOCHS, MOST_EPOCHS = 500, 8, 30
# Learning rate of short trainings and of the paper's, and the steps from which it falls with their root.
SHORT_RATE, LEAST_RATE, SHORT_STEPS = 0.01, 2e-4, 1500
# Training videos per class above which the rate of short trainings is in proportion to them, and the largest factor.
CLASS_VIDEOS, MOST_FACTOR = 100, 2.0
# Divisor of the rate of models that start from trained ones: that of averaging in the paper, which trains on, too.
WARM_DIVISOR = 5
# Steps in which the learning rate rises, and the part of all steps that these are at most.
WARMUP_STEPS, WARMUP_PART = 20, 10
# Number of times that the learning rate decays, as in the paper.
DECAYS = 11
# Largest training set that is kept in memory: a quarter of what the examples of cluster files give a training.
MEMORY_BYTES = 1_000_000_000
# Steps over which weights are averaged: at least these, at most the paper's.
LEAST_AVERAGED, MOST_AVERAGED = 5, 2000
# Variables that stay floats: so many times as large as a vector of the data's features or classes, at least these, and
# at most the paper's, which its number of classes gives, too.
VECTORS, LEAST_THRESHOLD = 5, 1000
# Number of teachers of a family, as in the paper.
TEACHERS = 3


def resolve_training(
    config: TrainingConfig, counts: DataCounts, *, is_warm: bool = False
) -> tuple[ResolvedTraining, dict[str, Setting]]:
    """Replace every `auto` of a training by a value for the data, in this order: a value may follow from earlier ones.

    Args:
        config: The training as the recipe has it.
        counts: Counts of the data.
        is_warm: Whether the training starts with the weights of a trained model.

    Returns:
        The training with all values, and the settings that can be `auto`, by key.

    Raises:
        ConfigError: The batch size is stated, and larger than the number of training videos.
    """
    videos = counts.training_videos
    settings: dict[str, Setting] = {}

    def resolve(key: str, rule: Callable[[], tuple[Any, str]]) -> Any:
        settings[key] = resolve_setting(getattr(config, key), rule)
        return settings[key].value

    batch_size = resolve("batch_size", lambda: _batch_size(videos))
    per_epoch = Steps.of(videos, 1, batch_size).steps_per_epoch
    epochs = resolve("epochs", lambda: _epochs(videos, per_epoch))
    steps = Steps.of(videos, epochs, batch_size)
    resolve("learning_rate", lambda: _learning_rate(steps, videos / counts.classes, is_warm=is_warm))
    resolve("warmup_steps", lambda: _warmup_steps(steps))
    resolve("decay_examples", lambda: _decay_examples(steps))
    resolve("batch_norm_momentum", lambda: (None, "measured before predictions, so that no number of steps is too few"))
    resolve("initial_bias", lambda: ("class_frequencies", "the paper's zeros take thousands of steps to move"))
    resolve("memory_bytes", lambda: _memory_bytes(counts))
    values = {key: setting.value for key, setting in settings.items()}
    return ResolvedTraining(**config.model_dump(exclude=set(settings)), **values), settings


def resolve_averaged_steps(stated: int | str, steps_per_epoch: int) -> Setting:
    """Return the number of steps over which weights are averaged.

    Args:
        stated: The recipe's number, or `auto`.
        steps_per_epoch: Steps of an epoch of the further training.
    """
    chosen = min(max(steps_per_epoch // 2, LEAST_AVERAGED), MOST_AVERAGED)
    return resolve_setting(stated, lambda: (chosen, f"half an epoch of {count(steps_per_epoch, 'step')}"))


def resolve_threshold_elements(stated: int | str, spec: DataSpec) -> Setting:
    """Return the largest number of elements of a variable that stays float.

    Args:
        stated: The recipe's number, or `auto`.
        spec: Features and classes of the data.
    """
    largest = max(spec.num_features, spec.num_classes)
    chosen = min(max(VECTORS * largest, LEAST_THRESHOLD), THRESHOLD_ELEMENTS)
    vectors = f"{count(spec.num_features, 'feature')} or {count(spec.num_classes, 'class', 'classes')}"
    reason = f"vectors of {vectors} stay floats, matrices do not"
    return resolve_setting(stated, lambda: (chosen, reason))


def resolve_ensemble_size(stated: int | str, candidates: int) -> Setting:
    """Return the number of candidates that teach together.

    Args:
        stated: The recipe's number, or `auto`.
        candidates: Number of candidates of the family.
    """
    reason = "as in the paper" if candidates >= TEACHERS else f"the family has {count(candidates, 'candidate')}"
    return resolve_setting(stated, lambda: (max(min(TEACHERS, candidates), 1), reason))


def _batch_size(videos: int) -> tuple[int, str]:
    most = max(videos // LEAST_STEPS_PER_EPOCH, min(LEAST_BATCH, videos), 1)
    units = max(round(BATCH_FACTOR * sqrt(videos) / BATCH_UNIT), 1)
    chosen = min(units * BATCH_UNIT, MOST_BATCH, most)
    if most <= chosen:
        return chosen, f"the most that give {count(videos // chosen, 'step')} in a pass over {count(videos, 'video')}"
    if chosen == MOST_BATCH:
        return chosen, "the largest that `auto` chooses"
    return chosen, f"{BATCH_FACTOR} times the root of {count(videos, 'video')}, a multiple of {BATCH_UNIT}"


def _epochs(videos: int, steps_per_epoch: int) -> tuple[int, str]:
    chosen = min(max(ceil(STEPS_BUDGET / steps_per_epoch), LEAST_EPOCHS), MOST_EPOCHS)
    steps = count(chosen * steps_per_epoch, "step")
    return chosen, f"{steps}, {steps_per_epoch:,} in each pass over {count(videos, 'video')}"


def _learning_rate(steps: Steps, class_videos: float, *, is_warm: bool) -> tuple[float, str]:
    short = SHORT_STEPS / max(steps.total, SHORT_STEPS)
    rate = SHORT_RATE * sqrt(short)
    # Of few videos per class, larger steps overfit. In long trainings, there is less need of them.
    bold = SHORT_RATE * short**0.75 * min(class_videos / CLASS_VIDEOS, MOST_FACTOR)
    chosen = float(f"{max(rate, bold, LEAST_RATE):.2g}")
    if is_warm:
        return chosen / WARM_DIVISOR, f"a fifth of {chosen:g}, that of a new model, as the weights are trained already"
    about = f"of {count(steps.total, 'step')}"
    if steps.total <= SHORT_STEPS:
        about = f"of at most {SHORT_STEPS:,} steps"
    if bold > rate:
        about += f" with {class_videos:,.0f} videos per class"
    return chosen, f"that of trainings {about}; the paper has 0.0002 for half a million"


def _warmup_steps(steps: Steps) -> tuple[int, str]:
    chosen = min(WARMUP_STEPS, steps.total // WARMUP_PART)
    if chosen < WARMUP_STEPS:
        return chosen, f"a tenth of {count(steps.total, 'step')}"
    return chosen, "enough for Adam to know how large gradients are"


def _decay_examples(steps: Steps) -> tuple[int, str]:
    # The last stair ends with the training, which is no decay.
    return ceil(steps.videos / (DECAYS + 1)), f"{DECAYS} decays in {count(steps.videos, 'video')}, as in the paper"


def _memory_bytes(counts: DataCounts) -> tuple[int, str]:
    # A byte of each frame's value and of each label, and four of each soft target.
    size = counts.training_videos * (counts.max_frames * counts.num_features + counts.classes)
    with_soft_targets = size + 4 * counts.training_videos * counts.classes
    place = "are kept in memory"
    if size > MEMORY_BYTES:
        place = "are read from their shards in every epoch"
    elif with_soft_targets > MEMORY_BYTES:
        place += f", but not together with soft targets, {with_soft_targets:,} bytes"
    return MEMORY_BYTES, f"the videos take {size:,} bytes and {place}"
