"""The format of videos that fits the records of shards without a description."""

from collections.abc import Iterable, Mapping, Sequence

from yt8m.data.checking.diagnosis import diagnose
from yt8m.data.checking.explain import explain_bad_record
from yt8m.data.checking.fields import describe_fields, fields_of, parse, values_of
from yt8m.data.checking.floats import measure_ranges
from yt8m.data.checking.labels import any_labeled
from yt8m.data.checking.layout import guess_spec
from yt8m.data.checking.remarks import remark_on_raw_floats
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.errors import DataError

# Classes of YouTube-8M that a part of its records may miss.
_UNSEEN_CLASSES = 500
_SEVERAL = 2
_ANOTHER_FORM = (
    "Labels are class numbers, or a 0 or 1 for every class, as integers. `yt8m data import --labels` reads names of "
    "classes from a file, and writes shards that models can learn from."
)


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
    if remark := remark_on_raw_floats(payloads, spec):
        raise DataError(f"--data: {uri}: {remark}")
    check_labels(payloads, spec, uri)
    own = DataSpec()
    spec = spec.model_copy(update={"ranges": measure_ranges(payloads, spec)})
    if spec.features != own.features:
        return spec
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
            f"--data: {uri}: the records have no labels, so that no model can learn from them. The first record has: "
            f"{describe_fields(fields_of(payloads[0]))}. Give labeled shards; `yt8m data import --labels` writes them. "
            "`yt8m predict` reads videos without labels."
        )


def have_one_label(payloads: Iterable[bytes], layout: RecordLayout) -> bool:
    """Return whether there are records, and each of them has exactly one label."""
    counts = {_count_labels(payload, layout) for payload in payloads}
    return counts == {1}


def can_test(payloads: Iterable[bytes], spec: DataSpec) -> bool:
    """Return whether there are records that are usable videos with labels, so that a model can be tested on them."""
    return any_labeled((payload for payload in payloads if not explain_bad_record(payload, spec)[1]), spec)


def _count_labels(payload: bytes, layout: RecordLayout) -> int:
    record = parse(payload)
    if record is None or layout.labels not in record.context.feature:
        return 0
    values = values_of(record.context.feature[layout.labels])
    return len(values) if layout.label_form == "numbers" else sum(value == 1 for value in values)


def check_kinds(shards: Mapping[str, Sequence[bytes]], spec: DataSpec | None) -> None:
    """Check that one format can read the features of all shards.

    Args:
        shards: Some records of each shard.
        spec: Format of the data set's description, or None to find it.

    Raises:
        DataError: There are shards of several kinds. The message tells which ones have which features.
    """
    kinds: dict[str, list[str]] = {}
    for uri, payloads in shards.items():
        if own := _guess(payloads):
            kinds.setdefault(_describe_kind(own, payloads[0]), []).append(uri)
    if len(kinds) < _SEVERAL:
        return
    levels = {any(field.in_list for field in fields_of(payloads[0])) for payloads in shards.values() if payloads}
    common = spec or _guess([payload for payloads in shards.values() for payload in payloads])
    # Models that learn from frames do not understand vectors of whole videos, even if one format reads both.
    if (
        common
        and len(levels) == 1
        and all(
            any(not explain_bad_record(payload, common, with_labels=False)[1] for payload in shards[uri])
            for uris in kinds.values()
            for uri in uris
        )
    ):
        return
    listed = "; ".join(f"{len(uris)} with {features}, such as {uris[0]}" for features, uris in kinds.items())
    raise DataError(
        f"--data: shards of different kinds, which one recipe cannot read: {listed}. Give shards of one kind."
    )


def check_readable(shards: Mapping[str, Sequence[bytes]], spec: DataSpec) -> None:
    """Check that most records are usable videos.

    Args:
        shards: Some records of each shard.
        spec: Format in which to read them.

    Raises:
        DataError: They are not. The message tells what the records have.
    """
    bad = [(uri, each) for uri, payloads in shards.items() for each in payloads if explain_bad_record(each, spec)[1]]
    total = sum(map(len, shards.values()))
    if len(bad) > total / 2:
        uri, payload = bad[0]
        diagnosis = diagnose([each for _, each in bad], spec) or _ANOTHER_FORM
        remedy = "" if "data import" in diagnosis else _ANOTHER_FORM
        raise DataError(
            f"--data: {uri}: {explain_bad_record(payload, spec)[1]} ({len(bad):,} of {total:,} records that were read "
            f"are no usable videos). {diagnosis}{' ' * bool(remedy)}{remedy}"
        )


def _describe_kind(spec: DataSpec, payload: bytes) -> str:
    """Describe features and how they are stored: `rgb 1,024, audio 128 (bytes per frame)`."""
    stored = f"{spec.layout.frames} per frame" if any(each.in_list for each in fields_of(payload)) else "one per video"
    return f"{', '.join(f'{name} {size:,}' for name, size in spec.features.items())} ({stored})"


def _guess(payloads: Sequence[bytes]) -> DataSpec | None:
    try:
        return guess_spec(payloads)
    except DataError:
        return None
