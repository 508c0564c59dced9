"""Ranges of features, which their bytes cover: measured from the values, or given."""

import math

import numpy as np
from numpy.typing import NDArray

from yt8m.data.format import YT8M_RANGE, dequantize, quantize, scale_and_offset

# Share of the values that may lie below a measured range, and as many above it.
SHARE_OUTSIDE = 0.0005
# Leading bits of a float32 that tell the bins of the histogram apart: sign, exponent and 9 bits of the mantissa.
_BITS = 18
_SHIFT = 32 - _BITS
_BINS = 1 << _BITS
# Bins of values below 0 come first, then the bin of 0.
_ZERO = _BINS // 2
# Rounding of levels that were computed elsewhere; they are 0.016 apart.
_LEVEL_TOLERANCE = 1e-5
# Counting many values at once is faster.
_BUFFERED_VALUES = 1 << 17
# In narrower ranges, the floats of 256 bytes could not be told apart.
_LEAST_WIDTH = 1e-30
_LEAST_RELATIVE_WIDTH = 1e-4
# Decimal digits of the limits of a range, in relation to its width.
_DIGITS = 4


class ValueRange:
    """Range of a feature's values, found while they stream by, and the share of them that bytes clip.

    A measured range lies between two percentiles of the values other than 0, 0.05 and 99.95, and includes 0 if the
    feature has it: padding and rare activations then do not narrow it. The values are counted in a histogram whose bins
    are the leading 18 bits of float32. A limit is the outer edge of its percentile's bin, but not beyond the smallest
    or largest value, and is rounded outwards to a short number. So it is further out than the exact percentile by at
    most 0.2% of its own size and 0.1% of the range, and never further in. The extremes of fewer than 2,000 values are
    never clipped. The result does not depend on the order of the values, and the histogram takes 2 MB.

    Some features have ranges of their own. Values that all are levels of YouTube-8M's bytes keep its range, so that
    they stay as they are. If both percentiles fall into one bin, the range goes from the smallest to the largest value.
    The range of a constant lies around it.

    Args:
        given: Range that was given. None means to measure it.
    """

    def __init__(self, given: tuple[float, float] | None = None) -> None:
        self._given = given
        self._counts = np.zeros(_BINS if given is None else 0, np.int64)
        self._buffer = np.empty(_BUFFERED_VALUES, np.float32)
        self._buffered = 0
        self._total = self._clipped = 0
        self._lowest, self._highest = np.inf, -np.inf
        self._has_yt8m_levels = True

    def add(self, values: NDArray[np.float32]) -> None:
        """Count finite values of any shape."""
        flat = values.reshape(-1)
        for first in range(0, flat.size, _BUFFERED_VALUES):
            part = flat[first : first + _BUFFERED_VALUES]
            if self._buffered + part.size > _BUFFERED_VALUES:
                self._count()
            self._buffer[self._buffered : self._buffered + part.size] = part
            self._buffered += part.size

    def measure(self) -> tuple[tuple[float, float], float]:
        """Return the range, and the share of the values that its bytes clip.

        The share is exact for a given range. For a measured one, it is exact up to the values of one bin.
        """
        self._count()
        if self._given:
            return self._given, self._clipped / max(self._total, 1)
        if not self._total:
            return YT8M_RANGE, 0.0
        found = self._measured()
        low, high = _limits(found)
        lower, upper = _edges(np.arange(_BINS))
        clipped = self._counts[(upper < low) | (lower > high)].sum()
        return found, int(clipped) / self._total

    def _count(self) -> None:
        """Move the values of the buffer to the histogram."""
        values = self._buffer[: self._buffered] + np.float32(0)  # turns -0 into 0
        self._buffered = 0
        if not values.size:
            return
        self._total += values.size
        if self._given:
            low, high = _limits(self._given)
            self._clipped += int(np.count_nonzero((values < low) | (values > high)))
            return
        self._lowest = min(self._lowest, float(values.min()))
        self._highest = max(self._highest, float(values.max()))
        counts = np.bincount(values.view(np.uint32) >> _SHIFT, minlength=_BINS)
        self._counts[_ZERO:] += counts[:_ZERO]
        self._counts[:_ZERO] += counts[_ZERO:][::-1]
        if self._has_yt8m_levels:
            levels = dequantize(quantize(values, *YT8M_RANGE))
            self._has_yt8m_levels = np.allclose(levels, values, rtol=0, atol=_LEVEL_TOLERANCE)

    def _measured(self) -> tuple[float, float]:
        first, last = self._percentile_bins()
        if first < last and self._has_yt8m_levels:
            return YT8M_RANGE
        low, high = self._lowest, self._highest
        if first < last:
            (lower, _), (_, upper) = _edges(np.array([first, last])).T
            low, high = max(low, float(lower)), min(high, float(upper))
            if self._counts[_ZERO]:
                low, high = min(low, 0.0), max(high, 0.0)
        if low == high:
            width = max(abs(low), 1.0)
        else:
            width = max(high - low, _LEAST_WIDTH, _LEAST_RELATIVE_WIDTH * max(-low, high))
        if width > high - low:
            low, high = (low + high - width) / 2, (low + high + width) / 2
        digits = _DIGITS - math.ceil(math.log10(width))
        return _round_down(low, digits), -_round_down(-high, digits)

    def _percentile_bins(self) -> tuple[int, int]:
        """Return the bins of both percentiles of the values other than 0."""
        counts = self._counts.copy()
        counts[_ZERO] = 0
        ends = np.cumsum(counts)
        outside = int(SHARE_OUTSIDE * ends[-1])
        return int(np.searchsorted(ends, outside, "right")), int(np.searchsorted(ends, ends[-1] - outside))


def _edges(bins: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the lowest and the highest value of bins, float32 (2, N)."""
    negative = bins < _ZERO
    leading = np.where(negative, _BINS - 1 - bins, bins - _ZERO).astype(np.uint32)
    inner = leading << _SHIFT
    with np.errstate(invalid="ignore"):
        small, large = inner.view(np.float32), (inner | (1 << _SHIFT) - 1).view(np.float32)
    return np.stack([np.where(negative, large, small), np.where(negative, small, large)])


def _round_down(value: float, digits: int) -> float:
    """Round down to a number of decimal digits; never up, because a value must not fall out of its range."""
    rounded = round(value, digits)
    return rounded if rounded <= value else round(rounded - 10.0**-digits, digits)


def _limits(found: tuple[float, float]) -> tuple[float, float]:
    """Return the least and the greatest value that the bytes of a range encode with at most half a step of error."""
    scale, offset = scale_and_offset(*found)
    return offset - scale / 2, offset + 255.5 * scale
