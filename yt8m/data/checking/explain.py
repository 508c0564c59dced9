"""Reasons why records are not usable videos, for messages.

The rules are those of `parsing`, which runs inside a TensorFlow graph and tells only whether a record is usable.
"""

from collections import Counter
from typing import Any

import numpy as np

from yt8m.data.checking.fields import KINDS, parse, values_of
from yt8m.data.format import DataSpec, id_text, mean_name

_TIMES = ("", "", "twice", "three times", "four times", "five times", "six times", "seven times", "eight times",
          "nine times")  # fmt: skip


def explain_bad_record(payload: bytes, spec: DataSpec, *, with_labels: bool = True) -> tuple[str, str]:
    """Check a record field by field.

    Args:
        payload: Serialized `SequenceExample` (frame level) or `Example` (video level).
        spec: Expected features, classes, length and layout.
        with_labels: Whether to check the labels.

    Returns:
        The video's id, or an empty string if it has none; and the first problem, or an empty string if the record is a
        usable video.
    """
    record = parse(payload)
    if record is None:
        return "", "neither a SequenceExample nor an Example"
    context = record.context.feature
    problems = (check(context, spec) for check in (_check_labels, _check_weight, _check_group))
    targets = next(filter(None, problems), "") if with_labels else ""
    return _id(context, spec), _check_id(context, spec) or targets or _check_features(record, spec)


def _id(context: Any, spec: DataSpec) -> str:
    for name in spec.layout.id_keys:
        if name in context and context[name].bytes_list.value:
            return id_text(context[name].bytes_list.value[0])
    return ""


def _check_id(context: Any, spec: DataSpec) -> str:
    keys = spec.layout.id_keys
    wrong = next(
        (found for name in keys if name in context and (found := _wrong_kind(context[name], name, "bytes"))), ""
    )
    missing = f"no '{spec.layout.id}', the key of the id" if spec.layout.id else "no id"
    return wrong or ("" if _id(context, spec) else missing)


def _check_group(context: Any, spec: DataSpec) -> str:
    key = spec.layout.group
    return _wrong_kind(context[key], key, "bytes") if key in context else ""


def _check_labels(context: Any, spec: DataSpec) -> str:
    key, form = spec.layout.labels, spec.layout.label_form
    if key not in context:
        return ""
    wrong = _wrong_kind(context[key], key, "floats" if form == "multi_hot_floats" else "integers")
    values = values_of(context[key])
    if wrong or not values:
        return wrong
    return _check_numbers(values, key, spec) if form == "numbers" else _check_vector(values, key, spec)


def _check_numbers(labels: Any, key: str, spec: DataSpec) -> str:
    outside = [label for label in labels if not 0 <= label < spec.num_classes]
    if outside:
        return f"label {outside[0]} is not one of the {spec.num_classes} classes"
    label, count = Counter(labels).most_common(1)[0]
    if count == 1:
        return ""
    times = _TIMES[count] if count < len(_TIMES) else f"{count:,} times"
    remedy = "they are class numbers, not a vector of zeros and ones" if max(labels) <= 1 else "every class occurs once"
    return f"{key} name class {label} {times}; {remedy}"


def _check_vector(vector: Any, key: str, spec: DataSpec) -> str:
    if len(vector) != spec.num_classes:
        return f"{key} has {len(vector)} values, not {spec.num_classes}, one for every class"
    other = next((value for value in vector if value not in (0, 1)), None)
    return "" if other is None else f"{key} has the value {other:g}; the values are 0 or 1 for every class"


def _check_weight(context: Any, spec: DataSpec) -> str:
    key = spec.layout.weight
    if not key or key not in context:
        return ""
    wrong = _wrong_kind(context[key], key, "floats")
    values = values_of(context[key])
    if wrong or not values:
        return wrong
    if len(values) > 1:
        return f"{key} has {len(values)} values, not one, the weight of the video"
    return "" if np.isfinite(values[0]) and values[0] >= 0 else f"{key} is {values[0]:g}, and no number from 0"


def _check_features(record: Any, spec: DataSpec) -> str:
    lists, context = record.feature_lists.feature_list, record.context.feature
    means = [mean_name(name) for name in spec.features if mean_name(name) in context]
    if wrong := next((found for mean in means if (found := _wrong_kind(context[mean], mean, "floats"))), ""):
        return wrong
    counts = {name: len(lists[name].feature) if name in lists else 0 for name in spec.features}
    return _check_frames(lists, counts, spec) if any(counts.values()) else _check_values(context, spec)


def _check_frames(lists: Any, counts: dict[str, int], spec: DataSpec) -> str:
    missing = [name for name, count in counts.items() if not count]
    if missing:
        return f"no {', no '.join(missing)}"
    for name, size in spec.features.items():
        for number, frame in enumerate(lists[name].feature):
            if problem := _check_frame(frame, size, spec.layout.frames):
                return f"{name} of frame {number} {problem}"
    if len(set(counts.values())) > 1:
        return f"unequal numbers of frames ({', '.join(f'{name} {count}' for name, count in counts.items())})"
    return ""


def _check_frame(frame: Any, size: int, form: str) -> str:
    kind, values = KINDS[frame.WhichOneof("kind")], values_of(frame)
    if kind != form:
        return f"holds {kind}, not {form}"
    if form == "floats":
        if len(values) != size:
            return f"has {len(values)} floats, not {size}"
        return "" if np.isfinite(values).all() else "is not finite"
    if len(values) != 1:
        return f"holds {len(values)} byte strings, not one"
    return "" if len(values[0]) == size else f"has {len(values[0])} bytes, not {size}"


def _check_values(context: Any, spec: DataSpec) -> str:
    """Check the features of a video-level record: their means, or context features of their own names."""
    counts = {}
    for name in spec.features:
        for key in (mean_name(name), name):
            counts[key] = len(values_of(context[key])) if key in context else 0
    if not any(counts.values()):
        return "no frames"
    for name, size in spec.features.items():
        key = mean_name(name) if counts[mean_name(name)] or not counts[name] else name
        if problem := _check_value(context, key, size):
            return problem
    if all(counts[mean_name(name)] for name in spec.features):
        return ""
    # Some features have no mean, so that all are also looked for by their own names.
    doubled = [name for name in spec.features if counts[name] and counts[mean_name(name)]]
    return f"both {mean_name(doubled[0])} and {doubled[0]}" if doubled else ""


def _check_value(context: Any, key: str, size: int) -> str:
    if key not in context or not values_of(context[key]):
        return f"no {key}"
    if wrong := _wrong_kind(context[key], key, "floats"):
        return wrong
    values = context[key].float_list.value
    if len(values) != size:
        return f"{key} has {len(values)} values, not {size}"
    return "" if np.isfinite(values).all() else f"{key} is not finite"


def _wrong_kind(feature: Any, name: str, expected: str) -> str:
    kind = KINDS[feature.WhichOneof("kind")]
    return "" if kind in (expected, "nothing") else f"{name} holds {kind}, not {expected}"
