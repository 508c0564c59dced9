"""Nearest-centroid search for arbitrary centroids."""

import numpy as np
from numpy.typing import NDArray

from yt8m.quantization.quantized_array import FindCodes

# Bins of the look-up table over the range of the centroids.
NUM_BINS = 1 << 16
# With at most so many borders, comparing a value with each of them is faster.
MAX_COMPARED = 15
# If three neighboring bins contain more borders than this, a binary search is faster.
MAX_STEPS = 3


def nearest_codes(centroids: NDArray[np.float32]) -> FindCodes:
    """Make a function that finds the nearest centroid of each value; halfway between two, it takes the lower one.

    Args:
        centroids: float32 `(K,)`, ascending, at most 256.

    Returns:
        Function from float32 values to indices of centroids, uint8 in the same shape.
    """
    borders = upper_borders(centroids)
    if len(borders) <= MAX_COMPARED:
        return lambda values: _count_below(borders, values)
    find = _table_search(borders, float(centroids[0]), float(centroids[-1]))
    return find or (lambda values: borders.searchsorted(values).astype(np.uint8))


def _count_below(borders: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    codes = np.zeros(values.shape, np.uint8)
    for border in borders:
        codes += values > border
    return codes


def upper_borders(centroids: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest float32 that belongs to each centroid except the last, `(K - 1,)`.

    The midpoint between two centroids is computed in float64 and rounded down to float32, so that arrays are compared
    without a conversion.
    """
    exact = centroids.astype(np.float64)
    middle = exact[:-1] + (exact[1:] - exact[:-1]) / 2
    borders = middle.astype(np.float32)
    above = borders.astype(np.float64) > middle
    borders[above] = np.nextafter(borders[above], np.float32(-np.inf))
    return borders


def _table_search(borders: NDArray[np.float32], low: float, high: float) -> FindCodes | None:
    """Make a table search, which is several times as fast as a binary search.

    It looks up the first code of a value's bin and takes at most `MAX_STEPS` steps from there.

    Returns:
        A function equivalent to `borders.searchsorted`, or None if the borders are too close together.
    """
    width = (high - low) / NUM_BINS
    limit = float(np.finfo(np.float32).max)
    if width <= np.spacing(np.float32(max(abs(low), abs(high)))) or high - low > limit or width * limit < 1:
        return None
    # Bins are computed in float32 and may be off by one, so each entry covers its two neighbors as well.
    edges = low + np.arange(-1, NUM_BINS + 2) * width
    first = borders.searchsorted(edges[:-3].astype(np.float32)).astype(np.uint8)
    last = borders.searchsorted(edges[3:].astype(np.float32), side="right")
    # The outermost bins take all values beyond the range.
    first[0], last[-1] = 0, borders.size
    steps = int((last - first).max())
    if steps > MAX_STEPS:
        return None
    endless = np.append(borders, np.float32(np.inf))
    minimum, inverse = np.float32(low), np.float32(1 / width)

    def find(values: NDArray[np.float32]) -> NDArray[np.uint8]:
        bins = values - minimum
        bins *= inverse
        np.clip(bins, 0, NUM_BINS - 1, out=bins)
        codes = first.take(bins.astype(np.intp))
        for _ in range(steps):
            codes += values > endless.take(codes)
        return codes

    return find
