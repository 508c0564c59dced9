"""Planning and writing the shards of a synthetic data set; an interrupted generation can be resumed."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock

import numpy as np

from yt8m import storage
from yt8m.data.description import DESCRIPTION_NAME, DatasetDescription
from yt8m.data.encoding import FrameBuffer, encode_video
from yt8m.data.format import DataSpec
from yt8m.data.shards import (
    LEAST_TRAINING_SHARDS,
    LEAST_VALIDATION_SHARDS,
    check_folder,
    is_complete,
    shard_name,
    shard_sizes,
)
from yt8m.data.synthetic.presets import Preset
from yt8m.data.synthetic.video import VideoSource
from yt8m.data.tfrecord import write_record
from yt8m.errors import DataError
from yt8m.progress import progress
from yt8m.words import count


@dataclass(frozen=True)
class ShardPlan:
    """A shard to write.

    Attributes:
        name: File name of the shard.
        number: Index among all shards; together with the data set's seed it determines the content.
        first: Index of the first video in the data set.
        videos: Number of videos.
        labeled: Whether the records have labels.
    """

    name: str
    number: int
    first: int
    videos: int
    labeled: bool


def plan_shards(preset: Preset, validation_share: float, test_share: float) -> list[ShardPlan]:
    """Divide videos into shards of about equal size: `train####`, `validate####` and unlabeled `test####`.

    Args:
        preset: Number of videos in all splits together, and sizes of the shards.
        validation_share: Share of the videos in validation shards.
        test_share: Share of the videos in unlabeled test shards.

    Returns:
        The shards in the order in which they are written.
    """
    validation, test = round(preset.videos * validation_share), round(preset.videos * test_share)
    splits = (
        ("train", preset.videos - validation - test, preset.videos_per_shard, LEAST_TRAINING_SHARDS),
        ("validate", validation, preset.videos_per_validation_shard, LEAST_VALIDATION_SHARDS),
        ("test", test, preset.videos_per_validation_shard, 1),
    )
    shards: list[ShardPlan] = []
    first = 0
    for split, total, per_shard, least in splits:
        for number, size in enumerate(shard_sizes(total, per_shard, least)):
            shards.append(ShardPlan(shard_name(split, number), len(shards), first, size, split != "test"))
            first += size
    return shards


def start_dataset(uri: str, description: DatasetDescription) -> None:
    """Write `dataset.json`, or check that an existing one is the same.

    Args:
        uri: Folder of the data set.
        description: Content of `dataset.json`.

    Raises:
        ConfigError: The folder is a file, or its `dataset.json` is no description of a data set.
        DataError: The folder holds another data set, or shards of unknown origin.
    """
    check_folder(uri)
    place = storage.join(uri, DESCRIPTION_NAME)
    if found := DatasetDescription.in_folder(uri):
        if found != description:
            raise DataError(
                f"{place}: the folder holds another data set ({found.difference(description)}). Choose another folder "
                "or remove this one."
            )
        return
    if foreign := storage.list_uris(storage.join(uri, "*.tfrecord")):
        raise DataError(
            f"{uri}: holds {count(len(foreign), 'shard')} ({foreign[0]}, ...) without {DESCRIPTION_NAME}; they are not "
            "from this command. Choose an empty folder."
        )
    description.save(place)


def write_shards(
    uri: str, shards: Sequence[ShardPlan], *, source: VideoSource, spec: DataSpec, seed: int, threads: int
) -> int:
    """Write the missing and damaged shards of a data set, with a progress bar.

    Threads suffice, because NumPy, checksums and file access release the interpreter lock. The content of a shard
    does not depend on the number of threads or on the other shards.

    Args:
        uri: Folder of the data set.
        shards: All shards of the data set.
        source: Source of the videos.
        spec: Features and length of the longest video.
        seed: Seed of the data set.
        threads: Number of shards written in parallel.

    Returns:
        Number of videos in shards that existed before.
    """
    places = {shard: storage.join(uri, shard.name) for shard in shards}
    missing = [shard for shard in shards if not is_complete(places[shard], shard.videos)]
    total = sum(shard.videos for shard in shards)
    done = total - sum(shard.videos for shard in missing)
    lock = Lock()
    with progress("Generating videos", total, done=done) as advance, ThreadPoolExecutor(threads) as pool:

        def count(videos: int) -> None:
            with lock:
                advance(videos)

        write = partial(_write_shard, source=source, spec=spec, seed=seed, advance=count)
        writing = [pool.submit(write, places[shard], shard) for shard in missing]
        try:
            for each in writing:
                each.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return done


def _write_shard(
    uri: str, shard: ShardPlan, *, source: VideoSource, spec: DataSpec, seed: int, advance: Callable[[int], None]
) -> None:
    """Write a shard atomically, and call `advance` with 1 after every video."""
    rng = np.random.default_rng([seed, 1, shard.number])
    buffers = {name: FrameBuffer(name, size, spec.max_frames + 1) for name, size in spec.features.items()}
    with storage.open_atomic(uri) as file:
        for video in source.draw(rng, shard.first, shard.videos):
            T = video.num_frames
            video.write({name: buffer.frames(T) for name, buffer in buffers.items()})
            labels = video.labels if shard.labeled else None
            write_record(file, encode_video(video.id, labels, T, buffers.values()))
            advance(1)
