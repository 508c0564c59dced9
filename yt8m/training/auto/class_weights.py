"""Weights of classes in the loss: given ones, or the inverse of the classes' numbers of training videos."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from yt8m.data.partition import Partition
from yt8m.errors import ConfigError

# Limits of automatic weights: without them, a class with a single video would decide the training.
SMALLEST, LARGEST = 0.1, 10.0


def class_weights(
    config: Mapping[int, float] | Literal["balanced"] | None, partition: Partition
) -> npt.NDArray[np.float32] | None:
    """Compute the factor of each class's loss.

    Args:
        config: Weights by number of the class; `balanced`; or None for none.
        partition: Partition with the number of training videos per class.

    Returns:
        Weights, float32 `(C,)`. Balanced ones are `labels / (classes * videos)` as in scikit-learn, where `labels`
        counts all labels of training videos, `classes` the classes that have some, and `videos` those of the class. The
        mean over all labels is 1 unless weights are limited. Classes without training videos have the weight 1. None if
        all classes are weighted equally.

    Raises:
        ConfigError: There is no class of a given number.
    """
    if config is None:
        return None
    counts = np.array(partition.class_counts, np.float64)
    weights = np.ones(len(counts), np.float32)
    if config == "balanced":
        seen = counts > 0
        weights[seen] = np.clip(counts.sum() / (seen.sum() * counts[seen]), SMALLEST, LARGEST)
        return weights
    if absent := [number for number in config if number >= len(counts)]:
        raise ConfigError(
            f"training.class_weights: no class {absent[0]}; the classes of the data are 0 to {len(counts) - 1}. Give "
            "numbers of classes."
        )
    for number, weight in config.items():
        weights[number] = weight
    return weights
