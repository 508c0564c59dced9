"""Running GAP@k of an epoch, cheap enough to compute at every training step."""

from typing import Any

import keras
from keras import ops

# Bins have equal width in the logit, which resolves scores near 0 and near 1 equally well.
LOGIT_LIMIT = 16.0
NUM_BINS = 2048


class StreamingGAP(keras.metrics.Metric):
    """Global average precision (equation 1 of the paper) over all videos since the last reset, from two histograms.

    The top `k` scores of every video are counted in `NUM_BINS` bins with a width of 1/64 in the logit, hits and misses
    separately. The order within a bin is unknown, so half of its misses count as ranked above its hits. With `p` hits
    and `n` misses in a bin and `N` predictions in the bins above, the error of a precision in the bin is at most
    `n / (N + n + 1)`. The error of the result is below `sum(p * (n / (N + n + 1)) + 1 / 48) / labels` over the bins
    with hits; 1/48 bounds the error of replacing the sum over a bin's hits by an integral. With a few thousand videos
    this affects the third decimal. Metrics of finished models come from `yt8m.metrics`, which is exact.

    Args:
        top_k: Number of predictions per video that count.
        name: Name of the metric.

    State:
        Three float32 variables with `2 * NUM_BINS + 1` elements in total, independent of the number of videos and
        classes.
    """

    def __init__(self, top_k: int = 20, name: str = "gap") -> None:
        super().__init__(name=name)
        self.top_k = top_k
        self.hits = self.add_variable((NUM_BINS,), "zeros", name="hits")
        self.misses = self.add_variable((NUM_BINS,), "zeros", name="misses")
        self.labels = self.add_variable((), "zeros", name="labels")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count the predictions of a batch.

        Args:
            y_true: Multi-hot labels `(B, C)`.
            y_pred: Probabilities `(B, C)`.
            sample_weight: Must be None. Part of Keras' interface.
        """
        assert sample_weight is None
        labels_BC = ops.cast(y_true, "float32")
        scores_Bk, classes_Bk = ops.top_k(ops.cast(y_pred, "float32"), min(self.top_k, y_pred.shape[-1]))
        hits_Bk = ops.take_along_axis(labels_BC, classes_Bk, axis=-1)
        bins = ops.reshape(_bins(scores_Bk), (-1,))
        hits = ops.reshape(hits_Bk, (-1,))
        self.hits.assign_add(ops.segment_sum(hits, bins, num_segments=NUM_BINS))
        self.misses.assign_add(ops.segment_sum(1 - hits, bins, num_segments=NUM_BINS))
        self.labels.assign_add(ops.sum(labels_BC))

    def result(self) -> Any:
        """Return the GAP, 0 if there were no labels."""
        # The highest bin comes first.
        hits, misses = ops.flip(self.hits.value), ops.flip(self.misses.value)
        hits_before = ops.cumsum(hits) - hits
        misses_before = ops.cumsum(misses) - misses / 2
        all_before = hits_before + misses_before
        # Sum over j = 1..p of the precision (A + j) / (M + j) = 1 - (M - A) / (M + j); M - A: misses before.
        precisions = hits - misses_before * ops.log1p(hits / (all_before + 0.5))
        return ops.sum(precisions) / ops.maximum(self.labels.value, 1.0)


def _bins(scores: Any) -> Any:
    """Compute the bin of every score. Bin 0 holds the lowest scores."""
    clipped = ops.clip(scores, 1e-7, 1 - 1e-7)
    logits = ops.log(clipped) - ops.log(1 - clipped)
    position = (logits + LOGIT_LIMIT) / (2 * LOGIT_LIMIT) * NUM_BINS
    return ops.clip(ops.cast(ops.floor(position), "int32"), 0, NUM_BINS - 1)
