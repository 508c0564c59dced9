"""The shards of a data set: where they are, which side they are on, and the patterns that match them."""

import glob
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from yt8m import storage
from yt8m.data.importing.readers.paths import format_of
from yt8m.data.partition import list_shards
from yt8m.errors import DataError
from yt8m.storage.local import local_path
from yt8m.storage.patterns import any_case, has_wildcards

# Words that begin a part of the name of a shard or its folder, and the side that they mean.
_WORDS = {"train": "training", "valid": "validation", "val": "validation", "dev": "validation", "eval": "validation"}
SIDES = ("training", "validation", "test", "unlabeled")
# Sides that no recipe uses.
UNUSED = ("test", "unlabeled")
# Names of shards of videos without labels, which `yt8m data import` writes.
_UNLABELED = re.compile(r"(?:^|[^a-z])unlabel")
_SIDE = re.compile(rf"(?:^|[^a-z])({'|'.join([*_WORDS, 'test'])})")
# Endings of shards in a folder that is given as a whole, the first that exists, also one folder deeper.
_ENDINGS = tuple(map(any_case, ("*.tfrecord", "*.tfrecords", "*tfrecord*")))
_LEAST_SHARDS = 2


@dataclass(frozen=True)
class Shards:
    """Shards of one side.

    Attributes:
        uris: Absolute paths or URIs.
        patterns: Absolute patterns that match these shards and no others.
        sizes: Bytes of each shard.
    """

    uris: tuple[str, ...]
    patterns: tuple[str, ...]
    sizes: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Size of all shards."""
        return sum(self.sizes)


def find_shards(places: Sequence[str]) -> dict[str, Shards]:
    """Find the shards of a data set and divide them by their names.

    Args:
        places: Folders, shards, and glob patterns of shards.

    Returns:
        The shards of `training`, `validation`, `test` and `unlabeled`. Shards that are not divided are all in
        `validation`, some of which are held out while the others train.

    Raises:
        DataError: A place has no shards.
    """
    uris = list_shards("--data", [pattern for place in places for pattern in _patterns_of(place)])
    if other := next((uri for uri in uris if _is_source(uri)), ""):
        raise DataError(_not_shards(other))
    unlabeled = [uri for uri in uris if _UNLABELED.search(uri.rpartition("/")[2].lower())]
    rest = [uri for uri in uris if uri not in set(unlabeled)]
    # Of shards that are all named so, the records tell whether they have labels.
    sides = _divide(rest) | ({"unlabeled": unlabeled} if unlabeled else {}) if rest else _divide(unlabeled)
    return {side: _of(sides[side]) for side in SIDES if side in sides}


def check_enough(sides: Mapping[str, Shards]) -> None:
    """Check that there are shards to train on and to hold out.

    Raises:
        DataError: There is only one. The message tells how to divide its videos.
    """
    labeled = [uri for side, found in sides.items() if side not in UNUSED for uri in found.uris]
    if len(labeled) < _LEAST_SHARDS:
        raise DataError(_too_few(labeled, len(sides["test"].uris) if "test" in sides else 0))


def _patterns_of(place: str) -> list[str]:
    """Return the patterns of the shards in a folder, or the place itself if it is no folder."""
    if not place.strip():
        raise DataError("--data: expected a folder or a pattern of shards, received an empty text.")
    if has_wildcards(place) and not storage.exists(place):
        return [place]
    for folders in ("", "*/"):
        for ending in _ENDINGS:
            pattern = storage.join(place, folders + ending)
            if storage.list_uris(pattern):
                return [pattern]
    inside = [uri for folders in ("*", "*/*") for uri in storage.list_uris(storage.join(place, folders))]
    if other := next((uri for uri in inside if _is_source(uri)), ""):
        raise DataError(_not_shards(other))
    if inside:
        raise DataError(
            f"--data: no shards in the folder '{place}', only other files, such as {inside[0]}. Shards are TFRecord "
            "files with names such as train0000.tfrecord."
        )
    if not storage.is_remote(place) and local_path(place).is_dir():
        raise DataError(
            f"--data: no shards in the folder '{place}', nor in the folders in it. Give a folder with TFRecord files; "
            "`yt8m data import` writes one."
        )
    return [place]


def _is_source(uri: str) -> bool:
    """Return whether `yt8m data import` reads files of this name."""
    try:
        format_of(uri)
    except DataError:
        return False
    return True


def _not_shards(uri: str) -> str:
    return (
        f"--data: {uri} is no shard. Import your videos first: `yt8m data import` writes shards from .npy, .npz, "
        "Parquet, CSV and HDF5 files. Then give --data the folder that it wrote."
    )


def _divide(uris: Sequence[str]) -> dict[str, list[str]]:
    """Divide shards by the names of their files, or else of their folders."""
    for part in (-1, -2):
        found = [_SIDE.search(uri.split("/")[part].lower()) for uri in uris]
        if all(found):
            sides: dict[str, list[str]] = {}
            for uri, match in zip(uris, found, strict=True):
                sides.setdefault(_WORDS.get(match[1], "test") if match else "", []).append(uri)
            if {"training", "validation"} <= sides.keys():
                return sides
            test = sides.pop("test", [])
            rest = [uri for shards in sides.values() for uri in shards]
            return {"validation": rest, "test": test} if rest and test else {"validation": rest or test}
    return {"validation": list(uris)}


def _of(uris: Sequence[str]) -> Shards:
    sizes = tuple(status.size for status in storage.stats(uris).values())
    return Shards(tuple(uris), tuple(_shortest_patterns(uris)), sizes)


def _too_few(labeled: Sequence[str], test: int) -> str:
    (uri,) = labeled
    beside = f" besides {test} for the test" if test else ""
    folder = storage.join(storage.folder_of(uri), "shards")
    return (
        f"--data: {uri} is the only shard{beside}, but the videos on which models are measured need a shard of their "
        f"own. Divide its videos among several: `yt8m data split {shlex.quote(uri)} --out {shlex.quote(folder)}`. Then "
        f"give --data {shlex.quote(folder)}. Videos of one source, such as clips of one film, must stay together: "
        "import these with `yt8m data import --group-column`."
    )


def _shortest_patterns(uris: Iterable[str]) -> list[str]:
    """Return a pattern for the shards of each folder, or the shards themselves where none matches them alone."""
    folders: dict[str, list[str]] = {}
    for uri in uris:
        folder, _, name = uri.rpartition("/")
        folders.setdefault(folder, []).append(name)
    return [f"{folder}/{name}" for folder, names in folders.items() for name in _shortest_names(folder, names)]


def _shortest_names(folder: str, names: Sequence[str]) -> Sequence[str]:
    if len(names) == 1:
        return names
    prefix = _common_start(names)
    suffix = _common_start([name[len(prefix) :][::-1] for name in names])[::-1]
    for start in (prefix.rstrip("0123456789"), prefix):
        pattern = f"{glob.escape(start)}*{glob.escape(suffix)}"
        if len(storage.list_uris(f"{folder}/{pattern}")) == len(names):
            return [pattern]
    return names


def _common_start(names: Sequence[str]) -> str:
    """Return the letters with which all names begin."""
    first, last = min(names), max(names)
    length = next(
        (number for number, (one, two) in enumerate(zip(first, last, strict=False)) if one != two), len(first)
    )
    return first[:length]
