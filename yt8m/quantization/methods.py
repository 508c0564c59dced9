"""Quantization of one array: choice of method, size of the result, and quantization error."""

from dataclasses import dataclass
from math import prod
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import DataError, suggest
from yt8m.quantization.chunks import map_chunks
from yt8m.quantization.non_uniform import kmeans, quantile
from yt8m.quantization.quantized_array import NUM_CENTROIDS, HalfFloats, QuantizedArray
from yt8m.quantization.uniform import uniform, uniform_per_channel

Method = Literal["uniform", "uniform_per_channel", "kmeans", "quantile", "float16"]
METHODS: tuple[Method, ...] = get_args(Method)

# Variables with at most this many elements are not quantized (paper, section 3.2).
THRESHOLD_ELEMENTS = 17_000
# Per-channel quantization needs at least this many elements per channel: minimum and step take 8 bytes.
MIN_ELEMENTS_PER_CHANNEL = 64
# Minimum range for non-uniform methods: float32 cannot divide a smaller range into bins.
MIN_FITTED_RANGE = 1e-30
# Maximum range for all methods except `uniform`: differences of weights would overflow float32.
MAX_RANGE = float(np.finfo(np.float32).max)


def quantize_array(array: NDArray[Any], method: Method = "uniform") -> QuantizedArray:
    """Quantize one array of any size.

    Args:
        array: Finite floats of any shape with at least one element.
        method: `uniform` (the paper's), `uniform_per_channel` (each channel of the last axis between its minimum and
            maximum), `kmeans`, `quantile` or `float16`. Arrays that a method cannot handle are quantized uniformly:
            fewer than 64 elements per channel, or a range that is too small or too large for float32.

    Returns:
        The quantized array; deterministic.

    Raises:
        DataError: The array holds NaN or infinity, or values too large for float16.
    """
    assert array.size > 0
    if method not in METHODS:
        raise DataError(f"unknown quantization method '{method}'. {suggest(method, METHODS)}")
    values = np.ascontiguousarray(array, np.float32)
    low, high = _extremes(values)
    if not np.isfinite([low, high]).all():
        raise DataError("the weights contain NaN or infinity. Train again from a checkpoint before the loss diverged.")
    if method == "float16":
        return _half(values, low, high)
    if high - low > MAX_RANGE:
        method = "uniform"
    if method == "uniform_per_channel":
        if _has_large_channels(values.shape):
            return uniform_per_channel(values)
        method = "uniform"
    if high - low < MIN_FITTED_RANGE:
        method = "uniform"
    encode = {"uniform": uniform, "kmeans": kmeans, "quantile": quantile}[method]
    return encode(values, low, high)


def quantized_bytes(shape: tuple[int, ...], method: Method) -> int:
    """Return the bytes of an array of this shape after `quantize_array`, unless it falls back to `uniform`."""
    elements = prod(shape)
    if method == "float16":
        return elements * np.dtype(np.float16).itemsize
    table = 2 * shape[-1] if method == "uniform_per_channel" and _has_large_channels(shape) else NUM_CENTROIDS
    return elements + table * np.dtype(np.float32).itemsize


@dataclass(frozen=True)
class QuantizationError:
    """Difference between an array and its quantized form, in the unit of the weights.

    Attributes:
        largest: Largest absolute difference.
        mean: Mean absolute difference.
    """

    largest: float
    mean: float


def measure_error(array: NDArray[Any], quantized: QuantizedArray) -> QuantizationError:
    """Measure the quantization error over all elements of an array."""
    flat = np.ascontiguousarray(array, np.float32).reshape(-1)

    def compare(start: int, stop: int) -> tuple[float, float]:
        difference = quantized.dequantize_slice(start, stop)
        difference -= flat[start:stop]
        np.abs(difference, out=difference)
        return float(difference.max()), float(difference.sum(dtype=np.float64))

    errors = map_chunks(compare, flat.size, quantized.row_size)
    return QuantizationError(max(largest for largest, _ in errors), sum(total for _, total in errors) / flat.size)


def _has_large_channels(shape: tuple[int, ...]) -> bool:
    return prod(shape[:-1]) >= MIN_ELEMENTS_PER_CHANNEL


def _extremes(values: NDArray[np.float32]) -> tuple[float, float]:
    flat = values.reshape(-1)

    def extremes(start: int, stop: int) -> tuple[np.float32, np.float32]:
        return flat[start:stop].min(), flat[start:stop].max()

    lows, highs = np.array(map_chunks(extremes, flat.size)).T
    return float(lows.min()), float(highs.max())


def _half(values: NDArray[np.float32], low: float, high: float) -> HalfFloats:
    limit = float(np.finfo(np.float16).max)
    if max(abs(low), abs(high)) > limit:
        raise DataError(f"the weights range from {low:g} to {high:g}, float16 only to {limit:g}. Use another method.")
    halves = np.empty(values.shape, np.float16)
    flat, flat_halves = values.reshape(-1), halves.reshape(-1)

    def convert(start: int, stop: int) -> None:
        flat_halves[start:stop] = flat[start:stop]

    map_chunks(convert, flat.size)
    return HalfFloats(halves)
