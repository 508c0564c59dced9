"""A weight as it lies on disk, inside a SavedModel."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.quantization.quantized_array import NUM_CENTROIDS, CentroidCodes, ChannelCodes, HalfFloats, QuantizedArray

Tensor = Any

# Elements of a kernel that are floats at a time where it is multiplied in parts: 8 MB.
BLOCK_ELEMENTS = 1 << 21
# Centroids this many float spacings from equally spaced ones count as equally spaced.
EQUAL_SPACINGS = 4


class StoredWeight(tf.Module):  # type: ignore[misc]
    """A weight's bytes as TensorFlow variables, and the operations that make floats of them.

    Args:
        weight: A quantized array or plain floats.
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
        """Equally spaced centroids become a product and a sum, five times as fast as looking every one up."""
        low, high = float(centroids[0]), float(centroids[-1])
        spacing = np.spacing(np.abs(centroids).max())
        if np.abs(centroids - np.linspace(low, high, NUM_CENTROIDS)).max() <= EQUAL_SPACINGS * spacing:
            self._minimum, self._step = low, (high - low) / (NUM_CENTROIDS - 1)
        else:
            self._centroids = centroids

    def floats(self) -> Tensor:
        """The weight as a float32 tensor; the sum and the product of 8-bit codes are done in place."""
        return self._expand(self.values)

    def times(self, inputs: Tensor) -> Tensor:
        """`inputs @ weight`, for which only some of the weight's rows are floats at a time.

        Args:
            inputs: float32 (N, P); the weight is (P, Q).

        Returns:
            float32 (N, Q).
        """
        rows, columns = self.shape
        at_once = max(BLOCK_ELEMENTS // columns, 1)

        def add(start: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
            stop = tf.minimum(start + at_once, rows)
            return stop, total + tf.matmul(inputs[:, start:stop], self._expand(self.values[start:stop]))

        nothing = tf.zeros([tf.shape(inputs)[0], columns])
        _, total = tf.while_loop(lambda start, _: start < rows, add, (tf.constant(0), nothing), parallel_iterations=1)
        return total

    def _expand(self, values: Tensor) -> Tensor:
        """Floats of some rows, or all."""
        if self._centroids is not None:
            return tf.gather(self._centroids, tf.cast(values, tf.int32))
        values = tf.cast(values, tf.float32)
        return values if self._step is None else values * self._step + self._minimum


def _constant(array: NDArray[Any]) -> Any:
    return tf.Variable(array, trainable=False)
