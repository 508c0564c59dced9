"""Exported models in use: loaded with TensorFlow alone, called through their signatures."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.data.format import DataSpec
from yt8m.errors import DataError
from yt8m.export.description import ExportDescription

# Letters in the path of a model that TensorFlow takes for a pattern when it looks for the weights.
_PATTERN_LETTERS = set("*?[\\")


class ExportedModel:
    """A SavedModel written by stage `export`.

    Args:
        directory: Folder of the SavedModel. May be read-only.

    Raises:
        DataError: The folder holds no exported model, or TensorFlow cannot load it.
    """

    def __init__(self, directory: str | Path) -> None:
        self.description = ExportDescription.load(Path(directory))
        with _plain_path(str(directory)) as path:
            try:
                self._model = tf.saved_model.load(path)
            except (OSError, ValueError, IndexError, tf.errors.OpError) as error:  # IndexError: truncated weights
                reason = str(error).replace(path, str(directory))
                raise DataError(
                    f"{directory}: TensorFlow cannot load this SavedModel ({reason}). Export it again."
                ) from error

    @property
    def spec(self) -> DataSpec:
        """Features, number of classes and maximum frames of the videos."""
        return self.description.data

    @property
    def device(self) -> str:
        """Names of the GPUs, or the number of CPU cores."""
        gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
        names = [str(details.get("device_name", "a GPU")) for details in gpus]
        return ", ".join(names) or f"{os.cpu_count()} CPU cores"

    def probabilities(self, frames: Any, num_frames: Any) -> NDArray[np.float32]:
        """Predict the probabilities of all classes.

        Args:
            frames: Quantized frame features, uint8 (B, T, D).
            num_frames: Number of frames of each video, int32 (B,).

        Returns:
            float32 (B, C).
        """
        return np.asarray(self._call("probabilities", num_frames, frames=frames)["probabilities"])

    def top(self, frames: Any, num_frames: Any) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Predict the most probable classes.

        Args:
            frames: Quantized frame features, uint8 (B, T, D).
            num_frames: Number of frames of each video, int32 (B,).

        Returns:
            Classes int32 (B, k) and scores float32 (B, k), by descending score.
        """
        outputs = self._call("serving_default", num_frames, frames=frames)
        return np.asarray(outputs["classes"]), np.asarray(outputs["scores"])

    def top_of_floats(
        self, features: Mapping[str, Any], num_frames: Any
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Predict the most probable classes from floats, which the model quantizes.

        Args:
            features: Values of every feature, float32 (B, T, size), by name of the feature.
            num_frames: Number of frames of each video, int32 (B,).

        Returns:
            Classes and scores as those of `top`.
        """
        inputs = {name: features[feature] for feature, name in self.description.float_inputs.items()}
        outputs = self._call("floats", num_frames, **inputs)
        return np.asarray(outputs["classes"]), np.asarray(outputs["scores"])

    def _call(self, signature: str, num_frames: Any, **inputs: Any) -> dict[str, Any]:
        function = self._model.signatures[signature]
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        outputs: dict[str, Any] = function(**tensors, num_frames=tf.constant(num_frames))
        return outputs


@contextmanager
def _plain_path(directory: str) -> Iterator[str]:
    """Yield a path of a folder from which TensorFlow can load: the path itself, or that of a link without brackets."""
    if not _PATTERN_LETTERS & set(directory):
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="yt8m-") as folder:
        if _PATTERN_LETTERS & set(folder):
            raise DataError(
                f"{directory}: TensorFlow cannot load a model below a folder with one of * ? [ \\ in its name, and the "
                f"folder for temporary files has one, too: {tempfile.gettempdir()}. Move the model, or set TMPDIR."
            )
        link = Path(folder, "model")
        link.symlink_to(Path(directory).absolute(), target_is_directory=True)
        yield str(link)
