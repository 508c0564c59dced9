"""An exported model, loaded with TensorFlow alone."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.data.format import DataSpec
from yt8m.errors import DataError
from yt8m.export.description import ExportDescription


class ExportedModel:
    """A SavedModel that `export` wrote.

    Args:
        directory: Its folder; may be read-only.

    Raises:
        DataError: There is no exported model, or TensorFlow cannot load it.
    """

    def __init__(self, directory: str | Path) -> None:
        self.description = ExportDescription.load(Path(directory))
        try:
            self._model = tf.saved_model.load(str(directory))
        except (OSError, ValueError, IndexError, tf.errors.OpError) as error:  # IndexError: weights cut off
            raise DataError(
                f"{directory}: TensorFlow cannot load this SavedModel ({error}). Export it again."
            ) from error

    @property
    def spec(self) -> DataSpec:
        """Features, classes and length of the videos."""
        return self.description.data

    @property
    def device(self) -> str:
        """What the model runs on, in words."""
        gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
        names = [str(details.get("device_name", "a GPU")) for details in gpus]
        return ", ".join(names) or f"{os.cpu_count()} CPU cores"

    def probabilities(self, frames: Any, num_frames: Any) -> NDArray[np.float32]:
        """Probabilities of all classes.

        Args:
            frames: uint8 (B, T, D).
            num_frames: int32 (B,).

        Returns:
            float32 (B, C).
        """
        return np.asarray(self._call("probabilities", frames, num_frames)["probabilities"])

    def top(self, frames: Any, num_frames: Any) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The most probable classes.

        Args:
            frames: uint8 (B, T, D).
            num_frames: int32 (B,).

        Returns:
            Classes int32 (B, k) and scores float32 (B, k), scores descending.
        """
        outputs = self._call("serving_default", frames, num_frames)
        return np.asarray(outputs["classes"]), np.asarray(outputs["scores"])

    def _call(self, signature: str, frames: Any, num_frames: Any) -> dict[str, Any]:
        function = self._model.signatures[signature]
        outputs: dict[str, Any] = function(frames=tf.constant(frames), num_frames=tf.constant(num_frames))
        return outputs
