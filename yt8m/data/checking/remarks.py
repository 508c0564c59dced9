"""Fields that no setting reads: what they probably are, and what to do about them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.data.checking.fields import RecordField, parse, values_of
from yt8m.data.checking.settings import describe_settings
from yt8m.data.format import DataSpec

# Records whose frames are looked at.
_MOST_RECORDS = 50
# Numbers of these types, by bytes per number, with the sizes that features usually have.
_FLOATS: Mapping[int, tuple[type[np.floating[Any]], float, float]] = {
    4: (np.float32, 1e-6, 1e6),
    2: (np.float16, 1e-4, 1e4),
    8: (np.float64, 1e-6, 1e6),
}
# Share of the numbers other than 0 that are of usual size; among random bytes, few are.
_LEAST_USUAL = 0.95
# Fewest different numbers that prove anything.
_LEAST_DIFFERENT = 8
# Share of the bytes at the ends of the range from which values were probably clipped. YouTube-8M's have up to 10%.
_MOST_CLIPPED = 0.2
_IMPORT = "make the shards by `yt8m data import`"


def remark_on_raw_floats(payloads: Sequence[bytes], spec: DataSpec) -> str:
    """Tell that the bytes of frames are floating-point numbers, which readers would take for quantized values.

    Args:
        payloads: Some serialized records.
        spec: Format with which they were read.

    Returns:
        Sentences, or an empty string if there are none.
    """
    frames: dict[str, list[bytes]] = {}
    for record in _records(payloads):
        for key, each in record.feature_lists.feature_list.items():
            found = [values[0] for frame in each.feature if len(values := frame.bytes_list.value) == 1]
            frames.setdefault(key, []).extend(found)
    frames = {key: found for key, found in frames.items() if len(set(map(len, found))) == 1}
    wanted = {key: len(frames[key][0]) / size for key, size in spec.features.items() if key in frames}
    width = next(iter(wanted.values()), 0)
    # All features have 4 or 2 times as many bytes as values.
    if width in _FLOATS and set(wanted.values()) == {width} and _are_floats(frames, wanted, int(width)):
        return _raw_floats(frames, list(wanted), int(width))
    for other in (4, 8):
        keys = [key for key in (wanted or frames) if len(frames[key][0]) % other == 0 and frames[key][0]]
        if keys and len(keys) == len(wanted or frames) and _are_floats(frames, dict.fromkeys(keys, 1.0), other):
            return _raw_floats(frames, keys, other)
    return ""


def remark_on_flat_frames(fields: Sequence[RecordField], spec: DataSpec) -> str:
    """Tell what to do with features that hold all frames of a video in one list of numbers.

    Args:
        fields: Fields of a record.
        spec: Format with which it was read.

    Returns:
        A sentence, or an empty string if there are none.
    """
    flat = [
        field.key
        for field in fields
        if (size := spec.features.get(field.key)) and not field.in_list and field.size > size and not field.size % size
    ]
    return f"Write {_names(flat)} as feature lists, or {_IMPORT} from the arrays of frames." if flat else ""


def remark_on_vectors(fields: Sequence[RecordField], spec: DataSpec) -> str:
    """Tell that records without feature lists have one vector per video, whatever its numbers are."""
    other = ("mean_", spec.layout.labels)
    vectors = [
        each.key for each in fields if each.kind == "floats" and each.size > 1 and not each.key.startswith(other)
    ]
    if not vectors or any(field.in_list for field in fields):
        return ""
    return (
        f"Without feature lists, {_names(vectors)} are read as one vector per video, such as a mean; if they hold all "
        f"frames one after the other, write feature lists, or {_IMPORT} from the arrays of frames."
    )


def remark_on_labels(payloads: Sequence[bytes], spec: DataSpec) -> str:
    """Tell what to do with labels that are stored as texts or as floats, or are negative."""
    values = [value for record in _records(payloads) for value in _labels(record, spec)]
    if remark := _remark_on_negative_labels(payloads, spec):
        return remark
    if not values or spec.layout.label_form == "multi_hot_floats" or isinstance(values[0], int):
        return ""
    if isinstance(values[0], bytes):
        numbers = all(isinstance(value, bytes) and value.strip().isdigit() for value in values)
        what = "They are numbers as text. " if numbers else ""
    elif all(value in (0, 1) for value in values):
        return ""
    else:
        what = "They are whole numbers. " if all(float(value).is_integer() for value in values) else ""
    return f"{what}Write the numbers of a video's classes as integers, or {_IMPORT}, whose --labels takes names, too."


def remark_on_label_numbers(payloads: Sequence[bytes], spec: DataSpec, class_counts: NDArray[np.int64]) -> str:
    """Tell that labels count classes from 1 or are negative, and what to do about it.

    Args:
        payloads: Some serialized records that are not usable videos.
        spec: Format with which they were read.
        class_counts: Number of usable videos per class, int64 (C,).

    Returns:
        Sentences, or an empty string if there are none.
    """
    if remark := _remark_on_negative_labels(payloads, spec):
        return remark
    if spec.layout.label_form != "numbers" or class_counts[0]:
        return ""
    labels = [value for record in _records(payloads) for value in _labels(record, spec)]
    last = spec.num_classes
    if not labels or not all(isinstance(label, int) and 1 <= label <= last for label in labels) or max(labels) != last:
        return ""
    return (
        f"The label numbers run from 1 to {last}; classes count from 0. Subtract 1 from every label, or have "
        f"{last + 1} classes, of which class 0 has no video: "
        f"{describe_settings(spec.model_copy(update={'num_classes': last + 1}), spec)}."
    )


def remark_on_bytes(clipped: Mapping[str, float], constant: Sequence[str], spec: DataSpec) -> Iterator[str]:
    """Yield sentences about features that hold little, because their range does not fit or they are constant.

    Args:
        clipped: Share of the bytes at the ends of the range, by feature.
        constant: Features whose bytes do not differ.
        spec: Format with which they were read.
    """
    for name, share in clipped.items():
        if name in constant or share > _MOST_CLIPPED:
            low, high = spec.range_of(name)
            if share <= _MOST_CLIPPED:
                yield f"'{name}' has the same values in every video, so that nothing can be learned from it."
                continue
            stored = "" if spec.layout.frames == "floats" else " (if they are stored as floats)"
            quantized = f" If they were quantized from values outside of it, {_IMPORT}." if stored else ""
            yield (
                f"{share:.1%} of the bytes of '{name}' are at an end of the range {low:g} to {high:g}, as values "
                f"outside of it are. Set the range of its values{stored}: in the recipe, "
                f"`data: {{spec: {{ranges: {{{name}: [LOW, HIGH]}}}}}}`; `yt8m init` measures it.{quantized}"
            )


def _remark_on_negative_labels(payloads: Sequence[bytes], spec: DataSpec) -> str:
    labels = [list(values) for record in _records(payloads) if (values := _labels(record, spec))]
    numbers = {value for values in labels for value in values if not isinstance(value, bytes)}
    if not any(value < 0 for value in numbers):
        return ""
    key = spec.layout.labels
    if numbers <= {-1, 0, 1} and len(set(map(len, labels))) == 1 and len(labels[0]) > 1:
        form = "multi_hot" if all(isinstance(value, int) for value in numbers) else "multi_hot_floats"
        return (
            f"'{key}' probably holds a -1 or 1 for every class. Write 0 in place of -1, and set --classes "
            f"{len(labels[0])} --layout label_form={form}; in the recipe, `data: {{spec: {{num_classes: "
            f"{len(labels[0])}, layout: {{label_form: {form}}}}}}}`."
        )
    return f"Classes count from 0. Leave '{key}' empty in videos without a label, instead of writing a negative number."


def _records(payloads: Sequence[bytes]) -> Iterator[Any]:
    return (record for record in map(parse, payloads[:_MOST_RECORDS]) if record is not None)


def _labels(record: Any, spec: DataSpec) -> Sequence[Any]:
    context = record.context.feature
    return values_of(context[spec.layout.labels]) if spec.layout.labels in context else ()


def _are_floats(frames: Mapping[str, Sequence[bytes]], keys: Mapping[str, float], width: int) -> bool:
    """Return whether the bytes are numbers of usual size if they are taken for floats."""
    kind, low, high = _FLOATS[width]
    numbers = np.concatenate([np.frombuffer(b"".join(frames[key]), kind) for key in keys])
    numbers = numbers[numbers != 0]
    sizes = np.abs(numbers)
    usual = (sizes >= low) & (sizes <= high)
    return len(np.unique(numbers[usual])) >= _LEAST_DIFFERENT and bool(usual.mean() >= _LEAST_USUAL)


def _raw_floats(frames: Mapping[str, Sequence[bytes]], keys: Sequence[str], width: int) -> str:
    kind = _FLOATS[width][0].__name__
    sizes = ", ".join(f"'{key}' {len(frames[key][0]) // width:,}" for key in keys)
    return (
        f"The bytes of each frame are probably {kind} numbers (numbers per frame: {sizes}), not one byte per value, so "
        f"that no setting reads them. Write {_names(keys)} as feature lists of floats and set --layout frames=floats, "
        f"or {_IMPORT} from the arrays of frames."
    )


def _names(keys: Sequence[str]) -> str:
    return " and ".join(f"'{key}'" for key in keys)
