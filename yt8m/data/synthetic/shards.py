"""Which videos go into which shard, and the writing of a shard."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from yt8m import storage
from yt8m.data.spec import DataSpec
from yt8m.data.synthetic.presets import Preset
from yt8m.data.synthetic.video import Source
from yt8m.data.synthetic.wire import FrameBuffer, encode_video, write_record

# Shards have few videos rather than that there are fewer shards: the hold-out is chosen by whole shards.
_LEAST_TRAINING_SHARDS = 4
_LEAST_VALIDATION_SHARDS = 8


@dataclass(frozen=True)
class Shard:
    """A shard to be written.

    Attributes:
        name: File name.
        number: Number among all shards; it and the data set's seed determine the content.
        first: Number of its first video.
        videos: Number of videos.
        labelled: Whether the records have labels.
    """

    name: str
    number: int
    first: int
    videos: int
    labelled: bool


def plan_shards(preset: Preset, videos: int, validation_share: float, test_share: float) -> list[Shard]:
    """Split videos into shards of about equal size: `train####`, `validate####` and, without labels, `test####`.

    Args:
        preset: Sizes of shards.
        videos: Videos in all.
        validation_share: Part of the videos for validation.
        test_share: Part of the videos for unlabelled shards.

    Returns:
        The shards, in the order in which they are written.
    """
    validation, test = round(videos * validation_share), round(videos * test_share)
    splits = (
        ("train", videos - validation - test, preset.videos_per_shard, _LEAST_TRAINING_SHARDS),
        ("validate", validation, preset.videos_per_validation_shard, _LEAST_VALIDATION_SHARDS),
        ("test", test, preset.videos_per_validation_shard, 1),
    )
    shards: list[Shard] = []
    first = 0
    for split, total, per_shard, least in splits:
        count = min(total, max(least, -(-total // per_shard)))
        for number in range(count):
            size = total * (number + 1) // count - total * number // count
            shards.append(Shard(f"{split}{number:04}.tfrecord", len(shards), first, size, split != "test"))
            first += size
    return shards


def write_shard(
    uri: str, shard: Shard, *, source: Source, spec: DataSpec, seed: int, advance: Callable[[int], None]
) -> None:
    """Write a shard; it appears under its name when it is complete.

    Args:
        uri: The file.
        shard: What goes into it.
        source: Where the videos come from.
        spec: Features and longest video.
        seed: Seed of the data set.
        advance: Told about every video.
    """
    rng = np.random.default_rng([seed, 1, shard.number])
    buffers = {name: FrameBuffer(name, size, spec.max_frames + 1) for name, size in spec.features.items()}
    with storage.open_atomic(uri) as file:
        for video in source.draw(rng, shard.first, shard.videos):
            T = video.num_frames
            video.write({name: buffer.frames(T) for name, buffer in buffers.items()})
            labels = video.labels if shard.labelled else None
            write_record(file, encode_video(video.id, labels, T, buffers.values()))
            advance(1)
