"""Weights in a SavedModel: stored as codes, and dequantized in every call or once when the model is loaded."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# Private, because TensorFlow has no public API for a variable without a value or one that stays out of the checkpoint.
# Public resources (lookup tables, `TrackableResource`) are no replacement: TensorFlow finds them by name, and
# either never frees them, or frees them with the loaded object although one of its signatures is still in use.
from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

from yt8m.quantization.quantized_array import NUM_CENTROIDS, CentroidCodes, ChannelCodes, HalfFloats, QuantizedArray

Tensor = Any

# Elements of a kernel that are dequantized at a time in a blockwise product: 8 MB.
BLOCK_ELEMENTS = 1 << 21
# Centroids within this many float spacings of an equally spaced grid count as equally spaced.
EQUAL_SPACINGS = 4


class QuantizedVariable(tf.Module):  # type: ignore[misc]
    """A weight stored as TensorFlow variables, with the operations that dequantize it.

    Args:
        weight: A quantized array, or plain floats that are stored as they are.
    """

    def __init__(self, weight: QuantizedArray | NDArray[Any]) -> None:
        super().__init__()
        self.shape = weight.shape
        self.is_plain = not isinstance(weight, QuantizedArray)
        self._centroids: NDArray[np.float32] | None = None
        self._minimum = self._step = None
        match weight:
            case CentroidCodes(codes, centroids):
                self.values = _constant(codes)
                self._set_centroids(centroids)
            case ChannelCodes(codes, minimum, step):
                self.values = _constant(codes)
                self._minimum, self._step = _constant(minimum), _constant(step)
            case HalfFloats(values):
                self.values = _constant(values)
            case _:
                self.values = _constant(np.asarray(weight, np.float32))

    def _set_centroids(self, centroids: NDArray[np.float32]) -> None:
        """Replace equally spaced centroids by minimum and step, which is five times as fast as a table look-up."""
        low, high = float(centroids[0]), float(centroids[-1])
        spacing = np.spacing(np.abs(centroids).max())
        if np.abs(centroids - np.linspace(low, high, NUM_CENTROIDS)).max() <= EQUAL_SPACINGS * spacing:
            self._minimum, self._step = low, (high - low) / (NUM_CENTROIDS - 1)
        else:
            self._centroids = centroids

    def dequantize(self) -> Tensor:
        """Return the whole weight as a float32 tensor."""
        return self._dequantize(self.values)

    def matmul(self, inputs: Tensor) -> Tensor:
        """Return `inputs @ weight`, dequantizing one block of rows at a time.

        Args:
            inputs: float32 (N, P); the weight is (P, Q).

        Returns:
            float32 (N, Q).
        """
        rows, columns = self.shape
        at_once = max(BLOCK_ELEMENTS // columns, 1)

        def add(start: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
            stop = tf.minimum(start + at_once, rows)
            return stop, total + tf.matmul(inputs[:, start:stop], self._dequantize(self.values[start:stop]))

        nothing = tf.zeros([tf.shape(inputs)[0], columns])
        _, total = tf.while_loop(lambda start, _: start < rows, add, (tf.constant(0), nothing), parallel_iterations=1)
        return total

    def _dequantize(self, values: Tensor) -> Tensor:
        """Dequantize some or all rows."""
        if self._centroids is not None:
            return tf.gather(self._centroids, tf.cast(values, tf.int32))
        values = tf.cast(values, tf.float32)
        return values if self._step is None else values * self._step + self._minimum


class DequantizedVariable(UninitializedVariable):  # type: ignore[misc]
    """A float32 variable that is computed when the SavedModel is loaded.

    It takes no memory during the export and no bytes on disk. `DequantizeOnLoad` sets its value.

    Args:
        shape: Shape of the variable.
        name: Name of the variable.
    """

    def __init__(self, shape: tuple[int, ...], name: str) -> None:
        super().__init__(shape=shape, dtype=tf.float32, trainable=False, name=name)

    def _serialize_to_tensors(self) -> dict[str, Tensor]:
        return {}

    def _restore_from_tensors(self, restored_tensors: Mapping[str, Tensor]) -> None:
        assert not restored_tensors

    def _export_to_saved_model_graph(
        self, object_map: dict[Any, Any], tensor_map: dict[Any, Any], **_options: Any
    ) -> list[Tensor]:
        """Map this variable to a copy, as every variable does; the copy stays out of the checkpoint, too."""
        copy = DequantizedVariable(tuple(self.shape), self._shared_name)
        object_map[self] = copy
        tensor_map[self.handle] = copy.handle
        return [self.handle]


class DequantizeOnLoad(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc]
    """Computes `DequantizedVariable`s once, after the checkpoint is restored.

    Every loader runs the initializers of a SavedModel's resources: Python runs them directly, C++ and TensorFlow
    Serving run them through the init operation. The resource itself is never created; only its handle exists.

    Args:
        values: Variables, each with the function that adds its value to the graph.
        shared_name: Name of the resource handle.
    """

    def __init__(self, values: list[tuple[DequantizedVariable, Callable[[], Tensor]]], shared_name: str) -> None:
        super().__init__()
        self._values = values
        self._shared_name = shared_name

    def _create_resource(self) -> Tensor:
        return tf.raw_ops.VarHandleOp(dtype=tf.bool, shape=[], shared_name=self._shared_name)

    def _initialize(self) -> None:
        for variable, value in self._values:
            variable.assign(value())


def _constant(array: NDArray[Any]) -> Any:
    return tf.Variable(array, trainable=False)
