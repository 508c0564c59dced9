"""The partition of a data set into training and hold-out shards."""

import hashlib
import logging
import os
import shlex
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from pydantic import NonNegativeInt

from yt8m import storage
from yt8m.config import Config, ConfigFile
from yt8m.data.format import DataSpec
from yt8m.data.read_report import BadRecord, DamagedShard
from yt8m.errors import DataError
from yt8m.holdout import Division

_LOGGER = logging.getLogger("yt8m.data")


class Shard(Config):
    """A shard with at least one usable video.

    Attributes:
        uri: Path or URI of the shard.
        videos: Number of usable videos.
        size_bytes: Size of the file.
        checksum: Checksum of the content, independent of where the shard is stored.
    """

    uri: str
    videos: int
    size_bytes: int
    checksum: str

    @property
    def content(self) -> tuple[str, int]:
        """What the content is recognized by, wherever the shard is stored: checksum and size."""
        return self.checksum, self.size_bytes


def find_known(shards: Iterable[Shard], known: Iterable[Shard]) -> list[Shard]:
    """Return the shards that have the content of a known one."""
    contents = {shard.content for shard in known}
    return [shard for shard in shards if shard.content in contents]


class Partition(ConfigFile):
    """Training and hold-out shards, with their counts and defects.

    Attributes:
        spec: Features, classes and length of the videos.
        seed: Random seed that chose the hold-out shards.
        training: Training shards, including the validation shards that are not held out.
        holdout: Validation shards on which models are measured and selected.
        division: Division of the hold-out videos into a part for decisions and one for the reported figures.
        select_counts: Number of videos in *select* of each hold-out shard. Empty means that all videos decide.
        class_counts: Number of training videos per class.
        fewest_labels: Smallest number of labels of a video, of both sides.
        most_labels: Largest number of labels of a video, of both sides.
        damaged_shards: Shards that cannot be read to their end; the videos before the damage are used.
        skipped_records: First bad records.
        num_skipped_records: Total number of bad records.
        on_bad: Whether readers `skip` bad records and damaged shards, or `fail`.
    """

    spec: DataSpec
    seed: int
    training: tuple[Shard, ...]
    holdout: tuple[Shard, ...]
    select_counts: tuple[NonNegativeInt, ...] = ()
    class_counts: tuple[int, ...]
    fewest_labels: NonNegativeInt = 0
    most_labels: NonNegativeInt = 0
    division: Division = Division()
    damaged_shards: tuple[DamagedShard, ...] = ()
    skipped_records: tuple[BadRecord, ...] = ()
    num_skipped_records: int = 0
    on_bad: Literal["skip", "fail"] = "skip"

    @property
    def training_uris(self) -> list[str]:
        """URIs of the training shards."""
        return [shard.uri for shard in self.training]

    @property
    def holdout_uris(self) -> list[str]:
        """URIs of the hold-out shards."""
        return [shard.uri for shard in self.holdout]

    @property
    def num_training_videos(self) -> int:
        """Number of usable videos in the training shards."""
        return sum(shard.videos for shard in self.training)

    @property
    def num_holdout_videos(self) -> int:
        """Number of usable videos in the hold-out shards."""
        return sum(shard.videos for shard in self.holdout)

    @property
    def single_label(self) -> bool:
        """Whether every video has exactly one label."""
        return self.fewest_labels == self.most_labels == 1

    @property
    def checksums(self) -> dict[str, str]:
        """Content checksums of all shards, by URI, for readers to verify."""
        return {shard.uri: shard.checksum for shard in (*self.training, *self.holdout)}

    @property
    def digest(self) -> str:
        """SHA-256 of the whole partition, including the checksum and URI of every shard."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def list_shards(place: str, patterns: Iterable[str]) -> list[str]:
    """List the shards that match any of several glob patterns, each once.

    Args:
        place: Option or key that holds the patterns, for error messages.
        patterns: Paths, URIs or glob patterns; see `yt8m.storage.patterns`. A shard that is reached over several
            spellings of its path is listed under the first one. Links to a listed shard are left out with a warning.

    Raises:
        DataError: A pattern matches no shard, or something that cannot be read.
    """
    uris: list[str] = []
    for pattern in patterns:
        found = storage.find_files(pattern, "shard", ".tfrecord")
        if found.problem:
            raise DataError(f"{place}: {found.problem}")
        uris += found.uris
    files = _one_per_file(uris)
    listed = {_path(uri) for uri in files.values()}
    if links := [uri for uri in dict.fromkeys(uris) if _path(uri) not in listed]:
        _LOGGER.warning(
            "%s: %s is another name of the file %s, which is used once (%s).",
            place,
            links[0],
            files[storage.identity(links[0])],
            f"{len(links)} such name{'s' * (len(links) > 1)}",
        )
    return list(files.values())


def split_shards(
    training: Sequence[str], validation: Sequence[str], holdout_shards: int, seed: int
) -> tuple[list[str], list[str]]:
    """Divide shards at random into a training and a hold-out list. Several paths to one local file are one shard.

    Args:
        training: URIs of the training shards.
        validation: URIs of the validation shards. Those that are not held out join the training list.
        holdout_shards: Number of validation shards to hold out.
        seed: Random seed for choosing the hold-out shards.

    Returns:
        The training list (training shards, then the other validation shards) and the hold-out list.

    Raises:
        DataError: A shard is in both lists, there are too few validation shards, or no training shard is left.
    """
    sides = [_one_per_file(uris) for uris in (training, validation)]
    both = [(sides[0][file], uri) for file, uri in sides[1].items() if file in sides[0]]
    training, validation = [list(side.values()) for side in sides]
    if both:
        raise DataError(_both_sides(both, files=len(sides[0] | sides[1])))
    most = len(validation) - (not training)
    if len(validation) == 1 and not training:
        raise DataError(f"all shards are held out; none is left to train on. {_only_one_shard(validation[0])}")
    if holdout_shards > len(validation):
        raise DataError(
            f"holdout_shards: {holdout_shards} shards to hold out, but there are {len(validation)} validation shards. "
            f"Hold out at most {most}, or provide more validation shards."
        )
    chosen = set(np.random.default_rng(seed).permutation(len(validation))[:holdout_shards].tolist())
    kept = [uri for number, uri in enumerate(validation) if number not in chosen]
    if not training and not kept:
        raise DataError(
            "holdout_shards: all shards are held out; none is left to train on. "
            f"Hold out at most {most}, or give training shards."
        )
    return [*training, *kept], [uri for number, uri in enumerate(validation) if number in chosen]


def _path(uri: str) -> str:
    return uri if storage.is_remote(uri) else os.path.normpath(uri)


def _one_per_file(uris: Iterable[str]) -> dict[str, str]:
    """Return the first URI of each file, by what identifies the file."""
    found: dict[str, str] = {}
    for uri in uris:
        found.setdefault(storage.identity(uri), uri)
    return found


def _both_sides(both: Sequence[tuple[str, str]], *, files: int) -> str:
    one, other = both[0]
    same = "" if one == other else f" (as {one})"
    problem = f"{other}: both a training and a validation shard{same}"
    if files == 1:
        return f"{problem}. {_only_one_shard(other)}"
    return (
        f"{problem} (such shards: {len(both)}). Let only a pattern of data.validation match them: validation shards "
        "that are not held out are training shards anyway."
    )


def _only_one_shard(uri: str) -> str:
    folder = storage.join(storage.folder_of(uri) or ".", "shards")
    return (
        "The hold-out needs a shard of its own. Divide the videos among several shards: `yt8m data split "
        f'{shlex.quote(uri)} --out {shlex.quote(folder)}`. Then give data.validation: ["{folder}/*.tfrecord"], '
        "no data.training, and the data.holdout_shards that the command prints."
    )
