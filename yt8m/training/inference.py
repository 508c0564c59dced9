"""Predictions of a model for a stream of batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from yt8m.data.format import DataSpec
from yt8m.errors import DataError
from yt8m.models.files import load_model


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


def _fill(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    missing = size - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array
