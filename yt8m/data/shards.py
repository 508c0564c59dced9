"""Shards of a data set: names, sizes, and whether they are complete."""

import os

from yt8m import storage
from yt8m.data.tfrecord import inspect_framing
from yt8m.errors import ConfigError
from yt8m.storage.local import local_path

# Least numbers of shards, even if the shards become small: the hold-out consists of whole shards.
LEAST_TRAINING_SHARDS = 4
LEAST_VALIDATION_SHARDS = 8


def shard_name(split: str, number: int) -> str:
    """Return the file name of a shard: `train0003.tfrecord`."""
    return f"{split}{number:04}.tfrecord"


def check_folder(uri: str) -> None:
    """Check that files can be written into a folder, which need not exist.

    Raises:
        ConfigError: There is a file in its place, or in the place of a folder that it is in.
    """
    if storage.is_remote(uri):
        return
    path = local_path(uri)
    existing = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if existing.is_dir():
        return
    problem = f"{path} is a file" if existing == path else f"{path} cannot be made: {existing} is no folder"
    raise ConfigError(f"--out: {problem}. Give a new folder.")


def shard_sizes(videos: int, per_shard: int, least_shards: int) -> list[int]:
    """Divide videos into shards of about equal size.

    Args:
        videos: Number of videos.
        per_shard: Largest number of videos of a shard.
        least_shards: Number of shards to make even if they become small. There are no empty shards.

    Returns:
        Number of videos of every shard.
    """
    count = min(videos, max(least_shards, -(-videos // per_shard)))
    return [videos * (number + 1) // count - videos * number // count for number in range(count)]


def is_complete(place: str, videos: int) -> bool:
    """Return whether a shard has all its videos.

    Remote shards were written completely or not at all; they are not read.

    Args:
        place: URI of the shard.
        videos: Number of videos that it should have.
    """
    if not storage.exists(place):
        return False
    if storage.is_remote(place):
        return True
    framing = inspect_framing(storage.stage_in(place), verify_payloads=False)
    return framing.damage is None and framing.records == videos
