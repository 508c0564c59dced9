"""Quantization of one array: choice of method, size of the result, and quantization error."""

from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import DataError
from yt8m.quantization.bit_planes import PLANE_WIDTHS, plane_bytes
from yt8m.quantization.chunks import map_chunks
from yt8m.quantization.kmeans import kmeans
from yt8m.quantization.quantized_array import QuantizedArray, row_size
from yt8m.quantization.uniform import uniform

Method = Literal["uniform", "kmeans"]

# Variables with at most this many elements are not quantized (paper, section 3.2).
THRESHOLD_ELEMENTS = 17_000
# Minimum range for k-means: float32 cannot divide a smaller range into bins.
MIN_FITTED_RANGE = 1e-30
# Maximum range for k-means: differences of weights would overflow float32.
MAX_RANGE = float(np.finfo(np.float32).max)


def quantize_array(array: NDArray[Any], bits: int = 8, method: Method = "uniform") -> QuantizedArray:
    """Quantize one array of any size.

    Args:
        array: Finite floats of any shape with at least one element.
        bits: Number of bits of an element: 2, 3, 4, 6 or 8.
        method: `uniform` (the paper's), 256 equally spaced values, in 8 bits only; or `kmeans`. An array whose range is
            too small or too large for `kmeans` gets equally spaced values.

    Returns:
        The quantized array; deterministic.

    Raises:
        DataError: The array holds NaN or infinity.
    """
    assert array.size > 0
    assert method == "kmeans" or bits == 8
    values = np.ascontiguousarray(array, np.float32).reshape(array.shape)
    low, high = _extremes(values)
    if not np.isfinite([low, high]).all():
        raise DataError("the weights contain NaN or infinity. Train again from a checkpoint before the loss diverged.")
    if method == "kmeans" and MIN_FITTED_RANGE <= high - low <= MAX_RANGE:
        return kmeans(values, low, high, bits)
    return uniform(values, low, high, bits)


def quantized_bytes(shape: tuple[int, ...], bits: int) -> int:
    """Return the bytes of an array of this shape after `quantize_array`."""
    columns = row_size(shape)
    row = sum(plane_bytes(columns, width) for width in PLANE_WIDTHS[bits])
    return prod(shape) // columns * row + int(2**bits) * np.dtype(np.float32).itemsize


@dataclass(frozen=True)
class QuantizationError:
    """Difference between an array and its quantized form.

    Attributes:
        largest: Largest absolute difference, in the unit of the weights.
        mean: Mean absolute difference, in the unit of the weights.
        variance_share: Mean squared difference as a share of the variance of the weights; 0 if they are all equal.
    """

    largest: float
    mean: float
    variance_share: float


def measure_error(array: NDArray[Any], quantized: QuantizedArray) -> QuantizationError:
    """Measure the quantization error over all elements of an array."""
    flat = np.ascontiguousarray(array, np.float32).reshape(-1)

    def compare(start: int, stop: int) -> tuple[float, float, float, float, float]:
        exact = flat[start:stop]
        # Squares of the widest range overflow float32. Sums of chunks are added in float64.
        first, second = float(exact.sum(dtype=np.float64)), _squares(exact)
        difference = quantized.dequantize_slice(start, stop)
        difference -= exact
        squared = _squares(difference)
        np.abs(difference, out=difference)
        return float(difference.max()), float(difference.sum(dtype=np.float64)), squared, first, second

    errors = np.array(map_chunks(compare, flat.size, quantized.row_size))
    total, squared, first, second = errors[:, 1:].sum(axis=0) / flat.size
    variance = second - first**2
    return QuantizationError(
        float(errors[:, 0].max()), float(total), float(squared / variance) if variance > 0 else 0.0
    )


def _squares(values: NDArray[np.float32]) -> float:
    return float(np.einsum("i,i", values, values))


def _extremes(values: NDArray[np.float32]) -> tuple[float, float]:
    flat = values.reshape(-1)

    def extremes(start: int, stop: int) -> tuple[np.float32, np.float32]:
        return flat[start:stop].min(), flat[start:stop].max()

    lows, highs = np.array(map_chunks(extremes, flat.size)).T
    return float(lows.min()), float(highs.max())
