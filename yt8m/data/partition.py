"""Which shards train and which are held out."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from yt8m import storage
from yt8m.config import Config, ConfigFile
from yt8m.data.format import DataSpec
from yt8m.data.read_report import BadRecord, DamagedShard
from yt8m.errors import DataError


class Shard(Config):
    """A shard as `prepare` found it.

    Attributes:
        uri: Where it is.
        videos: Usable videos in it.
        size_bytes: Its size.
        checksum: Of its content; the same wherever the shard lies.
    """

    uri: str
    videos: int
    size_bytes: int
    checksum: str


class Partition(ConfigFile):
    """Training and hold-out shards, with what is known about them.

    Attributes:
        spec: Features, classes and length of the videos.
        seed: Chose the hold-out shards.
        training: Training shards and the validation shards that are not held out.
        holdout: Validation shards on which everything is measured and chosen.
        class_counts: Training videos that have each class, by class.
        damaged_shards: Shards that end before their end; videos before the damage are used.
        skipped_records: The first records that are no usable videos.
        num_skipped_records: All of them.
        on_bad: Whether bad records and damaged shards are skipped or stop whoever reads the shards.
    """

    spec: DataSpec
    seed: int
    training: tuple[Shard, ...]
    holdout: tuple[Shard, ...]
    class_counts: tuple[int, ...]
    damaged_shards: tuple[DamagedShard, ...] = ()
    skipped_records: tuple[BadRecord, ...] = ()
    num_skipped_records: int = 0
    on_bad: Literal["skip", "fail"] = "skip"

    @property
    def training_uris(self) -> list[str]:
        """The training shards' URIs."""
        return [shard.uri for shard in self.training]

    @property
    def holdout_uris(self) -> list[str]:
        """The hold-out shards' URIs."""
        return [shard.uri for shard in self.holdout]

    @property
    def num_training_videos(self) -> int:
        """Usable videos in the training shards."""
        return sum(shard.videos for shard in self.training)

    @property
    def num_holdout_videos(self) -> int:
        """Usable videos in the hold-out shards."""
        return sum(shard.videos for shard in self.holdout)

    @property
    def checksums(self) -> dict[str, str]:
        """Content checksums of all shards by URI: what readers have to find."""
        return {shard.uri: shard.checksum for shard in (*self.training, *self.holdout)}

    @property
    def digest(self) -> str:
        """Identifies the partition: changes with any shard's content, place or part, and with the specification."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def list_shards(place: str, patterns: Iterable[str]) -> list[str]:
    """The shards that match any of some globs, each once.

    Args:
        place: Option or key that holds the globs, for errors.
        patterns: Paths, URIs, globs.

    Raises:
        DataError: One of them matches nothing.
    """
    uris: dict[str, None] = {}
    for pattern in patterns:
        matches = storage.list_uris(pattern)
        if not matches and storage.exists(pattern):
            raise DataError(
                f"{place}: '{pattern}' is a folder. Give its shards: '{storage.join(pattern, '*.tfrecord')}'."
            )
        if not matches:
            raise DataError(f"{place}: no shard matches '{pattern}'. Check the path; a glob needs * or ?.")
        uris |= dict.fromkeys(matches)
    return list(uris)


def split_shards(
    training: Sequence[str], validation: Sequence[str], holdout_shards: int, seed: int
) -> tuple[list[str], list[str]]:
    """Divide shards into a training and a hold-out list.

    Args:
        training: URIs of shards that all train.
        validation: URIs of shards of which all but `holdout_shards` train as well.
        holdout_shards: Shards to hold out.
        seed: Chooses them.

    Returns:
        The training list (training shards, then the rest of the validation shards) and the hold-out list.

    Raises:
        DataError: A shard is in both lists, there are too few validation shards, or nothing is left to train on.
    """
    both = sorted(set(training) & set(validation))
    if both:
        raise DataError(
            f"{both[0]}: both a training and a validation shard ({len(both)} such shards). Let only one glob match it."
        )
    if holdout_shards > len(validation):
        raise DataError(
            f"holdout_shards: {holdout_shards} shards to hold out, but there are {len(validation)} validation shards. "
            "Hold out fewer, or give more."
        )
    chosen = set(np.random.default_rng(seed).permutation(len(validation))[:holdout_shards].tolist())
    kept = [uri for number, uri in enumerate(validation) if number not in chosen]
    if not training and not kept:
        raise DataError("holdout_shards: all shards are held out, none is left to train on. Hold out fewer.")
    return [*training, *kept], [uri for number, uri in enumerate(validation) if number in chosen]
