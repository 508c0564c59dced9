"""Baseline of every model: each class is predicted by its frequency among the training videos."""

import numpy as np
import numpy.typing as npt

from yt8m.bootstrap import INTERVAL, resample_gaps, standard_error
from yt8m.data.partition import Partition
from yt8m.metrics import GAP_TOP_K, gap_of_keys, label_hits, pack_keys
from yt8m.predictions import Predictions
from yt8m.top_classes import top_classes

# Relative noise that orders equal predictions.
_TIE_NOISE = np.float32(0.01)
# Number of random orders over which GAP is averaged.
_ORDERS = 10


def baseline_keys(
    partition: Partition, found: Predictions, top_k: int = GAP_TOP_K, order: int = 0
) -> npt.NDArray[np.uint32]:
    """Predict each class by its frequency among the training videos, for every video.

    All videos have the same predictions, and GAP depends on the order of equal ones. If misses came first, a model that
    knows nothing but the frequencies would be better by any noise at all. So equal predictions get a random order.

    Args:
        partition: Partition with the number of training videos per class.
        found: Any predictions of `N` videos. Only their labels are used.
        top_k: Number of predictions per video that count in GAP.
        order: Seed of the order of equal predictions.

    Returns:
        Keys of the top `k` predictions, uint32 `(N, k)`; see `yt8m.metrics.pack_keys`.
    """
    frequencies = np.array([partition.class_counts], np.float32) / max(partition.num_training_videos, 1)
    classes, scores = top_classes(frequencies, min(top_k, frequencies.shape[1]))
    shape = (found.num_videos, classes.shape[1])
    hits = label_hits(np.broadcast_to(classes, shape), found.label_ptr, found.labels)
    # Small enough to exchange only classes of nearly equal frequency.
    noise = 1 - _TIE_NOISE * np.random.default_rng(order).random(shape, np.float32)
    return pack_keys(scores * noise, hits)


def compare_with_baseline(
    keys: npt.NDArray[np.uint32], partition: Partition, found: Predictions, top_k: int
) -> dict[str, float]:
    """Compare a model's top predictions with the baseline, and estimate the errors of its GAP and of the gain.

    GAP of the baseline is the mean over random orders. The error of the gain is that of a single order, and so a little
    too large.

    Args:
        keys: Keys of the model's top predictions of `N` videos; see `yt8m.metrics.pack_keys`.
        partition: Partition with the number of training videos per class.
        found: Any predictions of these videos. Only their labels are used.
        top_k: Number of predictions per video that count in GAP.

    Returns:
        `baseline_gap`; `gap_low` and `gap_high`, the 95% interval of the model's GAP; `gap_error`, its standard error;
        and `gain_error`, the standard error of its GAP minus `baseline_gap`.
    """
    baselines = [baseline_keys(partition, found, top_k, order) for order in range(_ORDERS)]
    gaps = resample_gaps([keys, baselines[0]], np.diff(found.label_ptr))
    low, high = np.quantile(gaps[0], INTERVAL)
    return {
        "baseline_gap": float(np.mean([gap_of_keys(each, len(found.labels)) for each in baselines])),
        "gap_low": float(low),
        "gap_high": float(high),
        "gap_error": standard_error(gaps[0]),
        "gain_error": standard_error(gaps[0] - gaps[1]),
    }
