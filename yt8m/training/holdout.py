"""Predictions and metrics of a model on the hold-out videos."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from yt8m.data.partition import Partition
from yt8m.data.reading import data_errors, read_videos
from yt8m.errors import DataError
from yt8m.losses import LOG_EPSILON
from yt8m.metrics import GAP_TOP_K, StreamingMetrics
from yt8m.models.inference import Predictor, keras_predictor, predict_videos
from yt8m.progress import progress


@dataclass(frozen=True)
class PredictedBatch:
    """Predictions of a batch of videos.

    Attributes:
        ids: Ids of the videos, bytes `(B,)`.
        labels: Multi-hot labels, uint8 `(B, C)`.
        probabilities: Predicted probabilities, float32 `(B, C)`.
        report: Whether each video belongs to the part *report* of the hold-out, bool `(B,)`.
    """

    ids: npt.NDArray[Any]
    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    report: npt.NDArray[np.bool_]

    def rows(self, mask: npt.NDArray[np.bool_]) -> Self:
        """Return the predictions of some of the videos."""
        return type(self)(self.ids[mask], self.labels[mask], self.probabilities[mask], self.report[mask])


@dataclass
class HoldoutScores:
    """Metrics and mean loss over hold-out videos.

    Attributes:
        metrics: Metrics of the videos so far.
        exclusive: Whether the probabilities of a video sum to 1, so that the loss is the categorical cross entropy.
        summed_loss: Cross entropy, summed over videos and classes.
    """

    metrics: StreamingMetrics
    exclusive: bool = False
    summed_loss: float = 0.0

    def update(self, batch: PredictedBatch) -> None:
        """Add the predictions of a batch."""
        self.metrics.update(batch.probabilities, batch.labels)
        self.summed_loss += summed_crossentropy(batch, exclusive=self.exclusive)

    def result(self) -> dict[str, float]:
        """Return `gap`, `map`, `hit_at_1`, `perr`, `loss` and `videos`."""
        found = self.metrics.result()
        return {**found, "loss": self.summed_loss / max(found["videos"], 1.0)}


def summed_crossentropy(batch: PredictedBatch, *, exclusive: bool = False) -> float:
    """Compute the cross entropy of a batch, summed over videos and classes, as `yt8m.losses` does but in NumPy.

    The loss is first computed as if there were no labels, -log(1 - p + eps), and then corrected at the labels.

    Args:
        batch: Predictions and labels.
        exclusive: Whether to compute the categorical cross entropy, in which only the labels count.
    """
    p = batch.probabilities
    positive = batch.labels != 0
    log_likelihood = np.log(p[positive] + LOG_EPSILON)
    if exclusive:
        return float(-log_likelihood.sum())
    negative = np.log(1 - p + np.float32(LOG_EPSILON))
    return float(-negative.sum(dtype=np.float64) - (log_likelihood - negative[positive]).sum())


class HoldoutGaps(NamedTuple):
    """GAP on the two parts of the hold-out, equal if it is not divided.

    Attributes:
        select: GAP on the videos that decide.
        report: GAP on the videos on which figures are reported.
        keys: Keys of the top predictions of those videos, uint32 `(N, k)`; see `yt8m.metrics.pack_keys`.
        label_counts: Numbers of labels of those videos, uint16 `(N,)`.
    """

    select: float
    report: float
    keys: npt.NDArray[np.uint32]
    label_counts: npt.NDArray[np.uint16]


class BothParts:
    """Metrics and mean loss on the two parts of the hold-out.

    Args:
        partition: Partition with the division of the hold-out.
        exclusive: Whether the probabilities of a video sum to 1.
        top_k: Number of predictions per video that count in GAP.
    """

    def __init__(self, partition: Partition, *, exclusive: bool = False, top_k: int = GAP_TOP_K) -> None:
        self._divided = partition.division.part == "report"
        self._select, self._report = (
            HoldoutScores(StreamingMetrics(partition.spec.num_classes, top_k), exclusive=exclusive) for _ in range(2)
        )

    def update(self, batch: PredictedBatch) -> None:
        """Add the predictions of a batch."""
        if self._divided:
            self._select.update(batch.rows(~batch.report))
            batch = batch.rows(batch.report)
        self._report.update(batch)

    @property
    def select(self) -> HoldoutScores:
        """Scores of the videos that decide."""
        return self._select if self._divided else self._report

    @property
    def report(self) -> HoldoutScores:
        """Scores of the videos on which figures are reported."""
        return self._report


def read_holdout(partition: Partition, batch_size: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Read the hold-out videos of a partition.

    Args:
        partition: Partition with the hold-out shards and their division.
        batch_size: Number of videos per batch.

    Yields:
        Batches of `read_videos` as arrays, in the order of the shards, with `report` bool (B,): whether each video
        belongs to *report*.

    Raises:
        DataError: A shard cannot be read, or does not hold the number of videos in the partition.
        StorageError: A shard cannot be opened.
    """
    videos = read_videos(
        partition.holdout_uris,
        partition.spec,
        batch_size=batch_size,
        on_bad=partition.on_bad,
        checksums=partition.checksums,
        with_groups=True,
    )
    promised, found = partition.num_holdout_videos, 0
    with data_errors():
        for batch in videos.as_numpy_iterator():
            found += len(batch["ids"])
            groups = batch.pop("groups")
            yield batch | {"report": partition.division.in_report(groups)}
    if found != promised:
        raise DataError(f"hold-out shards: {found} videos, but the partition promises {promised}. Run prepare again.")


def predict_holdout(
    predictor: Predictor, partition: Partition, batch_size: int, description: str
) -> Iterator[PredictedBatch]:
    """Predict the hold-out videos of a partition and show progress.

    Args:
        predictor: Predictor to call.
        partition: Partition with the hold-out shards.
        batch_size: Number of videos per batch.
        description: Title in the progress display.

    Yields:
        Predictions of each batch, in the order of the shards.

    Raises:
        DataError: A shard cannot be read, or does not hold the number of videos in the partition.
        StorageError: A shard cannot be opened.
    """
    with progress(description, partition.num_holdout_videos) as advance:
        for batch in read_holdout(partition, batch_size):
            probabilities = predict_videos(predictor, batch["frames"], batch["num_frames"], batch_size)
            yield PredictedBatch(batch["ids"], batch["labels"], probabilities, batch["report"])
            advance(len(probabilities))


def holdout_gaps(
    network: Any, partition: Partition, batch_size: int, description: str, top_k: int = GAP_TOP_K
) -> HoldoutGaps:
    """Compute GAP of the top `top_k` classes of a Keras model on both parts of the hold-out; see `predict_holdout`."""
    scores = BothParts(partition, top_k=top_k)
    for batch in predict_holdout(keras_predictor(network), partition, batch_size, description):
        scores.update(batch)
    select, report = scores.select.metrics, scores.report.metrics
    return HoldoutGaps(select.result()["gap"], report.result()["gap"], report.keys, report.label_counts)
