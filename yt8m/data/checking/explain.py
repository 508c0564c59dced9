"""Reasons why records are not usable videos, for messages.

The rules are those of `parsing`, which runs inside a TensorFlow graph and tells only whether a record is usable.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.data.format import DataSpec, mean_name

_KINDS = {"bytes_list": "bytes", "float_list": "floats", "int64_list": "integers", None: "nothing"}


def explain_bad_record(payload: bytes, spec: DataSpec, *, with_labels: bool = True) -> tuple[str, str]:
    """Check a record field by field.

    Args:
        payload: Serialized `SequenceExample` (frame level) or `Example` (video level).
        spec: Expected features, classes and length.
        with_labels: Whether to check the labels.

    Returns:
        The video's id, or an empty string if it has none; and the first problem, or an empty string if the record is a
        usable video.
    """
    try:
        # An Example is a SequenceExample without feature lists: both keep their features in field 1.
        record = tf.train.SequenceExample.FromString(payload)
    except Exception:  # the protobuf implementations raise different errors
        return "", "neither a SequenceExample nor an Example"
    context = record.context.feature
    video_id = _id(context)
    labels = _check_labels(context, spec.num_classes) if with_labels else ""
    return video_id, _check_id(context) or labels or _check_features(record, spec)


def _id(context: Any) -> str:
    for name in ("id", "video_id"):
        if name in context and context[name].bytes_list.value:
            return str(context[name].bytes_list.value[0].decode("utf-8", "replace"))
    return ""


def _check_id(context: Any) -> str:
    wrong = next((_wrong_kind(context[name], name, "bytes") for name in ("id", "video_id") if name in context), "")
    return wrong or ("" if _id(context) else "no id")


def _check_labels(context: Any, num_classes: int) -> str:
    if "labels" not in context:
        return ""
    wrong = _wrong_kind(context["labels"], "labels", "integers")
    outside = [label for label in context["labels"].int64_list.value if not 0 <= label < num_classes]
    return wrong or (f"label {outside[0]} is not one of the {num_classes} classes" if outside else "")


def _check_features(record: Any, spec: DataSpec) -> str:
    counts = {name: len(record.feature_lists.feature_list[name].feature) for name in spec.features}
    if any(counts.values()):
        return _check_frames(record.feature_lists.feature_list, counts, spec)
    if any(mean_name(name) in record.context.feature for name in spec.features):
        return _check_means(record.context.feature, spec)
    return "no frames"


def _check_frames(lists: Any, counts: dict[str, int], spec: DataSpec) -> str:
    missing = [name for name, count in counts.items() if not count]
    if missing:
        return f"no {', no '.join(missing)}"
    if len(set(counts.values())) > 1:
        return f"unequal numbers of frames ({', '.join(f'{name} {count}' for name, count in counts.items())})"
    for name, size in spec.features.items():
        for number, frame in enumerate(lists[name].feature):
            values = frame.bytes_list.value
            if len(values) != 1:
                return f"{name} of frame {number} holds {len(values)} byte strings, not one"
            if len(values[0]) != size:
                return f"{name} of frame {number} has {len(values[0])} bytes, not {size}"
    return ""


def _check_means(context: Any, spec: DataSpec) -> str:
    for name, size in spec.features.items():
        mean = mean_name(name)
        if mean not in context:
            return f"no {mean}"
        if wrong := _wrong_kind(context[mean], mean, "floats"):
            return wrong
        values = context[mean].float_list.value
        if len(values) != size:
            return f"{mean} has {len(values)} values, not {size}"
        if not np.isfinite(values).all():
            return f"{mean} is not finite"
    return ""


def _wrong_kind(feature: Any, name: str, expected: str) -> str:
    kind = _KINDS[feature.WhichOneof("kind")]
    return "" if kind in (expected, "nothing") else f"{name} holds {kind}, not {expected}"
