"""Models as predictors of batches of videos."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from yt8m.data.format import DataSpec
from yt8m.errors import DataError
from yt8m.models.files import load_model


class Predictor(Protocol):
    """Function that predicts batches of a fixed size, such as a Keras model, several models or an exported model."""

    def __call__(self, frames: npt.NDArray[np.uint8], num_frames: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """Predict probabilities `(B, C)` from frames `(B, T, D)` and the numbers of real frames `(B,)`."""


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
    """Check that a model fits the features, their ranges and the classes of the data.

    Args:
        folder: Folder of the model, for errors.
        received: What the model was made for.
        expected: What the data have.

    Raises:
        DataError: The model was trained on other features, ranges or classes, or on features in another order.
    """
    if difference := received.difference(expected):
        raise DataError(
            f"{folder}: the model was made for other videos ({difference}: the model's and those of the data). Give a "
            "model and data with the same features in the same order, the same ranges and the same classes."
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


def _fill(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    missing = size - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array
