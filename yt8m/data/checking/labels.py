"""Labels that records have under another key, or in another form, than the expected one."""

from collections.abc import Iterable, Sequence

from yt8m import storage
from yt8m.data.checking.fields import RecordField, describe_fields, fields_of
from yt8m.data.checking.layout import guess_labels, is_label_name
from yt8m.data.checking.numbers import LabelKey
from yt8m.data.checking.remarks import remark_on_labels
from yt8m.data.checking.settings import describe_settings
from yt8m.data.format import DataSpec
from yt8m.data.tfrecord import inspect_framing, read_payloads

# Records in which to look for labels.
_MOST_RECORDS = 100
# Keys that are proposed.
_MOST_KEYS = 3


def first_records(uri: str) -> list[bytes]:
    """Read the first records of a shard."""
    path = storage.stage_in(uri)
    records = min(inspect_framing(path, verify_payloads=False).records, _MOST_RECORDS)
    return list(read_payloads(path, 0, records))


def any_labeled(payloads: Iterable[bytes], spec: DataSpec) -> bool:
    """Return whether a video has a label.

    Args:
        payloads: Serialized records that readers can use.
        spec: Features, classes and layout of the videos.
    """
    import tensorflow as tf  # noqa: PLC0415

    from yt8m.data.parsing import parse_record  # noqa: PLC0415

    videos = (parse_record(tf.constant(payload), spec, with_frames=False)[0] for payload in payloads)
    return any(video["labels"].numpy().any() for video in videos)


def explain_missing_labels(payloads: Sequence[bytes], spec: DataSpec) -> str:
    """Tell what records without labels have instead, and the settings that read it.

    Args:
        payloads: Serialized records, at least one.
        spec: Format in which they have no labels.
    """
    key = spec.layout.labels
    fields = [each for payload in payloads for each in fields_of(payload)]
    own = [each for each in fields if each.key == key]
    if any(each.in_list for each in own):
        has = f"'{key}' is a feature list; readers take labels from a context feature"
    elif own:
        has = f"'{key}' is empty in their records"
    else:
        has = f"the records have no '{key}'; the first has {describe_fields(fields_of(payloads[0]))}"
    if remedy := propose_labels(payloads, spec, spec) or _other_kinds(payloads, fields, spec):
        return f"{has}. {remedy}"
    return (
        f"{has}. Give labeled shards: YouTube-8M's test shards have no labels, and labels of segments are not those of "
        "videos."
    )


def propose_labels(payloads: Sequence[bytes], wanted: DataSpec, given: DataSpec) -> str:
    """Return a sentence for every key that can be the labels, with the settings that read them.

    Args:
        payloads: Serialized records.
        wanted: Format that reads the records apart from their labels.
        given: Format that is set.
    """
    keys = [each for each in guess_labels(payloads) if each.key != wanted.layout.labels]
    named = [each for each in keys if each.named]
    return " ".join(
        f"If '{each.key}' are the labels, these settings read them: {describe_settings(each.set_in(wanted), given)}."
        for each in (named or keys)[:_MOST_KEYS]
    )


def propose_two_classes(given: DataSpec) -> str:
    """Return what to set if a 0 or 1 for each of two classes was read as the numbers of the classes 0 and 1."""
    wanted = LabelKey(given.layout.labels, "multi_hot", 2, named=True).set_in(given)
    return (
        "If the labels are a 0 or 1 for each of two classes, these settings read them: "
        f"{describe_settings(wanted, given)}."
    )


def _other_kinds(payloads: Sequence[bytes], fields: Sequence[RecordField], spec: DataSpec) -> str:
    """Tell what fields are whose name is that of labels, but which readers do not take."""
    for field in fields:
        if not is_label_name(field.key):
            continue
        if field.in_list:
            if field.key != spec.layout.labels:
                return f"'{field.key}' is a feature list; readers take labels from a context feature."
            return "Write the numbers of a video's classes as a context feature."
        layout = spec.layout.model_copy(update={"labels": field.key})
        if remark := remark_on_labels(payloads, spec.model_copy(update={"layout": layout})):
            return f"'{field.key}' holds {field.kind}; readers take class numbers. {remark}"
    return ""
