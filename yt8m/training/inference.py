"""Predictions of a model for a stream of batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition
from yt8m.data.reading import data_errors, read_videos
from yt8m.errors import DataError
from yt8m.losses import LOG_EPSILON
from yt8m.metrics import StreamingMetrics
from yt8m.models.files import load_model
from yt8m.progress import progress


class Predictor(Protocol):
    """Something that predicts batches of one size: a model, several, or an exported one."""

    def __call__(self, frames: npt.NDArray[np.uint8], num_frames: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """Frames `(B, T, D)` and their numbers `(B,)` to probabilities `(B, C)`."""


@dataclass(frozen=True)
class PredictedBatch:
    """Predictions of some videos.

    Attributes:
        ids: bytes `(B,)`.
        labels: uint8 `(B, C)`, multi-hot.
        probabilities: float32 `(B, C)`.
    """

    ids: npt.NDArray[Any]
    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]


def keras_predictor(model: Any) -> Predictor:
    """A Keras model as a predictor."""

    def predict(frames: npt.NDArray[np.uint8], num_frames: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        return np.asarray(model.predict_on_batch({"frames": frames, "num_frames": num_frames}), np.float32)

    return predict


def load_predictor(folder: Path, spec: DataSpec) -> Predictor:
    """A model's folder, floats or 8 bits, as a predictor.

    Raises:
        DataError: There is no model, or it was made for other data.
    """
    loaded = load_model(folder)
    check_spec(folder, loaded.spec, spec)
    return keras_predictor(loaded.model)


def check_spec(folder: Path, received: DataSpec, expected: DataSpec) -> None:
    """Refuse a model that was made for other features or classes.

    Raises:
        DataError: It was.
    """
    if (received.features, received.num_classes) != (expected.features, expected.num_classes):
        raise DataError(
            f"{folder}: made for {received.num_classes} classes and features {received.features}, but the data have "
            f"{expected.num_classes} classes and features {expected.features}. Give a model trained on such data."
        )


def predict_videos(
    predictor: Predictor, frames: npt.NDArray[np.uint8], num_frames: npt.NDArray[np.int32], batch_size: int
) -> npt.NDArray[np.float32]:
    """Predict at most a batch of videos as a whole batch.

    It is filled up with copies of its last video, whose predictions are dropped: batches of one size need one
    compilation, and a video's prediction depends on its place in the batch at most.

    Args:
        predictor: The model.
        frames: uint8 `(N, T, D)`.
        num_frames: int32 `(N,)`.
        batch_size: Size of the whole batch, at least `N`.

    Returns:
        Probabilities, float32 `(N, C)`.
    """
    return predictor(_fill(frames, batch_size), _fill(num_frames, batch_size))[: len(frames)]


def predict_batches(predictor: Predictor, dataset: Any, batch_size: int) -> Iterator[PredictedBatch]:
    """Predict a data set of `yt8m.data`.

    Args:
        predictor: The model.
        dataset: What `read_videos` returned.
        batch_size: Its batch size.

    Yields:
        The batches in order.
    """
    for batch in dataset.as_numpy_iterator():
        probabilities = predict_videos(predictor, batch["frames"], batch["num_frames"], batch_size)
        yield PredictedBatch(batch["ids"], batch["labels"], probabilities)


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


def _fill(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    missing = size - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array
