"""Predictions of models: batches of videos, and metrics on the hold-out videos."""

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
    """Function that predicts batches of a fixed size, such as a Keras model, several models or an exported model."""

    def __call__(self, frames: npt.NDArray[np.uint8], num_frames: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """Predict probabilities `(B, C)` from frames `(B, T, D)` and the numbers of real frames `(B,)`."""


@dataclass(frozen=True)
class PredictedBatch:
    """Predictions of a batch of videos.

    Attributes:
        ids: Ids of the videos, bytes `(B,)`.
        labels: Multi-hot labels, uint8 `(B, C)`.
        probabilities: Predicted probabilities, float32 `(B, C)`.
    """

    ids: npt.NDArray[Any]
    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]


def keras_predictor(model: Any) -> Predictor:
    """Wrap a Keras model as a predictor."""

    def predict(frames: npt.NDArray[np.uint8], num_frames: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        return np.asarray(model.predict_on_batch({"frames": frames, "num_frames": num_frames}), np.float32)

    return predict


def load_predictor(folder: Path, spec: DataSpec) -> Predictor:
    """Load a model folder, quantized or not, as a predictor.

    Raises:
        DataError: The folder holds no model, or the model was trained on data of another shape.
    """
    loaded = load_model(folder)
    check_spec(folder, loaded.spec, spec)
    return keras_predictor(loaded.model)


def check_spec(folder: Path, received: DataSpec, expected: DataSpec) -> None:
    """Check that a model fits the features and classes of the data.

    Raises:
        DataError: The model was trained on other features or classes.
    """
    if (received.features, received.num_classes) != (expected.features, expected.num_classes):
        raise DataError(
            f"{folder}: made for {received.num_classes} classes and features {received.features}, but the data have "
            f"{expected.num_classes} classes and features {expected.features}. Give a model trained on such data."
        )


def predict_videos(
    predictor: Predictor, frames: npt.NDArray[np.uint8], num_frames: npt.NDArray[np.int32], batch_size: int
) -> npt.NDArray[np.float32]:
    """Predict up to a batch of videos.

    An incomplete batch is padded with copies of its last video, whose predictions are dropped. Batches of a fixed size
    need one compilation only, and keep the prediction of a video independent of the number of videos.

    Args:
        predictor: Predictor to call.
        frames: Quantized frames, uint8 `(N, T, D)`.
        num_frames: Numbers of real frames, int32 `(N,)`.
        batch_size: Batch size of the predictor, at least `N`.

    Returns:
        Probabilities, float32 `(N, C)`.
    """
    return predictor(_fill(frames, batch_size), _fill(num_frames, batch_size))[: len(frames)]


def predict_batches(predictor: Predictor, dataset: Any, batch_size: int) -> Iterator[PredictedBatch]:
    """Predict a data set batch by batch.

    Args:
        predictor: Predictor to call.
        dataset: Data set returned by `read_videos`.
        batch_size: Batch size of the data set.

    Yields:
        Predictions of each batch, in order.
    """
    for batch in dataset.as_numpy_iterator():
        probabilities = predict_videos(predictor, batch["frames"], batch["num_frames"], batch_size)
        yield PredictedBatch(batch["ids"], batch["labels"], probabilities)


@dataclass
class HoldoutScores:
    """Metrics and mean loss over hold-out videos.

    Attributes:
        metrics: Metrics of the videos so far.
        summed_loss: Cross entropy, summed over videos and classes.
    """

    metrics: StreamingMetrics
    summed_loss: float = 0.0

    def update(self, batch: PredictedBatch) -> None:
        """Add the predictions of a batch."""
        self.metrics.update(batch.probabilities, batch.labels)
        self.summed_loss += summed_crossentropy(batch)

    def result(self) -> dict[str, float]:
        """Return `gap`, `map`, `hit_at_1`, `perr`, `loss` and `videos`."""
        found = self.metrics.result()
        return {**found, "loss": self.summed_loss / max(found["videos"], 1.0)}


def summed_crossentropy(batch: PredictedBatch) -> float:
    """Compute the cross entropy of a batch, summed over videos and classes, as `yt8m.losses` does but in NumPy.

    The loss is first computed as if there were no labels, -log(1 - p + eps), and then corrected at the labels.
    """
    p = batch.probabilities
    negative = np.log(1 - p + np.float32(LOG_EPSILON))
    positive = batch.labels != 0
    return float(-negative.sum(dtype=np.float64) - (np.log(p[positive] + LOG_EPSILON) - negative[positive]).sum())


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
    videos = read_videos(
        partition.holdout_uris,
        partition.spec,
        batch_size=batch_size,
        on_bad=partition.on_bad,
        checksums=partition.checksums,
    )
    promised, found = partition.num_holdout_videos, 0
    with data_errors(), progress(description, promised) as advance:
        for batch in predict_batches(predictor, videos, batch_size):
            yield batch
            advance(len(batch.ids))
            found += len(batch.ids)
    if found != promised:
        raise DataError(f"hold-out shards: {found} videos, but the partition promises {promised}. Run prepare again.")


def holdout_gap(network: Any, partition: Partition, batch_size: int, description: str) -> float:
    """Compute GAP@20 of a Keras model on the hold-out videos of a partition; see `predict_holdout`."""
    scores = HoldoutScores(StreamingMetrics(partition.spec.num_classes))
    for batch in predict_holdout(keras_predictor(network), partition, batch_size, description):
        scores.update(batch)
    return scores.result()["gap"]


def _fill(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    missing = size - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array
