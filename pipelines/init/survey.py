"""What a data set holds: sides, numbers of videos, features, classes and frames, from looking at its records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from pipelines.init.records import can_test, check_kinds, check_labels, check_readable, find_spec, have_one_label
from pipelines.init.shards import UNUSED, Shards, check_enough
from yt8m import storage
from yt8m.data.checking.layout import explain_other_features
from yt8m.data.description import DatasetDescription
from yt8m.data.format import DataSpec
from yt8m.data.tfrecord import inspect_framing, read_payloads
from yt8m.errors import DataError

# Shards of a side to open, evenly spread. Those of an object store must be downloaded as a whole.
_OPENED_SHARDS, _OPENED_REMOTE_SHARDS = 200, 8
# Bytes of records to read from the opened shards together.
_READ_BYTES = 256 << 20
# Records of a side in which to look for labels.
_CHECKED_LABELS = 200
# Records whose fields tell why some of them are no features.
_EXPLAINED = 100
# Records of a shard whose fields are compared with those of other shards.
_COMPARED = 5


@dataclass(frozen=True)
class Side:
    """A side of a data set.

    Attributes:
        shards: Its shards.
        records: Number of records of each shard that was opened.
        videos: Number of videos, which is an estimate unless `counted`.
        counted: Whether all shards were opened, or the data set's description has their number.
        damaged: Damage of the opened shards that have one, or no record.
    """

    shards: Shards
    records: Mapping[str, int]
    videos: int
    counted: bool
    damaged: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Survey:
    """What a data set holds.

    Attributes:
        spec: Features, classes, length and layout of the videos.
        sides: `training`, `validation`, `test` and `unlabeled`; a data set that is not divided has no `training`.
        described: Whether the data set has a description. Otherwise `spec` fits the records that were read.
        vocabulary: File with the names of the classes; empty if there is none.
        read: Number of records that were read to find `spec`; 0 with a description.
        left_out: Why fields of the records are not among the features, by key.
        single_label: Whether all records that were looked at have exactly one label.
        can_test: Whether test shards have usable videos with labels.
    """

    spec: DataSpec
    sides: Mapping[str, Side]
    described: bool
    vocabulary: str
    read: int
    left_out: Mapping[str, str] = field(default_factory=dict)
    single_label: bool = False
    can_test: bool = False

    @property
    def videos(self) -> int:
        """Number of videos with labels to train on and to hold out."""
        return sum(side.videos for name, side in self.sides.items() if name not in UNUSED)

    @property
    def num_bytes(self) -> int:
        """Size of the shards with these videos."""
        return sum(side.shards.num_bytes for name, side in self.sides.items() if name not in UNUSED)

    @property
    def complete(self) -> bool:
        """Whether all records were read to find `spec`."""
        return self.counted and self.read >= self.videos

    @property
    def counted(self) -> bool:
        """Whether all numbers of videos are exact."""
        return all(side.counted for side in self.sides.values())


def survey(shards: Mapping[str, Shards]) -> Survey:
    """Look at the shards of a data set.

    Args:
        shards: The shards of each side; see `find_shards`.

    Raises:
        ConfigError: A file `dataset.json` beside the shards does not describe them.
        DataError: The shards hold no records that a model can learn from, or different ones. The message tells what
            they have.
    """
    uris = [uri for side in shards.values() for uri in side.uris]
    described = {folder: DatasetDescription.in_folder(folder) for folder in set(map(storage.folder_of, uris))}
    (folder, description), *others = described.items()
    for other, second in others:
        if (description and description.data) != (second and second.data):
            raise DataError(
                f"--data: {folder} and {other} hold different data, as their dataset.json say. Give shards of one "
                "data set."
            )
    sides = {name: _open(side) for name, side in shards.items()}
    _check_records(sides)
    labeled = [side for name, side in sides.items() if name not in UNUSED]
    firsts = {uri: list(take_records({uri: n}, _COMPARED)) for side in labeled for uri, n in side.records.items() if n}
    check_kinds(firsts, description.data if description else None)
    if description:
        for side in labeled:
            check_labeled(side, description.data)
        check_readable(firsts, description.data)
        check_enough(shards)
        vocabulary = storage.join(folder, description.vocabulary) if description.vocabulary else ""
        single_label = have_one_label(_read(labeled), description.data.layout)
        tested = _can_test(sides, description.data)
        return Survey(description.data, sides, True, vocabulary, 0, single_label=single_label, can_test=tested)
    payloads = list(_read(labeled))
    spec = find_spec(payloads, next(iter(firsts)))
    check_readable(firsts, spec)
    check_enough(shards)
    left_out = explain_other_features(payloads[:_EXPLAINED], spec.features)
    single_label = have_one_label(payloads, spec.layout)
    return Survey(spec, sides, False, "", len(payloads), left_out, single_label, _can_test(sides, spec))


def _can_test(sides: Mapping[str, Side], spec: DataSpec) -> bool:
    return "test" in sides and can_test(take_records(sides["test"].records, _CHECKED_LABELS), spec)


def _read(sides: Sequence[Side]) -> Iterator[bytes]:
    """Yield records of the sides, evenly from their shards, up to a number of bytes."""
    mean_bytes = sum(side.shards.num_bytes for side in sides) / max(sum(side.videos for side in sides), 1)
    wanted = round(_READ_BYTES / max(mean_bytes, 1) / len(sides))
    for side in sides:
        yield from take_records(side.records, wanted)


def check_labeled(side: Side, spec: DataSpec) -> None:
    """Check that some of the first records of a side have labels.

    Raises:
        DataError: None has. The message tells what the records have instead.
    """
    check_labels(list(take_records(side.records, _CHECKED_LABELS)), spec, side.shards.uris[0])


def take_records(records: Mapping[str, int], number: int) -> Iterator[bytes]:
    """Yield about so many records, evenly from the beginnings of shards.

    Args:
        records: Number of records of each shard.
        number: Number of records to take from all of them.
    """
    share = min(number / max(sum(records.values()), 1), 1.0)
    for uri, count in records.items():
        yield from read_payloads(storage.stage_in(uri), 0, ceil(count * share))


def _open(shards: Shards) -> Side:
    """Count the records of shards, or of some of them."""
    limit = _OPENED_REMOTE_SHARDS if storage.is_remote(shards.uris[0]) else _OPENED_SHARDS
    chosen = np.unique(np.linspace(0, len(shards.uris) - 1, min(limit, len(shards.uris))).round().astype(int)).tolist()
    records, damaged, opened_bytes = {}, {}, 0
    for number in chosen:
        uri = shards.uris[number]
        framing = inspect_framing(storage.stage_in(uri), verify_payloads=False)
        records[uri] = framing.records
        if framing.damage or not framing.records:
            damaged[uri] = framing.damage.reason if framing.damage else "no records"
        opened_bytes += shards.sizes[number]
    found = sum(records.values())
    counted = len(chosen) == len(shards.uris)
    videos = found if counted else round(found * shards.num_bytes / max(opened_bytes, 1))
    return Side(shards, records, videos, counted, damaged)


def _check_records(sides: Mapping[str, Side]) -> None:
    """Check that the sides to train on and to hold out have records."""
    for name, side in sides.items():
        if name not in UNUSED and not any(side.records.values()):
            uri, reason = next(iter(side.damaged.items()))
            raise DataError(
                f"--data: no records in the {name} shards. {uri}: {reason}. Give "
                "TFRecord files; `yt8m data import` makes them from .npy, Parquet, CSV and HDF5 files."
            )
