"""Batches of videos, streamed from shards or held in memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.data.format import DataSpec
from yt8m.data.parsing import finish_video
from yt8m.data.read_report import ReadReport
from yt8m.data.soft_targets import SoftTargetShards
from yt8m.data.stream import OnBad, ShardStream, data_errors
from yt8m.errors import DataError

__all__ = ["VideosInMemory", "data_errors", "read_shards", "read_videos", "stream_videos"]

Tensor = Any
Dataset = Any
PerShard = Callable[[Tensor], Dataset]

# Shards that are read in parallel and shuffled together. Neighbors in a shard are separated even if the shuffle buffer
# is smaller than a shard, and a resumed epoch skips whole groups without opening their shards.
SHARDS_PER_GROUP = 8
# 1,024 videos of 230 frames are 270 MB.
SHUFFLE_BUFFER_VIDEOS = 1024
# Videos per batch while a data set is loaded into memory.
_CHUNK_VIDEOS = 256


def read_videos(
    shards: Sequence[str],
    spec: DataSpec,
    *,
    batch_size: int,
    on_bad: OnBad = "skip",
    shuffle_seed: int | None = None,
    epoch: int = 0,
    skip_batches: int = 0,
    soft_targets: SoftTargetShards | None = None,
    videos_per_shard: Sequence[int] | None = None,
    checksums: Mapping[str, str] | None = None,
    drop_remainder: bool = False,
    shuffle_buffer: int = SHUFFLE_BUFFER_VIDEOS,
    report: ReadReport | None = None,
    with_labels: bool = True,
    with_groups: bool = False,
) -> Dataset:
    """Read videos from frame-level or video-level shards, in batches.

    The order depends only on the shards, the seed, the epoch and the size of the shuffle buffer.

    Args:
        shards: Paths or URIs of TFRecord files.
        spec: Features, classes and length of the videos.
        batch_size: Videos per batch `B`.
        on_bad: `skip` to leave out bad records and the rest of damaged shards, `fail` to stop at the first.
        shuffle_seed: Seed for shuffling shards and videos. None means the given order.
        epoch: Number of the epoch; every epoch has a different order.
        skip_batches: Number of batches to skip at the beginning of the epoch, for resumption. The remaining batches are
            the same as without skipping.
        soft_targets: Teachers' predictions for every usable video of these shards.
        videos_per_shard: Number of usable videos of each shard, if known (see `Partition`). Most of the skipped shards
            are then not read at all.
        checksums: Content checksums by URI, if known (see `Partition`). A shard with another checksum is an error,
            raised when the shard has been read to its end.
        drop_remainder: Whether to drop an incomplete last batch.
        shuffle_buffer: Size of the shuffle buffer in videos.
        report: Collector of bad records and damaged shards, which are also logged.
        with_labels: Whether to read and check the labels. Otherwise `labels` is all 0.
        with_groups: Whether to return the groups of the videos.

    Returns:
        `tf.data.Dataset` of dicts: `frames` uint8 (B, T, D), features concatenated in the spec's order, zero-padded
        behind the last frame; `num_frames` int32 (B,); `labels` uint8 (B, C), all 0 for unlabeled videos; `ids` string
        (B,); with soft targets also `soft_targets` float32 (B, C); with a key of weights in the layout also `weights`
        float32 (B,); with groups also `groups` string (B,), the id of a video without group.
        Iterate over it inside `data_errors()`.

    Raises:
        DataError: While iterating inside `data_errors()`: a bad record or damaged shard under `fail`, a changed shard,
            or soft targets that do not belong to the videos.
        StorageError: While iterating inside `data_errors()`: a shard cannot be opened.
    """
    groups = _groups(len(shards), shuffle_seed, epoch)
    first, skipped = _skip_groups(groups, skip_batches * batch_size, videos_per_shard)
    order = [number for number in groups[first:].ravel().tolist() if number >= 0]
    stream = ShardStream(
        shards,
        spec,
        on_bad,
        report or ReadReport(),
        with_labels=with_labels,
        order=order,
        checksums=checksums,
    )
    per_shard = soft_targets.joined_to(stream, shards) if soft_targets else stream.videos
    if shuffle_seed is None:
        videos = _interleave(per_shard, tf.data.Dataset.from_tensor_slices(groups[first:, 0]), 1)
    else:
        videos = _shuffle_groups(per_shard, groups, first, shuffle_buffer, (shuffle_seed, epoch))
    videos = videos.skip(skipped)

    def finish(video: dict[str, Any]) -> dict[str, Any]:
        video = soft_targets.decode(video) if soft_targets else video
        return finish_video(video, spec.max_frames, with_groups=with_groups)

    padded = videos.map(finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    batches = padded.batch(
        batch_size, drop_remainder=drop_remainder, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    return batches.prefetch(2)


def read_shards(
    shards: Sequence[str],
    spec: DataSpec,
    *,
    batch_size: int,
    on_bad: OnBad,
    report: ReadReport,
    with_labels: bool = True,
) -> Dataset:
    """Read videos in file order like `read_videos`, but every shard starts a new batch.

    The shards are one stream, because building a stream takes longer than reading a small shard.

    Args:
        shards: Paths or URIs of TFRecord files.
        spec: Features, classes and length of the videos.
        batch_size: Largest number of videos per batch.
        on_bad: Treatment of bad records; see `read_videos`.
        report: Collector of bad records and damaged shards. It has those of a shard before the next shard's first batch
            is returned.
        with_labels: Whether to read and check the labels.

    Returns:
        `tf.data.Dataset` of pairs: the index of the shard, int64, and a batch of `read_videos`.
    """
    stream = ShardStream(shards, spec, on_bad, report, with_labels=with_labels)

    def finish(video: dict[str, Any]) -> dict[str, Any]:
        return finish_video(video, spec.max_frames)

    def batches_of(shard: Tensor) -> Dataset:
        padded = stream.videos(shard).map(finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return padded.batch(batch_size).map(lambda batch: (shard, batch))

    return _interleave(batches_of, tf.data.Dataset.range(len(shards)), 1).prefetch(2)


class VideosInMemory:
    """A small data set held in memory: its shards are read once, and every epoch shuffles all videos.

    Loading takes hardly more memory than the videos. Create it inside `data_errors()`.

    Args:
        shards: Paths or URIs of TFRecord files.
        spec: Features, classes and length of the videos.
        num_videos: Number of usable videos in the shards.
        on_bad: Treatment of bad records; see `read_videos`.
        checksums: Expected content checksums by URI; see `read_videos`.
        soft_targets: Teachers' predictions for every usable video of these shards.

    Raises:
        DataError: See `read_videos`; or the shards do not hold this number of videos.
        StorageError: See `read_videos`.
    """

    def __init__(
        self,
        shards: Sequence[str],
        spec: DataSpec,
        num_videos: int,
        *,
        on_bad: OnBad = "skip",
        checksums: Mapping[str, str] | None = None,
        soft_targets: SoftTargetShards | None = None,
    ) -> None:
        videos = read_videos(
            shards, spec, batch_size=_CHUNK_VIDEOS, on_bad=on_bad, checksums=checksums, soft_targets=soft_targets
        )
        self._columns: dict[str, NDArray[Any]] = {}
        found = 0
        for chunk in videos.as_numpy_iterator():
            # Joining all chunks at the end would take twice the memory.
            if not self._columns:
                shapes = {name: (num_videos, *column.shape[1:]) for name, column in chunk.items()}
                self._columns = {name: np.empty(shape, chunk[name].dtype) for name, shape in shapes.items()}
            room = max(num_videos - found, 0)
            for name, column in chunk.items():
                self._columns[name][found : found + len(column)] = column[:room]
            found += len(chunk["ids"])
        if found != num_videos:
            raise DataError(f"training shards: {found} videos, but expected {num_videos}. Run prepare again.")

    @staticmethod
    def size_bytes(num_videos: int, spec: DataSpec, *, with_soft_targets: bool) -> int:
        """Return the memory for `num_videos` videos in bytes, padding included."""
        target_bytes = 5 if with_soft_targets else 1
        return num_videos * (spec.max_frames * spec.num_features + spec.num_classes * target_bytes)

    def batches(self, batch_size: int, *, shuffle_seed: int, epoch: int, skip_batches: int = 0) -> Dataset:
        """Return the shuffled batches of one epoch.

        Args:
            batch_size: Videos per batch `B`; an incomplete last batch is dropped.
            shuffle_seed: Seed for shuffling.
            epoch: Number of the epoch; every epoch has a different order.
            skip_batches: Number of batches to skip at the beginning of the epoch, for resumption.

        Returns:
            `tf.data.Dataset` of the dicts of `read_videos`.
        """
        order = np.random.default_rng([shuffle_seed, epoch]).permutation(len(self._columns["ids"]))
        rows = tf.data.Dataset.from_tensor_slices(order[skip_batches * batch_size :])

        def gather(indices: Any) -> dict[str, Any]:
            # Arrays in a graph would be copied into it.
            columns = list(self._columns.values())
            types = [tf.string if column.dtype == object else column.dtype for column in columns]
            rows = tf.numpy_function(lambda numbers: [column[numbers] for column in columns], [indices], types)
            for row, column in zip(rows, columns, strict=True):
                row.set_shape([*indices.shape, *column.shape[1:]])
            return dict(zip(self._columns, rows, strict=True))

        return rows.batch(batch_size, drop_remainder=True).map(gather, tf.data.AUTOTUNE).prefetch(2)


def stream_videos(
    shards: Sequence[str], spec: DataSpec, on_bad: OnBad, report: ReadReport, *, with_frames: bool = True
) -> Dataset:
    """Read the usable videos one by one, in file order and unpadded, as in `ShardStream.videos`."""
    stream = ShardStream(shards, spec, on_bad, report, with_frames=with_frames)
    return _interleave(stream.videos, tf.data.Dataset.range(len(shards)), 1)


def _groups(num_shards: int, shuffle_seed: int | None, epoch: int) -> NDArray[np.int64]:
    """Group the indices of shards that are read together, one group per row, padded with -1."""
    if shuffle_seed is None:
        return np.arange(num_shards, dtype=np.int64)[:, None]
    order = np.random.default_rng([shuffle_seed, epoch]).permutation(num_shards)
    missing = -num_shards % SHARDS_PER_GROUP
    return np.pad(order, (0, missing), constant_values=-1).astype(np.int64).reshape(-1, SHARDS_PER_GROUP)


def _skip_groups(
    groups: NDArray[np.int64], skipped_videos: int, videos_per_shard: Sequence[int] | None
) -> tuple[int, int]:
    """Return the number of groups to skip unopened, and the number of videos to skip in the rest."""
    if videos_per_shard is None:
        return 0, skipped_videos
    sizes = np.append(videos_per_shard, 0)[groups].sum(1)  # padding selects the 0
    ends = np.cumsum(sizes)
    first = int(np.searchsorted(ends, skipped_videos, side="right"))
    return first, skipped_videos - int(sizes[:first].sum())


def _shuffle_groups(
    per_shard: PerShard, groups: NDArray[np.int64], first: int, shuffle_buffer: int, seeds: tuple[int, int]
) -> Dataset:
    """Shuffle within groups, so that the order of a group does not depend on the groups before it."""
    state = np.random.SeedSequence(seeds).generate_state(len(groups), np.uint32).astype(np.int64)

    def videos_of(group: Tensor, seed: Tensor) -> Dataset:
        # This fixes the global seed inside this function's graph. The process's seed must not change the order, and
        # TensorFlow accepts no tensor as a seed if the global seed is 0.
        tf.compat.v1.set_random_seed(1)
        members = tf.data.Dataset.from_tensor_slices(tf.boolean_mask(group, group >= 0))
        videos = _interleave(per_shard, members, min(SHARDS_PER_GROUP, groups.size))
        return videos.shuffle(shuffle_buffer, seed=seed, reshuffle_each_iteration=False)

    return tf.data.Dataset.from_tensor_slices((groups[first:], state[first:])).flat_map(videos_of)


def _interleave(per_shard: PerShard, shards: Dataset, shards_at_once: int) -> Dataset:
    return shards.interleave(
        per_shard,
        cycle_length=shards_at_once,
        block_length=1,
        num_parallel_calls=shards_at_once,
        deterministic=True,
    )
