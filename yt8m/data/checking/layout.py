"""Format of videos that fits records of any layout."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from yt8m.data.checking.fields import KINDS, MAX_DESCRIBED, describe_fields, fields_of, parse, values_of
from yt8m.data.checking.numbers import LabelKey, Numbers
from yt8m.data.format import ID_KEYS, DataSpec, RecordLayout, can_be_feature
from yt8m.errors import DataError

_MEAN = "mean_"
_MAX_ID_BYTES = 1024
# Fewest bytes or numbers of a feature.
_MIN_SIZE = 2
# Records whose ids are compared, to find the key that differs between videos.
_COMPARED_IDS = 1000
_LABEL_NAME = re.compile(r"label|class|categor|target|tags?\b", re.IGNORECASE)
# Parts of names of numbers that are neither labels nor frames. Labels of segments are not those of the video.
_OTHER_NAME = re.compile(r"time|start|end\b|score|dimension|rate\b|count|num_|segment|weight|encoded", re.IGNORECASE)
_ID_NAMES = [
    re.compile(each, re.IGNORECASE) for each in (r"(^|[^a-z])(id|key)$", r"id\b", r"path|file|name|ur[il]|key")
]


def guess_spec(payloads: Iterable[bytes]) -> DataSpec:
    """Find the features, classes, length and layout that fit records.

    Args:
        payloads: Serialized records, which are read once.

    Returns:
        The format. Features are ordered by size, the largest first. `num_classes` is the largest label plus 1, or the
        default if there are no labels; `max_frames` is the length of the longest video.

    Raises:
        DataError: The records have no features of frames or videos, or no id. The message tells what they have.
    """
    seen = _Seen()
    first: bytes | None = None
    for payload in payloads:
        first = payload if first is None else first
        seen.add(payload)
    if first is None:
        raise DataError("There is no record.")
    features, frames = seen.features()
    video_id = seen.id_key()
    missing = [] if features else [f"no features of frames or videos{_reasons(seen.other_features(features))}"]
    if not video_id:
        missing.append(
            f"no id: readers take it from a context feature with a byte string of 1 to {_MAX_ID_BYTES:,} bytes"
        )
    if missing:
        has = describe_fields(fields_of(first)) if seen.records else "neither a SequenceExample nor an Example"
        raise DataError(f"The records have {'; and '.join(missing)}. The first record has: {has}.")
    # Readers also look at the first of these keys, whatever it holds.
    usual = video_id == ID_KEYS[0] or (video_id in ID_KEYS and not seen.has_context(ID_KEYS[0]))
    labels = next((each for each in seen.label_keys() if each.named), LabelKey("labels", "numbers", 0, named=False))
    return DataSpec(
        features=features,
        max_frames=max(seen.longest, 1),
        num_classes=labels.classes or DataSpec().num_classes,
        layout=RecordLayout(id="" if usual else video_id, labels=labels.key, label_form=labels.form, frames=frames),
    )


def explain_other_features(payloads: Iterable[bytes], features: Mapping[str, int]) -> dict[str, str]:
    """Tell why fields that look like features are not among the features that were found, by key.

    Args:
        payloads: Serialized records, which are read once.
        features: Features that `guess_spec` has found.
    """
    seen = _Seen()
    for payload in payloads:
        seen.add(payload)
    return seen.other_features(features)


def is_label_name(key: str) -> bool:
    """Return whether a key says that it holds labels of videos."""
    return bool(_LABEL_NAME.search(key)) and not _OTHER_NAME.search(key)


def guess_labels(payloads: Iterable[bytes]) -> list[LabelKey]:
    """Find the context features that can be labels: by their names first, the most probable one at the beginning.

    Args:
        payloads: Serialized records, which are read once.
    """
    seen = _Seen()
    for payload in payloads:
        seen.add(payload)
    return seen.label_keys()


class _Seen:
    """Fields that have been seen in records."""

    def __init__(self) -> None:
        self.records = 0
        self.longest = 0
        self.numbers: dict[str, Numbers] = {}
        # Kind and size of every frame or video, by key.
        self._listed: dict[str, Counter[tuple[str, int]]] = {}
        self._context: dict[str, Counter[tuple[str, int]]] = {}
        # Pairs of feature lists that have equally many frames, counted in records.
        self._pairs: Counter[frozenset[str]] = Counter()
        self._ids: dict[str, set[bytes]] = {}

    def add(self, payload: bytes) -> None:
        record = parse(payload)
        if record is None:
            return
        self.records += 1
        frames = {}
        for key, each in record.feature_lists.feature_list.items():
            frames[key] = len(each.feature)
            shapes = ((one.WhichOneof("kind"), values_of(one)) for one in each.feature)
            self._listed.setdefault(key, Counter()).update(Counter(_shape(kind, values) for kind, values in shapes))
        self._pairs.update(frozenset((a, b)) for a in frames for b in frames if frames[a] == frames[b])
        self.longest = max([self.longest, *(count for key, count in frames.items() if not _OTHER_NAME.search(key))])
        for key, feature in record.context.feature.items():
            kind, values = feature.WhichOneof("kind"), values_of(feature)
            self._context.setdefault(key, Counter())[_shape(kind, values)] += 1
            if kind == "int64_list" or (kind == "float_list" and _LABEL_NAME.search(key)):
                self.numbers.setdefault(key, Numbers()).add(values, integers=kind == "int64_list")
            elif kind == "bytes_list" and len(values) == 1 and 0 < len(values[0]) <= _MAX_ID_BYTES:
                known = self._ids.setdefault(key, set())
                if self.records <= _COMPARED_IDS:
                    known.add(values[0])

    def has_context(self, key: str) -> bool:
        """Check whether any record has a context feature."""
        return key in self._context

    def features(self) -> tuple[dict[str, int], Literal["bytes", "floats"]]:
        """Return names and sizes of the features, and the form of their frames; without frames, those of means."""
        found = {form: self._frame_features(form) for form in ("bytes", "floats")}
        if found["bytes"] or found["floats"]:
            form: Literal["bytes", "floats"] = (
                "floats" if sum(found["floats"].values()) > sum(found["bytes"].values()) else "bytes"
            )
            return found[form], form
        means = _sizes(self._context, "floats", self.records)
        means.pop(next((each.key for each in self.label_keys() if each.named), "labels"), None)
        if any(key.startswith(_MEAN) for key in means):
            means = {key.removeprefix(_MEAN): size for key, size in means.items() if key.startswith(_MEAN)}
        return means, "bytes"

    def _frame_features(self, form: str) -> dict[str, int]:
        sizes = _sizes(self._listed, form)
        first = next(iter(sizes), "")
        # Features of one video have equally many frames; other lists go on another clock.
        return {key: size for key, size in sizes.items() if self._pairs[frozenset((first, key))] > self.records / 2}

    def other_features(self, features: Mapping[str, int]) -> dict[str, str]:
        """Return why fields that look like features are not among them, by key."""
        fields = self._listed or {
            key: shapes
            for key, shapes in self._context.items()
            if key.removeprefix(_MEAN) not in features
            and not _LABEL_NAME.search(key)
            and not (key in self.numbers and self.numbers[key].are_classes)
        }
        first = next(iter(features), "")
        found = {key: self._why_not(key, shapes, first) for key, shapes in fields.items() if key not in features}
        return {key: reason for key, reason in found.items() if reason}

    def _why_not(self, key: str, shapes: Counter[tuple[str, int]], first: str) -> str:
        """Return why a field is no feature; empty if it does not look like one."""
        if not shapes:
            return "it has no frames"
        (kind, size), count = shapes.most_common(1)[0]
        kinds = ("integers", "floats", "bytes", "byte strings") if self._listed else ("integers", "floats")
        if size < _MIN_SIZE or kind not in kinds:
            return ""
        other_name = _OTHER_NAME.search(key) or _LABEL_NAME.search(key)
        other_kind = first in self._listed and kind != self._listed[first].most_common(1)[0][0][0]
        bad_name = not can_be_feature(key)
        reasons = {
            f"a frame holds {size:,} byte strings, and readers take one": kind == "byte strings",
            f"it holds integers, and readers take {'bytes or ' * bool(self._listed)}floats": kind == "integers",
            "its name has a line break or another control character; rename the field in the shards": bad_name,
            "its name is that of something else; if it is a feature, add it with its size": other_name,
            "its frames have different sizes": count <= shapes.total() / 2,
            f"it holds {kind}, unlike '{first}'": other_kind,
            f"it has another number of frames than '{first}'": first in self._listed,
            f"its name does not begin with {_MEAN}, as those of the others do": first,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def id_key(self) -> str:
        """Return the key of the id; empty if there is none."""
        for key in ID_KEYS:
            if key in self._ids:
                return key
        compared = min(self.records, _COMPARED_IDS)
        distinct = sorted(key for key, values in self._ids.items() if len(values) == compared)
        # Shards may hold copies of videos.
        mostly = sorted(key for key, values in self._ids.items() if len(values) >= max(2, compared / 2))
        named = [key for keys in (distinct, mostly) for pattern in _ID_NAMES for key in keys if pattern.search(key)]
        return next(iter([*named, *distinct]), "")

    def label_keys(self) -> list[LabelKey]:
        """Return the context features that can be labels, the most probable one first."""
        usable = {
            key: each
            for key, each in self.numbers.items()
            if not _OTHER_NAME.search(key) and (each.integers or each.is_vector)
        }
        named = sorted((key for key in usable if _LABEL_NAME.search(key)), key=lambda k: (k != "labels", len(k), k))
        others = sorted(
            (key for key in usable if usable[key].are_classes and key not in named and not _ID_NAMES[0].search(key)),
            key=lambda key: (not usable[key].is_vector, key),
        )
        return [usable[key].as_labels(key, named=key in named) for key in (*named, *others)]


def _reasons(found: Mapping[str, str]) -> str:
    """Describe fields that are no features; without any, what readers take."""
    listed = "; ".join(f"not {key!r}, because {reason}" for key, reason in list(found.items())[:MAX_DESCRIBED])
    return f" ({listed})" if listed else ": readers take feature lists of bytes or floats, or floats of the whole video"


def _shape(kind: str | None, values: Sequence[Any]) -> tuple[str, int]:
    if kind == "bytes_list" and len(values) == 1:
        return "bytes", len(values[0])
    return (KINDS[kind] if kind != "bytes_list" else "byte strings"), len(values)


def _sizes(seen: Mapping[str, Counter[tuple[str, int]]], form: str, records: int = 0) -> dict[str, int]:
    """Return the sizes of the fields that mostly have the same kind and size, the largest first."""
    sizes = {}
    for key, shapes in seen.items():
        ((kind, size), count), *_ = shapes.most_common(1) or [(("", 0), 0)]
        mostly = count > max(shapes.total(), records) / 2
        usable = can_be_feature(key) and not _OTHER_NAME.search(key) and not _LABEL_NAME.search(key)
        if kind == form and size >= _MIN_SIZE and mostly and usable:
            sizes[key] = size
    return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))
