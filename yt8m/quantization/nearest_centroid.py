"""The nearest centroid of every element, for centroids anywhere."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from yt8m.quantization.chunks import map_chunks

# Parts of the range whose first code is looked up.
NUM_BINS = 1 << 16
# With more borders than this within three neighbouring bins a binary search is faster.
MAX_STEPS = 3


def nearest_codes(values: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Find the nearest centroid; in the middle between two, the lower one.

    Args:
        values: float32, any shape.
        centroids: float32 `(256,)`, ascending.

    Returns:
        uint8 in the shape of `values`.
    """
    codes = np.empty(values.shape, np.uint8)
    flat, flat_codes = values.reshape(-1), codes.reshape(-1)
    borders = upper_borders(centroids)
    find = _table_search(borders, float(centroids[0]), float(centroids[-1])) or borders.searchsorted

    def encode(start: int, stop: int) -> None:
        flat_codes[start:stop] = find(flat[start:stop])

    map_chunks(encode, flat.size)
    return codes


def upper_borders(centroids: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest float32 that still belongs to each centroid but the last, `(255,)`.

    In float32, so that whole arrays are compared without a conversion: the middle between two
    centroids, exact in float64, is rounded towards the lower one.
    """
    exact = centroids.astype(np.float64)
    middle = exact[:-1] + (exact[1:] - exact[:-1]) / 2
    borders = middle.astype(np.float32)
    above = borders.astype(np.float64) > middle
    borders[above] = np.nextafter(borders[above], np.float32(-np.inf))
    return borders


def _table_search(
    borders: NDArray[np.float32], low: float, high: float
) -> Callable[[NDArray[np.float32]], NDArray[np.uint8]] | None:
    """A search that begins at the code of a value's bin and takes a step or two: several times as fast as a binary one.

    Returns:
        From values to codes as `borders.searchsorted`; `None` where borders lie too close together for it.
    """
    width = (high - low) / NUM_BINS
    limit = float(np.finfo(np.float32).max)
    # Bins are computed in float32 and may be off by one.
    if width <= np.spacing(np.float32(max(abs(low), abs(high)))) or high - low > limit or width * limit < 1:
        return None
    edges = low + np.arange(-1, NUM_BINS + 2) * width
    first = borders.searchsorted(edges[:-3].astype(np.float32)).astype(np.uint8)
    last = borders.searchsorted(edges[3:].astype(np.float32), side="right")
    # Beyond the outermost bins lie all other values.
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
