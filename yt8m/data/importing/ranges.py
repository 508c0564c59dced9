"""Ranges of features, which their bytes cover: measured from the values, or given."""

import math
from typing import NamedTuple

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
# Shares outside that are tried if extreme values leave one or two bytes to most of the others.
_SHARES_OF_OUTLIERS = (0.005, 0.02)
# Fewer values do not tell which ones are outliers.
_LEAST_VALUES_WITH_OUTLIERS = 100
# Without its outliers, a range is at most this part of the one with them.
_PART_WITHOUT_OUTLIERS = 0.01
# Share of the values in the two most frequent bytes from which a range counts as too wide.
_MOST_SHARED = 0.5
# Bins of a feature that has this many values only, such as one of zeros and ones, can share a byte.
_FEW_BINS = 16
# Decimal digits of the limits of a range, in relation to its width.
_DIGITS = 4


class Measurement(NamedTuple):
    """Range of a feature, and what its bytes do to the values.

    Attributes:
        limits: Lowest and highest float that the bytes stand for.
        clipped: Share of the values outside.
        shared: Share of the values other than 0 that the two most frequent bytes stand for. 0 if these values hardly
            differ, so that nothing is lost.
        constant: The only value that the feature has; None if it has several.
    """

    limits: tuple[float, float]
    clipped: float
    shared: float
    constant: float | None = None

    @property
    def is_too_wide(self) -> bool:
        """Whether most values cannot be told apart."""
        return self.shared > _MOST_SHARED


class ValueRange:
    """Range of a feature's values, found while they stream by, and the share of them that bytes clip.

    A measured range lies between two percentiles of the values other than 0, 0.05 and 99.95, and includes 0 if the
    feature has it: padding and rare activations then do not narrow it. The values are counted in a histogram whose bins
    are the leading 18 bits of float32. A limit is the outer edge of its percentile's bin, but not beyond the smallest
    or largest value, and is rounded outwards to a short number. So it is further out than the exact percentile by at
    most 0.2% of its own size and 0.1% of the range, and never further in. The extremes of fewer than 2,000 values are
    not clipped. The result does not depend on the order of the values, and the histogram takes 2 MB.

    Few values may have outliers, too. If extremes among 100 values or more leave two bytes to most others, up to 2% of
    the values on each side may lie outside, if the range becomes a hundredth or less.

    Some features have ranges of their own. Values that all are levels of YouTube-8M's bytes keep its range, so that
    they stay as they are. If both percentiles fall into one bin, the range goes from the smallest to the largest value.
    The range of a constant lies around it.

    Args:
        given: Range that was given. None means to measure it.
    """

    def __init__(self, given: tuple[float, float] | None = None) -> None:
        self._given = given
        self._counts = np.zeros(_BINS, np.int64)
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

    def measure(self) -> Measurement:
        """Return the range, and the shares of the values that its bytes clip, or cannot tell apart.

        The clipped share is exact for a given range. Otherwise, shares are exact up to the values of one bin.
        """
        self._count()
        if not self._total:
            return Measurement(self._given or YT8M_RANGE, 0.0, 0.0)
        if self._given:
            return self._judged(self._given)._replace(clipped=self._clipped / self._total)
        found = self._judged(self._measured(SHARE_OUTSIDE))
        if found.is_too_wide and self._total - self._counts[_ZERO] >= _LEAST_VALUES_WITH_OUTLIERS:
            widest = (found.limits[1] - found.limits[0]) * _PART_WITHOUT_OUTLIERS
            for share in _SHARES_OF_OUTLIERS:
                robust = self._judged(self._measured(share))
                if not robust.is_too_wide and robust.limits[1] - robust.limits[0] <= widest:
                    return robust
        return found

    def _judged(self, limits: tuple[float, float]) -> Measurement:
        """Return what the bytes of a range do to the values."""
        low, high = _limits(limits)
        bins = np.flatnonzero(self._counts)
        lower, upper = _edges(bins)
        counts = self._counts[bins]
        clipped = int(counts[(upper < low) | (lower > high)].sum())
        bins, counts, values = bins[bins != _ZERO], counts[bins != _ZERO], (lower / 2 + upper / 2)[bins != _ZERO]
        levels = quantize(values, *limits)
        totals = np.bincount(levels, counts, 256)
        largest = np.argsort(totals)[-2:]
        differ = np.count_nonzero(np.isin(levels, largest)) > _FEW_BINS
        shared = float(totals[largest].sum() / counts.sum()) if differ else 0.0
        constant = float(self._lowest) if self._lowest == self._highest else None
        return Measurement(limits, clipped / self._total, shared, constant)

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
        self._lowest = min(self._lowest, float(values.min()))
        self._highest = max(self._highest, float(values.max()))
        counts = np.bincount(values.view(np.uint32) >> _SHIFT, minlength=_BINS)
        self._counts[_ZERO:] += counts[:_ZERO]
        self._counts[:_ZERO] += counts[_ZERO:][::-1]
        if self._has_yt8m_levels and not self._given:
            levels = dequantize(quantize(values, *YT8M_RANGE))
            self._has_yt8m_levels = np.allclose(levels, values, rtol=0, atol=_LEVEL_TOLERANCE)

    def _measured(self, share_outside: float) -> tuple[float, float]:
        first, last = self._percentile_bins(share_outside)
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

    def _percentile_bins(self, share_outside: float) -> tuple[int, int]:
        """Return the bins of both percentiles of the values other than 0."""
        counts = self._counts.copy()
        counts[_ZERO] = 0
        ends = np.cumsum(counts)
        outside = int(share_outside * ends[-1])
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
