"""Diagnosis of records that are not usable videos: what they have, and the settings that read them."""

from collections.abc import Sequence

from yt8m.data.checking.explain import explain_bad_record
from yt8m.data.checking.fields import RecordField, describe_fields, fields_of
from yt8m.data.checking.floats import needed_ranges
from yt8m.data.checking.labels import propose_labels
from yt8m.data.checking.layout import explain_other_features, guess_labels, guess_spec
from yt8m.data.checking.numbers import LabelKey
from yt8m.data.checking.remarks import (
    remark_on_flat_frames,
    remark_on_labels,
    remark_on_raw_floats,
    remark_on_vectors,
)
from yt8m.data.checking.settings import describe_settings
from yt8m.data.format import DataSpec
from yt8m.errors import DataError

_IMPORT = "`yt8m data import` writes shards from NumPy, Parquet, CSV and HDF5 files"


def diagnose(payloads: Sequence[bytes], spec: DataSpec, *, with_labels: bool = True) -> str:
    """Tell what bad records have, and how to read them if that is possible.

    Args:
        payloads: Some serialized records that are not usable videos.
        spec: Format with which they were read.
        with_labels: Whether the labels were read.

    Returns:
        Sentences, or an empty string if there is no record with fields.
    """
    fields = next((found for payload in payloads if (found := fields_of(payload))), ())
    if not fields:
        return ""
    sentences = [f"The records have: {describe_fields(fields)}.", *_notes(fields, spec, with_labels=with_labels)]
    if with_labels and (remark := remark_on_labels(payloads, spec)):
        sentences.append(remark)
    # Other sizes of these features would be read, but as what they are not.
    if misread := remark_on_raw_floats(payloads, spec) or remark_on_flat_frames(fields, spec):
        return " ".join([*sentences, misread])
    if remark := remark_on_vectors(fields, spec):
        sentences.append(remark)
    try:
        wanted = _nearest(payloads, spec, with_labels=with_labels)
    except DataError as error:
        return " ".join([str(error), *sentences[1:], f"No setting reads them: {_IMPORT}."])
    if wanted:
        settings = describe_settings(wanted, spec)
        sentences.append(f"These settings read them: {settings}. Check that they mean what you expect.")
        if wanted.features != spec.features:
            left_out = explain_other_features(payloads, wanted.features)
            sentences += [f"Without {key!r}, because {reason}." for key, reason in left_out.items()]
        proposal = "" if _have(payloads, wanted.layout.labels) else propose_labels(payloads, wanted, spec)
        if with_labels and proposal:
            sentences.append(f"No label is read. {proposal}")
        if wanted.ranges and wanted.ranges != spec.ranges:
            records = f"{len(payloads)} record{'s' * (len(payloads) != 1)}"
            sentences.append(f"The ranges are those of {records}; `yt8m init` measures up to 1,000.")
    return " ".join(sentences)


def _nearest(payloads: Sequence[bytes], spec: DataSpec, *, with_labels: bool) -> DataSpec | None:
    """Return the format that reads records and differs least from another one; None if there is none.

    Args:
        payloads: Some serialized records. Those with other faults than their layout stay bad.
        spec: Format from which to differ.
        with_labels: Whether the labels are read.

    Raises:
        DataError: The records have no features or no id.
    """
    guess = guess_spec(payloads)
    wanted = _with_layout(spec, id=guess.layout.id, frames=guess.layout.frames)
    kept: list[dict[str, str]] = [{"id": spec.layout.id}, {"frames": spec.layout.frames}]
    if with_labels and (labels := _labels(payloads, spec)):
        wanted = labels.set_in(wanted)
        if spec.layout.label_form != "numbers" and spec.num_classes == wanted.num_classes:
            kept.append({"label_form": spec.layout.label_form})

    def usable(each: DataSpec) -> int:
        return sum(not explain_bad_record(payload, each, with_labels=with_labels)[1] for payload in payloads)

    # The layout comes first, because the records may have more than the wanted features.
    for features in (spec.features, guess.features):
        ranges = {name: given for name, given in spec.ranges.items() if name in features}
        best = wanted.model_copy(update={"features": dict(features), "ranges": ranges})
        if best == spec or not (most := usable(best)):
            continue
        # What is set and fits is kept.
        for keys in kept:
            if usable(other := _with_layout(best, **keys)) >= most:
                best = other
        return best.model_copy(update={"ranges": {**needed_ranges(payloads, best), **ranges}})
    return None


def _labels(payloads: Sequence[bytes], spec: DataSpec) -> LabelKey | None:
    """Return what the labels probably are; None if they are where they are expected, or unknown."""
    own = spec.layout.labels
    candidates = {each.key: each for each in guess_labels(payloads)}
    if own in candidates:
        return candidates[own]
    return None if _have(payloads, own) else next((each for each in candidates.values() if each.named), None)


def _have(payloads: Sequence[bytes], key: str) -> bool:
    """Return whether records have integers, or floats, with a key."""
    fields = (field for payload in payloads for field in fields_of(payload) if field.key == key and not field.in_list)
    return any(field.kind in ("integers", "floats") for field in fields)


def _with_layout(spec: DataSpec, **keys: str) -> DataSpec:
    return spec.model_copy(update={"layout": spec.layout.model_copy(update=keys)})


def _notes(fields: Sequence[RecordField], spec: DataSpec, *, with_labels: bool) -> list[str]:
    """Explain fields that no setting reads."""
    notes = []
    by_key = {field.key: field for field in fields}
    if any(field.key.endswith("encoded") and field.kind == "bytes" for field in fields):
        notes.append("Encoded images are no features: extract features with a network first.")
    for name, size in spec.features.items():
        flat = by_key.get(name)
        if flat and not flat.in_list and flat.size > size and flat.size % size == 0:
            notes.append(
                f"'{name}' holds {flat.size // size:,} frames of {size:,} {flat.kind} in one feature; readers take a "
                "feature list with one entry per frame."
            )
    ids = [by_key[key] for key in spec.layout.id_keys if key in by_key and by_key[key].kind in ("integers", "floats")]
    notes += [f"'{key.key}' holds {key.kind}; readers take ids that are byte strings." for key in ids]
    labels = by_key.get(spec.layout.labels)
    if with_labels and labels and labels.kind == "bytes":
        notes.append(f"'{labels.key}' holds byte strings, perhaps names of classes; readers take class numbers.")
    if with_labels and labels and labels.kind == "floats" and spec.layout.label_form != "multi_hot_floats":
        notes.append(
            f"'{labels.key}' holds floats; readers take class numbers that are integers, or a 0 or 1 for every class."
        )
    if with_labels and not labels and "segment_labels" in by_key:
        notes.append("'segment_labels' are labels of segments, not of the video.")
    return notes
