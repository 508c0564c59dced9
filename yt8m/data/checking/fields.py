"""Fields of records of any layout: names, kinds and sizes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from yt8m.data.format import RecordLayout

KINDS = {"bytes_list": "bytes", "float_list": "floats", "int64_list": "integers", None: "nothing"}
# Maximum number of fields in a description; further ones are only counted.
MAX_DESCRIBED = 20


class RecordField(NamedTuple):
    """A field of a record: a feature list with one entry per frame, or a context feature.

    Attributes:
        key: Name of the field.
        kind: Kind of the values: `bytes`, `floats`, `integers`, or `nothing` if there are none.
        size: Bytes of the first byte string, or number of floats or integers; in a feature list, of the first frame.
        frames: Number of frames of a feature list; 0 for a context feature.
        values: Number of byte strings, floats or integers; in a feature list, in the first frame.
        in_list: Whether the field is a feature list.
    """

    key: str
    kind: str
    size: int
    frames: int
    values: int
    in_list: bool

    def __str__(self) -> str:
        if self.in_list and not self.frames:
            return f"'{self.key}' (no frames)"
        each = f"{self.frames:,} frame{'s' * (self.frames != 1)} of " if self.in_list else ""
        if self.kind == "nothing":
            return f"'{self.key}' ({each}nothing)"
        if self.kind == "bytes" and self.values != 1:
            return f"'{self.key}' ({each}{self.values:,} byte strings)"
        kind = self.kind.removesuffix("s") if self.size == 1 else self.kind
        return f"'{self.key}' ({each}{self.size:,} {kind})"


def fields_of(payload: bytes) -> tuple[RecordField, ...]:
    """List the fields of a record, feature lists first, each by name.

    Args:
        payload: Serialized `SequenceExample` or `Example`. Anything else has no fields.
    """
    record = parse(payload)
    if record is None:
        return ()
    lists = record.feature_lists.feature_list
    context = record.context.feature
    found = [_field(key, lists[key].feature[:1], len(lists[key].feature), in_list=True) for key in sorted(lists)]
    return (*found, *(_field(key, [context[key]], 0, in_list=False) for key in sorted(context)))


def parse(payload: bytes) -> Any:
    """Parse a `SequenceExample` or `Example`; return None if the payload is neither.

    An Example is a SequenceExample without feature lists, because both keep their features in field 1.
    """
    try:
        return tf.train.SequenceExample.FromString(payload)
    except Exception:  # the protobuf implementations raise different errors
        return None


def id_of(payload: bytes, layout: RecordLayout) -> bytes:
    """Return the id of a record, or an empty string if it has none that a reader takes."""
    record = parse(payload)
    context = record.context.feature if record is not None else {}
    for key in layout.id_keys:
        if key in context and context[key].bytes_list.value:
            return bytes(context[key].bytes_list.value[0])
    return b""


def group_of(payload: bytes, layout: RecordLayout) -> bytes:
    """Return the group of a record, or its id if it has none, as readers do."""
    record = parse(payload) if layout.group else None
    if record is not None and (groups := record.context.feature[layout.group].bytes_list.value):
        return bytes(groups[0])
    return id_of(payload, layout)


def values_of(feature: Any) -> Sequence[Any]:
    """Return the byte strings, floats or integers of a feature."""
    kind = feature.WhichOneof("kind")
    values: Sequence[Any] = getattr(feature, kind).value if kind else ()
    return values


def describe_fields(fields: Sequence[RecordField]) -> str:
    """Describe what a record has: names, kinds, sizes and numbers of frames of its fields."""
    parts = []
    for title, in_list in (("feature lists", True), ("context features", False)):
        chosen = [str(each) for each in fields if each.in_list == in_list]
        more = f" and {len(chosen) - MAX_DESCRIBED:,} more" if len(chosen) > MAX_DESCRIBED else ""
        parts.append(f"{title} {', '.join(chosen[:MAX_DESCRIBED])}{more}" if chosen else f"no {title}")
    return "; ".join(parts)


def _field(key: str, first: Sequence[Any], frames: int, *, in_list: bool) -> RecordField:
    values = values_of(first[0]) if first else ()
    kind = KINDS[first[0].WhichOneof("kind") if first and values else None]
    size = len(values[0]) if kind == "bytes" else len(values)
    return RecordField(key, kind, size, frames, len(values), in_list)
