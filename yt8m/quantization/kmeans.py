"""One-dimensional k-means on a fine histogram of the weights."""

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from yt8m.quantization.chunks import map_chunks
from yt8m.quantization.nearest_centroid import nearest_codes
from yt8m.quantization.quantized_array import QuantizedArray

# Bins of the histogram from which centroids are computed: 64 per step of uniform quantization in 8 bits.
NUM_BINS = 1 << 14
# Maximum iterations of Lloyd's algorithm; it stops earlier once no centroid moves by more than a bin.
MAX_ITERATIONS = 300


def kmeans(values: NDArray[np.float32], low: float, high: float, bits: int) -> QuantizedArray:
    """Quantize to `2**bits` centroids that locally minimize the squared error, at a resolution of 16,384 bins.

    Runs Lloyd's algorithm on a histogram of the values. In one dimension clusters are intervals, so that an iteration
    is a look-up in cumulative sums. The initial density of centroids is the cube root of the density of values, which
    is optimal for many centroids (Panter and Dite, 1951).

    Args:
        values: float32, any shape.
        low: Smallest value.
        high: Largest value.
        bits: Number of bits of a code.

    Returns:
        Codes and centroids; deterministic.
    """
    counts, centers = _histogram(values, low, high)
    mass = np.concatenate(([0.0], np.cumsum(counts)))
    moment = np.concatenate(([0.0], np.cumsum(counts * centers)))
    centroids = _quantiles(np.cbrt(counts), centers, 2**bits)
    for _ in range(MAX_ITERATIONS):
        edges = np.searchsorted(centers, (centroids[:-1] + centroids[1:]) / 2)
        edges = np.concatenate(([0], edges, [NUM_BINS]))
        weights, sums = np.diff(mass[edges]), np.diff(moment[edges])
        moved = np.divide(sums, weights, out=centroids.copy(), where=weights > 0)
        change = float(np.abs(moved - centroids).max())
        centroids = moved
        if change <= (high - low) / NUM_BINS:
            break
    single = np.sort(centroids).astype(np.float32)
    return QuantizedArray.encode(values, single, nearest_codes(single))


def _histogram(values: NDArray[np.float32], low: float, high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count the values in each of `NUM_BINS` equal bins; return the counts and the centers of the bins."""
    flat = values.reshape(-1)
    scale = np.float32(NUM_BINS / (high - low))
    minimum = np.float32(low)

    counts: NDArray[np.float64] = np.zeros(NUM_BINS)
    adding = Lock()

    def count(start: int, stop: int) -> None:
        bins = flat[start:stop] - minimum
        bins *= scale
        np.minimum(bins, NUM_BINS - 1, out=bins)
        chunk_counts = np.bincount(bins.astype(np.intp), minlength=NUM_BINS)
        with adding:
            np.add(counts, chunk_counts, out=counts)

    map_chunks(count, flat.size)
    return counts, np.asarray(low + (np.arange(NUM_BINS) + 0.5) * ((high - low) / NUM_BINS), np.float64)


def _quantiles(density: NDArray[np.float64], centers: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    mass = np.cumsum(density)
    wanted = (np.arange(count) + 0.5) / count * mass[-1]
    return np.asarray(centers[np.searchsorted(mass, wanted)])
