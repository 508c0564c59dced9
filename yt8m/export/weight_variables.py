"""Weights in a SavedModel: stored as codes, and dequantized in every call or once when the model is loaded."""

from collections.abc import Mapping, Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# Private, because TensorFlow has no public API for a variable without a value or one that stays out of the checkpoint.
# Public resources (lookup tables, `TrackableResource`) are no replacement: TensorFlow finds them by name, and
# either never frees them, or frees them with the loaded object although one of its signatures is still in use.
from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

from yt8m.quantization.bit_planes import PLANE_WIDTHS
from yt8m.quantization.quantized_array import QuantizedArray

Tensor = Any

# Elements of a kernel that are dequantized at a time: 4 MB.
BLOCK_ELEMENTS = 1 << 20
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
        if isinstance(weight, QuantizedArray):
            self.planes = [_constant(plane) for plane in weight.planes]
            self._bits, self._columns = weight.bits, weight.row_size
            self._set_centroids(weight.centroids)
        else:
            self.values = _constant(np.asarray(weight, np.float32))

    def _set_centroids(self, centroids: NDArray[np.float32]) -> None:
        """Replace equally spaced centroids of bytes by minimum and step, which is faster than a table look-up."""
        low, high = float(centroids[0]), float(centroids[-1])
        spacing = np.spacing(np.abs(centroids).max())
        self._centroids: NDArray[np.float32] | None = centroids
        if self._bits == 8 and np.abs(centroids - np.linspace(low, high, 256)).max() <= EQUAL_SPACINGS * spacing:
            self._centroids, self._minimum, self._step = None, low, (high - low) / 255

    def dequantize(self) -> Tensor:
        """Return the whole weight as a float32 tensor."""
        if self.is_plain:
            return self.values
        floats = self._dequantize(self.planes)
        return floats if len(self.shape) == 2 else tf.reshape(floats, self.shape)

    def assign_to(self, variable: Any) -> None:
        """Dequantize the weight into a variable of its shape; large ones block by block, without a second copy."""
        if self._centroids is None or len(self.shape) == 1 or prod(self.shape) <= BLOCK_ELEMENTS:
            variable.assign(self.dequantize())
            return
        # Without a value to begin with, which would take as long to write as the weight itself.
        variable.assign(tf.raw_ops.Empty(shape=self.shape, dtype=tf.float32))
        _fill(self._bits)(*self.planes, self._centroids, list(self.shape), variable.handle)

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
            block = self._dequantize([plane[start:stop] for plane in self.planes])
            return stop, total + tf.matmul(inputs[:, start:stop], block)

        nothing = tf.zeros([tf.shape(inputs)[0], columns])
        _, total = tf.while_loop(lambda start, _: start < rows, add, (tf.constant(0), nothing), parallel_iterations=1)
        return total

    def _dequantize(self, planes: Sequence[Tensor]) -> Tensor:
        """Dequantize some or all rows to float32 (R, C)."""
        if self._centroids is None:
            return tf.cast(planes[0], tf.float32) * self._step + self._minimum
        found = _unpack(self._bits)(*planes, self._centroids, self._columns)
        return tf.ensure_shape(found, [None, self._columns])


# The two functions below are the same for all weights of as many bits, so that the graph has each of them once.
@cache
def _unpack(bits: int) -> Any:
    """Make a function that looks up the values of some rows.

    Its arguments are the rows of all planes, uint8 (R, B), the centroids, float32 (2**bits,), and the number of columns
    C. It returns float32 (R, C).
    """

    def unpack(*inputs: Tensor) -> Tensor:
        *planes, centroids, columns = inputs
        # A row of the table has the values of all elements of a pattern; see `yt8m.quantization.bit_planes`.
        table = tf.gather(centroids, _codes_of_patterns(bits))
        found = tf.gather(table, _patterns_of(planes))
        return tf.reshape(found, [tf.shape(found)[0], -1])[:, :columns]

    signature = [*_signature(bits), tf.TensorSpec([], tf.int32)]
    return tf.function(unpack, input_signature=signature, autograph=False)


@cache
def _fill(bits: int) -> Any:
    """Make a function that writes the values of a weight into a variable, block by block.

    Its arguments are all planes, the centroids, the shape of the weight, of two or more axes, and the handle of the
    variable.
    """

    def fill(*inputs: Tensor) -> None:
        *planes, centroids, shape, handle = inputs
        rows, others = tf.reduce_prod(shape[1:-1]), tf.reduce_prod(shape[1:])
        at_once = tf.maximum(BLOCK_ELEMENTS // others, 1)

        def write(start: Tensor) -> Tensor:
            stop = tf.minimum(start + at_once, shape[0])
            block = _unpack(bits)(*(plane[start * rows : stop * rows] for plane in planes), centroids, shape[-1])
            updates = tf.reshape(block, tf.concat([[stop - start], shape[1:]], axis=0))
            tf.raw_ops.ResourceScatterUpdate(resource=handle, indices=tf.range(start, stop), updates=updates)
            return stop

        tf.while_loop(lambda start: start < shape[0], write, [tf.constant(0)], parallel_iterations=1)

    signature = [*_signature(bits), tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.resource)]
    return tf.function(fill, input_signature=signature, autograph=False)


def _signature(bits: int) -> list[Any]:
    planes = [tf.TensorSpec([None, None], tf.uint8) for _ in PLANE_WIDTHS[bits]]
    return [*planes, tf.TensorSpec([2**bits], tf.float32)]


def _patterns_of(planes: Sequence[Tensor]) -> Tensor:
    """Do what `bit_planes.patterns_of` does, in int32."""
    first, *others = planes
    patterns = tf.cast(first, tf.int32)
    for second in others:
        halves = tf.stack([second & 15, tf.bitwise.right_shift(second, tf.constant(4, tf.uint8))], axis=-1)
        halves = tf.reshape(halves, [tf.shape(second)[0], -1])[:, : tf.shape(first)[1]]
        patterns += tf.cast(halves, tf.int32) * 256
    return patterns


def _codes_of_patterns(bits: int) -> Tensor:
    """Do what `bit_planes.codes_of_patterns` does; constants would make the graph larger."""
    first, *others = PLANE_WIDTHS[bits]
    places = tf.range(8 // first)
    patterns = tf.range(4096 if others else 256)[:, None]
    codes = tf.bitwise.right_shift(patterns, places * first) & (2**first - 1)
    for second in others:
        codes = codes * 2**second + (tf.bitwise.right_shift(patterns, 8 + places * second) & (2**second - 1))
    return codes


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
        values: Variables, each with the stored weight that gives its value.
        shared_name: Name of the resource handle.
    """

    def __init__(self, values: list[tuple[DequantizedVariable, QuantizedVariable]], shared_name: str) -> None:
        super().__init__()
        self._values = values
        self._shared_name = shared_name

    def _create_resource(self) -> Tensor:
        return tf.raw_ops.VarHandleOp(dtype=tf.bool, shape=[], shared_name=self._shared_name)

    def _initialize(self) -> None:
        for variable, stored in self._values:
            stored.assign_to(variable)


def _constant(array: NDArray[Any]) -> Any:
    return tf.Variable(array, trainable=False)
