"""Ranges of features that records hold as floats."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from yt8m.data.checking.fields import parse
from yt8m.data.format import YT8M_RANGE, DataSpec, mean_name
from yt8m.data.importing.ranges import ValueRange

# Records whose floats are measured.
_MEASURED_RECORDS = 1000
# Part of a range that its values should take, so that they have 64 of 256 bytes.
_LEAST_PART = 0.25


def measure_ranges(payloads: Sequence[bytes], spec: DataSpec) -> dict[str, tuple[float, float]]:
    """Measure the ranges of features that are stored as floats; bytes are of YouTube-8M's range.

    Args:
        payloads: Serialized records, of which up to 1,000 are measured.
        spec: Features and their ranges.

    Returns:
        Ranges that differ from those of `spec`. YouTube-8M's features keep their range if the values fit into it.
    """
    found: dict[str, tuple[float, float]] = {}
    step = max(len(payloads) // _MEASURED_RECORDS, 1)
    records = [record for record in map(parse, payloads[::step]) if record is not None]
    for name in spec.features:
        frames = [np.array(values, np.float32) for record in records for values in _floats(record, name)]
        if frames:
            measured = ValueRange()
            for frame in frames:
                measured.add(frame[np.isfinite(frame)])
            found[name] = measured.measure()[0]
    (least, largest), yt8m = YT8M_RANGE, spec.features == DataSpec().features
    return {
        name: (low, high)
        for name, (low, high) in found.items()
        if (low, high) != spec.range_of(name) and not (yt8m and least <= low and high <= largest)
    }


def needed_ranges(payloads: Sequence[bytes], spec: DataSpec) -> dict[str, tuple[float, float]]:
    """Measure the ranges of features whose values do not fit into that of `spec`, or take a small part of it.

    A few records cannot tell the range of all: where the present one fits, it stays.

    Args:
        payloads: Some serialized records.
        spec: Features and their ranges.
    """
    found = {}
    for name, (low, high) in measure_ranges(payloads, spec).items():
        least, largest = spec.range_of(name)
        if low < least or high > largest or high - low < _LEAST_PART * (largest - least):
            found[name] = (low, high)
    return found


def _floats(record: Any, name: str) -> Iterator[Any]:
    """Yield the floats of each frame of a feature, or of the video; nothing if the feature is stored as bytes."""
    if name in record.feature_lists.feature_list:
        frames = [feature.float_list.value for feature in record.feature_lists.feature_list[name].feature]
    else:
        context = record.context.feature
        frames = [context[key].float_list.value for key in (mean_name(name), name) if key in context][:1]
    yield from (values for values in frames if len(values))
