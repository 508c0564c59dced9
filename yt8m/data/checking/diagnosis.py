"""Diagnosis of records that are not usable videos: what they have, and the settings that read them."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from yt8m.data.checking.explain import explain_bad_record
from yt8m.data.checking.layout import RecordField, describe_fields, fields_of, guess_spec
from yt8m.data.checking.remarks import (
    remark_on_flat_frames,
    remark_on_labels,
    remark_on_raw_floats,
    remark_on_vectors,
)
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.errors import DataError
from yt8m.yaml_files import dump_line

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
        guess = guess_spec(payloads)
    except DataError:
        return " ".join([*sentences, f"No setting reads them: {_IMPORT}."])
    if not with_labels:
        kept = {"labels": spec.layout.labels, "label_form": spec.layout.label_form}
        guess = guess.model_copy(
            update={"layout": guess.layout.model_copy(update=kept), "num_classes": spec.num_classes}
        )
    # The layout comes first, because the records may have more than the wanted features.
    for features in (spec.features, guess.features):
        changes = _changes(spec, guess, features)
        fitting = spec.model_copy(update=changes)
        # The sample may hold records with other faults.
        if changes and any(not explain_bad_record(each, fitting, with_labels=with_labels)[1] for each in payloads):
            return " ".join([*sentences, _remedy(changes, spec)])
    return " ".join(sentences)


def _changes(spec: DataSpec, guess: DataSpec, features: Mapping[str, int]) -> dict[str, Any]:
    """Return the fields of a format that reads features of the records, as far as they differ."""
    changes: dict[str, Any] = {}
    if features != spec.features:
        changes["features"] = dict(features)
        changes["ranges"] = {name: given for name, given in spec.ranges.items() if name in features}
    if guess.layout != spec.layout:
        changes["layout"] = guess.layout
    vectors = guess.layout.label_form != "numbers"
    if (guess.num_classes != spec.num_classes) if vectors else (guess.num_classes > spec.num_classes):
        changes["num_classes"] = guess.num_classes
    return changes


def _remedy(changes: dict[str, Any], spec: DataSpec) -> str:
    """Return the options of the check and the line of the recipe that read the records."""
    options, line = [], {}
    if "features" in changes:
        line["features"] = changes["features"]
        options.append(f"--features {shlex.quote(','.join(f'{key}={size}' for key, size in line['features'].items()))}")
    if "num_classes" in changes:
        line["num_classes"] = changes["num_classes"]
        options.append(f"--classes {line['num_classes']}")
    if "layout" in changes:
        layout: RecordLayout = changes["layout"]
        default = RecordLayout()
        line["layout"] = {
            key: value for key, value in layout if value != getattr(default, key) or value != getattr(spec.layout, key)
        }
        options.append(f"--layout {shlex.quote(','.join(f'{key}={value}' for key, value in line['layout'].items()))}")
    commands = "`yt8m data check`"
    if line.keys() == {"layout"}:
        commands += ", `yt8m predict` and `yt8m evaluate`"
    return (
        f"These settings read them: {commands} with {' '.join(options)}; in the recipe, "
        f"`data: {dump_line({'spec': line})}`. Check that they mean what you expect."
    )


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
