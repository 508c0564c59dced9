"""GAP@k of the epoch so far, cheap enough to be shown beside the loss at every step."""

from typing import Any

import keras
from keras import ops

# Scores are counted by their logit, which tells 0.999 from 0.9999 and 0.001 from 0.0001 alike.
LOGIT_LIMIT = 16.0
NUM_BINS = 2048


class StreamingGAP(keras.metrics.Metric):
    """Global average precision (equation 1 of the paper) over all videos since the last reset, from a histogram.

    The `k` best scores of every video are counted in `NUM_BINS` bins of equal width in the logit (1/64), right and
    wrong ones apart. Inside a bin their order is unknown: half of the wrong ones count as better than the right ones.
    With `p` right and `n` wrong in a bin and `N` predictions in the bins above, no precision in the bin is off by more
    than `n / (N + n + 1)`, so the result is off by less than `sum(p * (n / (N + n + 1)) + 1 / 48) / labels` over the
    bins that have right ones (1/48: the sum over a bin's right ones is taken as an integral). With a few thousand
    videos that is in the third decimal. The metrics of a model come from `yt8m.metrics`, which is exact.

    Args:
        top_k: int. Predictions per video that count.
        name: str.

    State:
        Three float32 variables of `2 * NUM_BINS + 1` numbers together, whatever the number of videos and classes.
    """

    def __init__(self, top_k: int = 20, name: str = "gap") -> None:
        super().__init__(name=name)
        self.top_k = top_k
        self.right = self.add_variable((NUM_BINS,), "zeros", name="right")
        self.wrong = self.add_variable((NUM_BINS,), "zeros", name="wrong")
        self.labels = self.add_variable((), "zeros", name="labels")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count the predictions of a batch.

        Args:
            y_true: `(B, C)`, multi-hot labels.
            y_pred: `(B, C)`, probabilities.
            sample_weight: Part of Keras' interface; every video counts once.
        """
        assert sample_weight is None
        labels_BC = ops.cast(y_true, "float32")
        scores_Bk, classes_Bk = ops.top_k(ops.cast(y_pred, "float32"), min(self.top_k, y_pred.shape[-1]))
        right_Bk = ops.take_along_axis(labels_BC, classes_Bk, axis=-1)
        bins = ops.reshape(_bins(scores_Bk), (-1,))
        right = ops.reshape(right_Bk, (-1,))
        self.right.assign_add(ops.segment_sum(right, bins, num_segments=NUM_BINS))
        self.wrong.assign_add(ops.segment_sum(1 - right, bins, num_segments=NUM_BINS))
        self.labels.assign_add(ops.sum(labels_BC))

    def result(self) -> Any:
        """The GAP, 0 when there was no label."""
        # The best bin first.
        right, wrong = ops.flip(self.right.value), ops.flip(self.wrong.value)
        right_before = ops.cumsum(right) - right
        wrong_before = ops.cumsum(wrong) - wrong / 2
        all_before = right_before + wrong_before
        # Sum over j = 1..p of the precision (A + j) / (M + j) = 1 - (M - A) / (M + j); M - A: the wrong ones before.
        precisions = right - wrong_before * ops.log1p(right / (all_before + 0.5))
        return ops.sum(precisions) / ops.maximum(self.labels.value, 1.0)


def _bins(scores: Any) -> Any:
    """The bin of every score, bin 0 the lowest."""
    clipped = ops.clip(scores, 1e-7, 1 - 1e-7)
    logits = ops.log(clipped) - ops.log(1 - clipped)
    position = (logits + LOGIT_LIMIT) / (2 * LOGIT_LIMIT) * NUM_BINS
    return ops.clip(ops.cast(ops.floor(position), "int32"), 0, NUM_BINS - 1)
