"""Uniform quantization: 256 equally spaced centroids from the smallest to the largest weight (paper, section 3.2)."""

import numpy as np
from numpy.typing import NDArray

from yt8m.quantization.chunks import map_chunks
from yt8m.quantization.nearest_centroid import nearest_codes, upper_borders
from yt8m.quantization.quantized_array import NUM_CENTROIDS, CentroidCodes, ChannelCodes

# Minimum ratio of step to float spacing for division to be exact enough: the quotient is then off by less than half of
# AMBIGUOUS (255 * 3 roundings of 2^-24, and half a spacing for each of two centroids).
MIN_SPACINGS_PER_STEP = 4096
# Quotients within this distance of the midpoint between two codes are compared with the exact midpoint.
AMBIGUOUS = 1e-3


def uniform(values: NDArray[np.float32], low: float, high: float) -> CentroidCodes:
    """Quantize to the nearest of 256 equally spaced centroids; the error is at most half a step.

    Args:
        values: float32, any shape.
        low: Smallest value.
        high: Largest value.

    Returns:
        Codes and centroids. The codes equal those of a comparison of every value with every centroid.
    """
    centroids = np.linspace(low, high, NUM_CENTROIDS, dtype=np.float64).astype(np.float32)
    step = (high - low) / (NUM_CENTROIDS - 1)
    spacing = float(np.spacing(np.float32(max(abs(low), abs(high)))))
    tiny, huge = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
    if step < MIN_SPACINGS_PER_STEP * spacing or step < tiny * NUM_CENTROIDS or high - low > huge:
        return CentroidCodes(nearest_codes(values, centroids), centroids)
    return CentroidCodes(_divide(values, centroids, low, step), centroids)


def _divide(values: NDArray[np.float32], centroids: NDArray[np.float32], low: float, step: float) -> NDArray[np.uint8]:
    """Compute the nearest code as a rounded quotient, an order of magnitude faster than a search."""
    codes = np.empty(values.shape, np.uint8)
    flat, flat_codes = values.reshape(-1), codes.reshape(-1)
    borders = np.append(upper_borders(centroids), np.float32(np.inf))
    minimum, inverse = np.float32(low), np.float32(1 / step)

    def encode(start: int, stop: int) -> None:
        quotient = flat[start:stop] - minimum
        quotient *= inverse
        rounded = np.rint(quotient)
        chunk_codes = flat_codes[start:stop]
        np.copyto(chunk_codes, rounded, casting="unsafe")
        quotient -= rounded
        np.abs(quotient, out=quotient)
        ambiguous = np.flatnonzero(quotient > 0.5 - AMBIGUOUS)
        lower = np.floor((flat[start:stop][ambiguous] - minimum) * inverse).astype(np.uint8)
        chunk_codes[ambiguous] = lower + (flat[start:stop][ambiguous] > borders[lower])

    map_chunks(encode, flat.size)
    return codes


def uniform_per_channel(values: NDArray[np.float32]) -> ChannelCodes:
    """Quantize each channel of the last axis between its minimum and maximum; the error is at most half a step.

    Args:
        values: float32 `(..., C)`.

    Returns:
        Codes, and minimum and step of each channel.
    """
    channels = values.shape[-1]
    rows = values.reshape(-1, channels)
    extremes = map_chunks(lambda start, stop: _extremes(rows, start // channels, stop // channels), rows.size, channels)
    minimum = np.min([low for low, _ in extremes], axis=0)
    # The range of float32 extremes may overflow float32.
    width = np.max([high for _, high in extremes], axis=0).astype(np.float64) - minimum
    step = (width / (NUM_CENTROIDS - 1)).astype(np.float32)
    inverse = np.divide(1, step, out=np.zeros_like(step), where=step >= np.finfo(np.float32).tiny)
    codes = np.empty(values.shape, np.uint8)
    flat_rows = codes.reshape(-1, channels)

    def encode(start: int, stop: int) -> None:
        quotient = rows[start // channels : stop // channels] - minimum
        quotient *= inverse
        np.rint(quotient, out=quotient)
        np.clip(quotient, 0, NUM_CENTROIDS - 1, out=quotient)
        np.copyto(flat_rows[start // channels : stop // channels], quotient, casting="unsafe")

    map_chunks(encode, rows.size, channels)
    return ChannelCodes(codes, minimum, step)


def _extremes(rows: NDArray[np.float32], start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return rows[start:stop].min(axis=0), rows[start:stop].max(axis=0)
