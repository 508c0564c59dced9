"""The format of videos that fits the records of shards without a description."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from yt8m.data.checking.layout import fields_of, guess_spec, parse
from yt8m.data.format import DataSpec, mean_name
from yt8m.data.importing.ranges import ValueRange
from yt8m.errors import DataError

# Classes of YouTube-8M that a part of its records may miss.
_UNSEEN_CLASSES = 500
# Records whose floats are measured.
_MEASURED_RECORDS = 1000


def find_spec(payloads: Sequence[bytes], uri: str) -> DataSpec:
    """Find the format that fits records, and the ranges of features that are stored as floats.

    Args:
        payloads: Serialized records.
        uri: A shard of them, for error messages.

    Raises:
        DataError: The records have no features, ids or labels. The message tells what they have.
    """
    try:
        spec = guess_spec(payloads)
    except DataError as error:
        raise DataError(f"--data: {uri}: {error}") from None
    check_labels(payloads, spec, uri)
    own = DataSpec()
    if spec.features != own.features:
        return spec.model_copy(update={"ranges": _measure_ranges(payloads, spec)})
    if own.num_classes - _UNSEEN_CLASSES < spec.num_classes <= own.num_classes:
        # YouTube-8M, of which the records that were read need not have the last classes.
        frames = min(spec.max_frames, own.max_frames)
        return spec.model_copy(update={"num_classes": own.num_classes, "max_frames": frames})
    return spec


def check_labels(payloads: Sequence[bytes], spec: DataSpec, uri: str) -> None:
    """Check that some of the records have labels.

    Raises:
        DataError: None has.
    """
    key = spec.layout.labels
    if not any(field.key == key and field.values for payload in payloads for field in fields_of(payload)):
        raise DataError(
            f"--data: {uri}: the records have no labels, so that no model can learn from them. Give labeled shards; "
            "`yt8m data check` tells what a record has."
        )


def _measure_ranges(payloads: Sequence[bytes], spec: DataSpec) -> dict[str, tuple[float, float]]:
    """Measure the ranges of features that are stored as floats; bytes are of YouTube-8M's range."""
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
    return {name: limits for name, limits in found.items() if limits != spec.range_of(name)}


def _floats(record: Any, name: str) -> Iterator[Any]:
    """Yield the floats of each frame of a feature, or of the video; nothing if the feature is stored as bytes."""
    if name in record.feature_lists.feature_list:
        frames = [feature.float_list.value for feature in record.feature_lists.feature_list[name].feature]
    else:
        context = record.context.feature
        frames = [context[key].float_list.value for key in (mean_name(name), name) if key in context][:1]
    yield from (values for values in frames if len(values))
