"""Uniform quantization: equally spaced centroids from the smallest to the largest weight (paper, section 3.2)."""

import numpy as np
from numpy.typing import NDArray

from yt8m.quantization.nearest_centroid import nearest_codes, upper_borders
from yt8m.quantization.quantized_array import FindCodes, QuantizedArray

# Minimum ratio of step to float spacing for division to be exact enough: the quotient is then off by less than half of
# AMBIGUOUS (255 * 3 roundings of 2^-24, and half a spacing for each of two centroids).
MIN_SPACINGS_PER_STEP = 4096
# Quotients within this distance of the midpoint between two codes are compared with the exact midpoint.
AMBIGUOUS = 1e-3


def uniform(values: NDArray[np.float32], low: float, high: float, bits: int = 8) -> QuantizedArray:
    """Quantize to the nearest of `2**bits` equally spaced centroids; the error is at most half a step.

    Args:
        values: float32, any shape.
        low: Smallest value.
        high: Largest value.
        bits: Number of bits of a code (the paper: 8).

    Returns:
        Codes and centroids. The codes equal those of a comparison of every value with every centroid.
    """
    centroids = np.linspace(low, high, 2**bits, dtype=np.float64).astype(np.float32)
    step = (high - low) / (2**bits - 1)
    spacing = float(np.spacing(np.float32(max(abs(low), abs(high)))))
    tiny, huge = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
    if step < MIN_SPACINGS_PER_STEP * spacing or step < tiny * 2**bits or high - low > huge:
        return QuantizedArray.encode(values, centroids, nearest_codes(centroids))
    return QuantizedArray.encode(values, centroids, _divide(centroids, low, step))


def _divide(centroids: NDArray[np.float32], low: float, step: float) -> FindCodes:
    """Compute the nearest code as a rounded quotient, an order of magnitude faster than a search."""
    borders = np.append(upper_borders(centroids), np.float32(np.inf))
    minimum, inverse = np.float32(low), np.float32(1 / step)

    def find(values: NDArray[np.float32]) -> NDArray[np.uint8]:
        quotient = values - minimum
        quotient *= inverse
        rounded = np.rint(quotient)
        codes: NDArray[np.uint8] = rounded.astype(np.uint8)
        quotient -= rounded
        np.abs(quotient, out=quotient)
        ambiguous = np.flatnonzero(quotient > 0.5 - AMBIGUOUS)
        lower = np.floor((values[ambiguous] - minimum) * inverse).astype(np.uint8)
        codes[ambiguous] = lower + (values[ambiguous] > borders[lower])
        return codes

    return find
