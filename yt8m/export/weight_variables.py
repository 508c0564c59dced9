"""Weights in a SavedModel: stored as codes, and dequantized in every call or once when the model is loaded."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# Private, because TensorFlow has no public API for a variable without a value or one that stays out of the checkpoint.
# Public resources (lookup tables, `TrackableResource`) are no replacement: TensorFlow finds them by name, and
# either never frees them, or frees them with the loaded object although one of its signatures is still in use.
from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

from yt8m.quantization.bit_planes import PLANE_WIDTHS, codes_of_patterns
from yt8m.quantization.quantized_array import QuantizedArray
from yt8m.quantization.quantized_columns import Quantized, QuantizedColumns

Tensor = Any

# Elements of a kernel that are dequantized at a time: 4 MB.
BLOCK_ELEMENTS = 1 << 20
# Elements of the largest weight that is dequantized as a whole when the model is loaded: 32 MB. A loop over its blocks
# would make the graph larger, which takes more time and memory than the codes of so few elements.
WHOLE_ELEMENTS = 1 << 23
# Centroids within this many float spacings of an equally spaced grid count as equally spaced.
EQUAL_SPACINGS = 4


class QuantizedVariable(tf.Module):  # type: ignore[misc]
    """A weight stored as TensorFlow variables, with the operations that dequantize it.

    Args:
        weight: A quantized array, or plain floats that are stored as they are.

    Attributes:
        shape: Shape of the weight.
        is_plain: Whether floats are stored.
        is_looked_up: Whether codes stand for values in a table, and not for equally spaced ones.
    """

    is_looked_up = False

    def __init__(self, weight: Quantized | NDArray[Any]) -> None:
        super().__init__()
        self.shape = weight.shape
        self.is_plain = not isinstance(weight, Quantized)
        if isinstance(weight, Quantized):
            self._codes = _SideBySide(weight)
            # TensorFlow stores what it finds here: each further object would make the graph larger.
            bits = sorted({group.bits for group in self._codes.groups if group.centroids is not None})
            codes = [part for each in bits for part in _codes(each)]
            self.stored = [plane for group in self._codes.groups for plane in group.planes] + codes
            self.is_looked_up = bool(codes)
        else:
            self.values = _constant(np.asarray(weight, np.float32))

    def dequantize(self) -> Tensor:
        """Return the whole weight as a float32 tensor."""
        if self.is_plain:
            return self.values
        floats = self._codes.dequantize()
        return floats if len(self.shape) == 2 else tf.reshape(floats, self.shape)

    def assign_to(self, variable: Any) -> Any:
        """Dequantize the weight into a variable of its shape; large ones block by block, without a second copy.

        Returns:
            The operation that does it.
        """
        whole = not self.is_looked_up or len(self.shape) == 1 or prod(self.shape) <= WHOLE_ELEMENTS
        floats = self.dequantize() if whole else self._codes.dequantize_blocks(self.shape)
        return variable.assign(floats, read_value=False)

    def matmul(self, inputs: Tensor) -> Tensor:
        """Return `inputs @ weight`, dequantizing one block of rows at a time.

        Args:
            inputs: float32 (N, P); the weight is (P, Q).

        Returns:
            float32 (N, Q).
        """
        return _join([group.matmul(inputs) for group in self._codes.groups])


class _SideBySide:
    """The groups of columns of a weight; one of them if all columns share a codebook."""

    def __init__(self, weight: Quantized) -> None:
        self.groups = list(map(_Codes, weight.groups if isinstance(weight, QuantizedColumns) else [weight]))

    def dequantize(self) -> Tensor:
        """Dequantize all rows to float32 (R, C)."""
        return _join([group.dequantize(group.planes) for group in self.groups])

    def dequantize_blocks(self, shape: tuple[int, ...]) -> Tensor:
        """Dequantize all rows block by block to float32 of this shape."""
        planes = [plane for group in self.groups for plane in group.planes]
        tables = [group.table() for group in self.groups]
        columns = [group.columns for group in self.groups]
        floats = _unpack_blocks(tuple(group.bits for group in self.groups))(*planes, *tables, columns, list(shape))
        return tf.ensure_shape(floats, shape)


def _join(columns: Sequence[Tensor]) -> Tensor:
    return columns[0] if len(columns) == 1 else tf.concat(columns, axis=1)


class _Codes:
    """The codes of an array, as rows of planes, and the values that they stand for.

    Attributes:
        planes: Packed codes, uint8 (R, B) of each plane.
        centroids: Values, float32 (2**bits,); None for bytes that stand for equally spaced values.
        bits: Number of bits of a code.
        columns: Number of elements of a row.
    """

    def __init__(self, array: QuantizedArray) -> None:
        self.planes = [_constant(plane) for plane in array.planes]
        self.bits, self.columns = array.bits, array.row_size
        # Minimum and step are faster than a table look-up.
        low, high = float(array.centroids[0]), float(array.centroids[-1])
        self._minimum, self._step = low, (high - low) / (2**self.bits - 1)
        spacing = np.spacing(np.abs(array.centroids).max())
        distance = np.abs(array.centroids - np.linspace(low, high, 2**self.bits)).max()
        self.centroids = None if self.bits == 8 and distance <= EQUAL_SPACINGS * spacing else array.centroids

    def table(self) -> Tensor:
        """Return the values of all elements of each pattern, float32 (P, N); see `yt8m.quantization.bit_planes`."""
        if self.centroids is None:
            return tf.range(256, dtype=tf.float32)[:, None] * self._step + self._minimum
        codes, *others = _codes(self.bits)
        for second in others:
            codes = tf.reshape(second + codes, [-1, codes.shape[1]])
        return tf.gather(self.centroids, tf.cast(codes, tf.int32))

    def dequantize(self, planes: Sequence[Tensor], table: Tensor | None = None) -> Tensor:
        """Dequantize some or all rows to float32 (R, C), with the table if there is one already."""
        if self.centroids is None:
            return tf.cast(planes[0], tf.float32) * self._step + self._minimum
        return _look_up(planes, self.table() if table is None else table, self.columns)

    def matmul(self, inputs: Tensor) -> Tensor:
        """Return `inputs @ weight`, dequantizing one block of rows at a time."""
        rows = self.planes[0].shape[0]
        at_once = max(BLOCK_ELEMENTS // self.columns, 1)
        table = None if self.centroids is None else self.table()

        def add(start: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
            stop = tf.minimum(start + at_once, rows)
            block = self.dequantize([plane[start:stop] for plane in self.planes], table)
            return stop, total + tf.matmul(inputs[:, start:stop], block)

        nothing = tf.zeros([tf.shape(inputs)[0], self.columns])
        _, total = tf.while_loop(lambda start, _: start < rows, add, (tf.constant(0), nothing), parallel_iterations=1)
        return total


def _look_up(planes: Sequence[Tensor], table: Tensor, columns: int | Tensor) -> Tensor:
    """Look up the values of some rows, float32 (R, C), from their planes, uint8 (R, B)."""
    first, *others = planes
    patterns = tf.cast(first, tf.int32)
    for second in others:
        halves = tf.stack([second & 15, tf.bitwise.right_shift(second, tf.constant(4, tf.uint8))], axis=-1)
        halves = _first(tf.reshape(halves, [-1, 2 * _width(second)]), _width(first))
        patterns += tf.cast(halves, tf.int32) * 256
    return _first(tf.reshape(tf.gather(table, patterns), [-1, _width(first) * table.shape[1]]), columns)


def _width(rows: Tensor) -> int | Tensor:
    """Return the number of columns; as an integer, which takes no operations, if the graph knows it."""
    return tf.shape(rows)[1] if rows.shape[1] is None else rows.shape[1]


def _first(rows: Tensor, columns: int | Tensor) -> Tensor:
    """Return the first columns."""
    return rows if rows.shape[1] is not None and rows.shape[1] == columns else rows[:, :columns]


@cache
def _codes(bits: int) -> tuple[Any, ...]:
    """Return the codes of all patterns, uint8 (256, N), as variables, so that a model has them once.

    Of two planes, a second variable (16, 1, N) has what the bits of the second plane add.
    """
    codes = codes_of_patterns(bits)
    first, second = codes[:256], codes[::256, None]
    return tuple(map(_constant, [first] if len(second) == 1 else [first, second]))


# The same for all weights with as many bits, so that the graph has it once.
@cache
def _unpack_blocks(groups: tuple[int, ...]) -> Any:
    """Make a function that looks up the values of a weight block by block, without a second copy of them.

    Its arguments are the planes and then the tables of each group of columns, the number of columns of each group, and
    the shape of the weight, of two or more axes. It returns float32 of this shape.

    Args:
        groups: Number of bits of each group of columns.
    """
    counts = [len(PLANE_WIDTHS[bits]) for bits in groups]

    def unpack(*inputs: Tensor) -> Tensor:
        *stored, columns, shape = inputs
        tables = stored[sum(counts) :]
        planes = [stored[stop - count : stop] for stop, count in zip(accumulate(counts), counts, strict=True)]
        rows, others = tf.reduce_prod(shape[1:-1]), tf.reduce_prod(shape[1:])
        at_once = tf.maximum(BLOCK_ELEMENTS // others, 1)

        def write(start: Tensor, floats: Tensor) -> tuple[Tensor, Tensor]:
            stop = tf.minimum(start + at_once, shape[0])
            blocks = [
                _look_up([plane[start * rows : stop * rows] for plane in planes[index]], table, columns[index])
                for index, table in enumerate(tables)
            ]
            updates = tf.reshape(_join(blocks), tf.concat([[stop - start], shape[1:]], axis=0))
            # Updates of a variable would let every later read copy it, and others here copy all floats.
            return stop, tf.raw_ops.InplaceUpdate(x=floats, i=tf.range(start, stop), v=updates)

        # Zeros would take as long to write as the weight itself.
        nothing = (tf.constant(0), tf.raw_ops.Empty(shape=shape, dtype=tf.float32))
        _, floats = tf.while_loop(lambda start, _: start < shape[0], write, nothing, parallel_iterations=1)
        return floats

    signature = [
        *(tf.TensorSpec([None, None], tf.uint8) for _ in range(sum(counts))),
        *(tf.TensorSpec(codes_of_patterns(bits).shape, tf.float32) for bits in groups),
        tf.TensorSpec([len(groups)], tf.int32),
        tf.TensorSpec([None], tf.int32),
    ]
    return tf.function(unpack, input_signature=signature, autograph=False)


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
        # What is looked up comes one after the other, the largest first, so that all need the memory of one on the way.
        done: list[Tensor] = []
        for variable, stored in sorted(self._values, key=lambda each: -prod(each[1].shape)):
            with tf.control_dependencies(done):
                assigned = stored.assign_to(variable)
            done = [assigned] if stored.is_looked_up else done


def _constant(array: NDArray[Any]) -> Any:
    return tf.Variable(array, trainable=False)
