"""Shards into batches of videos."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.data.format import DataSpec
from yt8m.data.parsing import pad_frames
from yt8m.data.read_report import ReadReport
from yt8m.data.soft_targets import SoftTargetShards
from yt8m.data.stream import OnBad, ShardStream, data_errors

__all__ = ["VideosInMemory", "data_errors", "read_videos"]

Tensor = Any
Dataset = Any
PerShard = Callable[[Tensor], Dataset]

# Shards that are read at the same time and shuffled together. Neighbours in a shard come apart even where the
# shuffle buffer is smaller than a shard, and a resumed epoch leaves out whole groups without opening them.
SHARDS_PER_GROUP = 8
# 1,024 videos of 230 frames are 270 MB.
SHUFFLE_BUFFER_VIDEOS = 1024
# Videos read at a time while the memory is filled.
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
) -> Dataset:
    """Read videos from frame-level or video-level shards, in batches.

    The same shards, seed and epoch (and TensorFlow's global seed, if one is set) give the same order.

    Args:
        shards: Paths or URIs of TFRecord files.
        spec: Features, classes and length of the videos.
        batch_size: Videos per batch `B`.
        on_bad: `skip` bad records and the rest of damaged shards, which are reported and logged, or `fail`.
        shuffle_seed: Shuffles shards and videos; without it they come in the given order.
        epoch: Every epoch has its own order.
        skip_batches: Leaves out as many batches at the beginning; what follows is exactly what would
            have followed them.
        videos_per_shard: Usable videos of each shard, if known (`Partition`): what `skip_batches` leaves out
            is then mostly not read at all.
        soft_targets: Teachers' predictions for every usable video of these shards.
        checksums: Content checksums of shards by URI, if known (`Partition`): a shard that has another one, when it was
            read to its end, is an error.
        drop_remainder: Leaves out a last batch of fewer videos.
        shuffle_buffer: Videos among which the next one is drawn.
        report: Where bad records and damaged shards are collected, besides the log.
        with_labels: Whether labels are wanted; without them `labels` is 0, and a video may have any.

    Returns:
        `tf.data.Dataset` of dicts: `frames` uint8 (B, T, D), features concatenated in the spec's order, zeros
        behind the last frame; `num_frames` int32 (B,); `labels` uint8 (B, C), 0 where unlabelled; `ids` string (B,);
        with soft targets `soft_targets` float32 (B, C). Iterate over it inside `data_errors()`.

    Raises:
        DataError: While iterating inside `data_errors()`: a bad record or shard under `fail`, a shard that changed, or
            soft targets that do not belong to the videos.
        StorageError: Likewise: a shard that cannot be opened.
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
        return pad_frames({name: video[name] for name in video if name != "shard"}, spec.max_frames)

    padded = videos.map(finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    batches = padded.batch(
        batch_size, drop_remainder=drop_remainder, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    return batches.prefetch(2)


class VideosInMemory:
    """All videos of some shards, to be shuffled as a whole.

    Args:
        shards: Paths or URIs of TFRecord files.
        spec: Features, classes and length of the videos.
        on_bad: What to do with bad records; see `read_videos`.
        checksums: What the shards' contents have to be; see `read_videos`.
        soft_targets: Teachers' predictions for these videos.

    Raises:
        DataError: As `read_videos`; make it inside `data_errors()`.
        StorageError: Likewise.
    """

    def __init__(
        self,
        shards: Sequence[str],
        spec: DataSpec,
        *,
        on_bad: OnBad = "skip",
        checksums: Mapping[str, str] | None = None,
        soft_targets: SoftTargetShards | None = None,
    ) -> None:
        videos = read_videos(
            shards, spec, batch_size=_CHUNK_VIDEOS, on_bad=on_bad, checksums=checksums, soft_targets=soft_targets
        )
        chunks = list(videos.as_numpy_iterator())
        # Tensors, so that data sets share them; constants of a graph would be copied.
        self._tensors = {name: tf.constant(np.concatenate([chunk[name] for chunk in chunks])) for name in chunks[0]}

    @staticmethod
    def size_bytes(num_videos: int, spec: DataSpec, *, with_soft_targets: bool) -> int:
        """Memory for so many videos, padding included."""
        target_bytes = 5 if with_soft_targets else 1
        return num_videos * (spec.max_frames * spec.num_features + spec.num_classes * target_bytes)

    def batches(self, batch_size: int, *, shuffle_seed: int, epoch: int, skip_batches: int = 0) -> Dataset:
        """The videos in another order in every epoch, in whole batches.

        Args:
            batch_size: Videos per batch `B`; a last batch of fewer is left out.
            shuffle_seed: Seed of the orders.
            epoch: Every epoch has its own order.
            skip_batches: Leaves out as many batches at the beginning.

        Returns:
            `tf.data.Dataset` of dicts as of `read_videos`.
        """
        num_videos = len(self._tensors["ids"])
        order = np.random.default_rng([shuffle_seed, epoch]).permutation(num_videos)
        rows = tf.data.Dataset.from_tensor_slices(order[skip_batches * batch_size :])

        def gather(indices: Any) -> dict[str, Any]:
            return {name: tf.gather(tensor, indices) for name, tensor in self._tensors.items()}

        return rows.batch(batch_size, drop_remainder=True).map(gather, tf.data.AUTOTUNE).prefetch(2)


def stream_videos(
    shards: Sequence[str], spec: DataSpec, on_bad: OnBad, report: ReadReport, *, with_frames: bool = True
) -> Dataset:
    """The usable videos of shards one by one in file order, unpadded, with `shard` int64, an index into `shards`."""
    stream = ShardStream(shards, spec, on_bad, report, with_frames=with_frames)
    return _interleave(stream.videos, tf.data.Dataset.range(len(shards)), 1)


def _groups(num_shards: int, shuffle_seed: int | None, epoch: int) -> NDArray[np.int64]:
    """Shards that are read together, a row each, filled up with -1; of one shard when nothing is shuffled."""
    if shuffle_seed is None:
        return np.arange(num_shards, dtype=np.int64)[:, None]
    order = np.random.default_rng([shuffle_seed, epoch]).permutation(num_shards)
    missing = -num_shards % SHARDS_PER_GROUP
    return np.pad(order, (0, missing), constant_values=-1).astype(np.int64).reshape(-1, SHARDS_PER_GROUP)


def _skip_groups(
    groups: NDArray[np.int64], skipped_videos: int, videos_per_shard: Sequence[int] | None
) -> tuple[int, int]:
    """How many whole groups need not be opened, and how many videos of the next are to be skipped."""
    if videos_per_shard is None:
        return 0, skipped_videos
    sizes = np.append(videos_per_shard, 0)[groups].sum(1)  # -1 stands for no shard
    ends = np.cumsum(sizes)
    first = int(np.searchsorted(ends, skipped_videos, side="right"))
    return first, skipped_videos - int(sizes[:first].sum())


def _shuffle_groups(
    per_shard: PerShard, groups: NDArray[np.int64], first: int, shuffle_buffer: int, seeds: tuple[int, int]
) -> Dataset:
    """Shuffle the videos of every group; a group's order does not depend on the groups before it."""
    state = np.random.SeedSequence(seeds).generate_state(len(groups), np.uint32).astype(np.int64)

    def videos_of(group: Tensor, seed: Tensor) -> Dataset:
        # Of this function's graph only. The process's seed must not change the order; and beside a process's seed of 0
        # TensorFlow takes no tensors as seeds.
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
