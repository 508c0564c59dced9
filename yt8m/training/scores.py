"""A model's metrics on the hold-out videos."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from yt8m.data.partition import Partition
from yt8m.data.reading import data_errors, read_videos
from yt8m.errors import DataError
from yt8m.losses import LOG_EPSILON
from yt8m.metrics import StreamingMetrics
from yt8m.progress import progress
from yt8m.training.inference import PredictedBatch, Predictor, keras_predictor, predict_batches


@dataclass
class HoldoutScores:
    """Metrics and mean loss over hold-out videos.

    Attributes:
        metrics: Of the videos so far.
        summed_loss: Cross entropy summed over videos and classes.
    """

    metrics: StreamingMetrics
    summed_loss: float = 0.0

    def update(self, batch: PredictedBatch) -> None:
        """Add a batch."""
        self.metrics.update(batch.probabilities, batch.labels)
        self.summed_loss += summed_crossentropy(batch)

    def result(self) -> dict[str, float]:
        """`gap`, `map`, `hit_at_1`, `perr`, `loss` and `videos`."""
        found = self.metrics.result()
        return {**found, "loss": self.summed_loss / max(found["videos"], 1.0)}


def summed_crossentropy(batch: PredictedBatch) -> float:
    """Cross entropy of a batch summed over videos and classes: `yt8m.losses` without Keras' tensors.

    Where there is no label it is -log(1 - p + eps) for every class, so labels only need the difference.
    """
    p = batch.probabilities
    negative = np.log(1 - p + np.float32(LOG_EPSILON))
    positive = batch.labels != 0
    return float(-negative.sum(dtype=np.float64) - (np.log(p[positive] + LOG_EPSILON) - negative[positive]).sum())


def predict_holdout(predictor: Predictor, partition: Partition, batch_size: int, what: str) -> Iterator[PredictedBatch]:
    """Predict a partition's hold-out videos, showing progress.

    Args:
        predictor: The model.
        partition: Names the shards.
        batch_size: Videos predicted at a time.
        what: What the progress display says.

    Yields:
        The videos in the shards' order.

    Raises:
        DataError: A shard cannot be read, or the videos are not those of the partition.
        StorageError: A shard cannot be opened.
    """
    videos = read_videos(
        partition.holdout_uris,
        partition.spec,
        batch_size=batch_size,
        on_bad=partition.on_bad,
        checksums=partition.checksums,
    )
    promised, found = partition.num_holdout_videos, 0
    with data_errors(), progress(what, promised) as advance:
        for batch in predict_batches(predictor, videos, batch_size):
            yield batch
            advance(len(batch.ids))
            found += len(batch.ids)
    if found != promised:
        raise DataError(f"hold-out shards: {found} videos, but the partition promises {promised}. Run prepare again.")


def holdout_gap(network: Any, partition: Partition, batch_size: int, what: str) -> float:
    """GAP@20 of a Keras model on a partition's hold-out videos; arguments as of `predict_holdout`."""
    scores = HoldoutScores(StreamingMetrics(partition.spec.num_classes))
    for batch in predict_holdout(keras_predictor(network), partition, batch_size, what):
        scores.update(batch)
    return scores.result()["gap"]
