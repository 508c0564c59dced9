"""Centroids that follow the weights' distribution: k-means and quantiles."""

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from yt8m.quantization.chunks import map_chunks
from yt8m.quantization.nearest_centroid import nearest_codes
from yt8m.quantization.quantized_array import NUM_CENTROIDS, CentroidCodes

# Resolution of the histogram on which centroids are placed: 256 bins for each uniform step.
NUM_BINS = NUM_CENTROIDS * 256
# Lloyd's iterations end when no centroid moves by more than a bin, or after this many.
MAX_ITERATIONS = 300


def kmeans(values: NDArray[np.float32], low: float, high: float) -> CentroidCodes:
    """Quantize to centroids that (locally) minimize the squared error, to the resolution of 65,536 bins of the range.

    Lloyd's algorithm on a histogram of the values: in one dimension the clusters are intervals, so an
    iteration is a look-up in cumulative sums. It begins where the density of centroids is the cube root
    of the density of values, which is best for many centroids (Panter and Dite, 1951).

    Args:
        values: float32, any shape.
        low: Smallest value.
        high: Largest value.

    Returns:
        Codes and centroids.
    """
    counts, centers = _histogram(values, low, high)
    mass = np.concatenate(([0.0], np.cumsum(counts)))
    moment = np.concatenate(([0.0], np.cumsum(counts * centers)))
    centroids = _quantiles(np.cbrt(counts), centers)
    for _ in range(MAX_ITERATIONS):
        edges = np.searchsorted(centers, (centroids[:-1] + centroids[1:]) / 2)
        edges = np.concatenate(([0], edges, [NUM_BINS]))
        weights, sums = np.diff(mass[edges]), np.diff(moment[edges])
        moved = np.divide(sums, weights, out=centroids.copy(), where=weights > 0)
        change = float(np.abs(moved - centroids).max())
        centroids = moved
        if change <= (high - low) / NUM_BINS:
            break
    return _encode(values, centroids)


def quantile(values: NDArray[np.float32], low: float, high: float) -> CentroidCodes:
    """Quantize to the middles of 256 parts that hold equally many values.

    Args:
        values: float32, any shape.
        low: Smallest value.
        high: Largest value.

    Returns:
        Codes and centroids, to the resolution of a histogram of 65,536 bins.
    """
    counts, centers = _histogram(values, low, high)
    return _encode(values, _quantiles(counts, centers))


def _encode(values: NDArray[np.float32], centroids: NDArray[np.float64]) -> CentroidCodes:
    single = np.sort(centroids).astype(np.float32)
    return CentroidCodes(nearest_codes(values, single), single)


def _histogram(values: NDArray[np.float32], low: float, high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many values fall into each of `NUM_BINS` equal parts of the range, and the parts' middles."""
    flat = values.reshape(-1)
    scale = np.float32(NUM_BINS / (high - low))
    minimum = np.float32(low)

    counts: NDArray[np.float64] = np.zeros(NUM_BINS)
    adding = Lock()

    def count(start: int, stop: int) -> None:
        places = flat[start:stop] - minimum
        places *= scale
        np.clip(places, 0, NUM_BINS - 1, out=places)
        piece = np.bincount(places.astype(np.intp), minlength=NUM_BINS)
        with adding:
            np.add(counts, piece, out=counts)

    map_chunks(count, flat.size)
    return counts, np.asarray(low + (np.arange(NUM_BINS) + 0.5) * ((high - low) / NUM_BINS), np.float64)


def _quantiles(density: NDArray[np.float64], centers: NDArray[np.float64]) -> NDArray[np.float64]:
    mass = np.cumsum(density)
    wanted = (np.arange(NUM_CENTROIDS) + 0.5) / NUM_CENTROIDS * mass[-1]
    return np.asarray(centers[np.searchsorted(mass, wanted)])
