"""Training videos as Keras wants them."""

from functools import cache
from typing import Any

from yt8m.data.partition import Partition
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import VideosInMemory, read_videos
from yt8m.data.soft_targets import SoftTargetShards
from yt8m.training.config import TrainingConfig
from yt8m.training.loop import EpochReader


def training_batches(
    partition: Partition, config: TrainingConfig, soft_targets: SoftTargetShards | None
) -> EpochReader:
    """The training videos, in another order in every epoch.

    Args:
        partition: The shards.
        config: Batch size, seed of the order, and how much memory the videos may take.
        soft_targets: Teachers' predictions for these videos, for a student.

    Returns:
        From an epoch and a number of batches to skip to batches `({"frames", "num_frames"}, {"labels"[,
        "soft_targets"]})` of one size.
    """
    with_soft_targets = soft_targets is not None
    size = VideosInMemory.size_bytes(partition.num_training_videos, partition.spec, with_soft_targets=with_soft_targets)
    if size <= config.memory_bytes:
        return _from_memory(partition, config, soft_targets)
    return _from_shards(partition, config, soft_targets)


def _from_memory(partition: Partition, config: TrainingConfig, soft_targets: SoftTargetShards | None) -> EpochReader:
    @cache
    def videos() -> VideosInMemory:
        return VideosInMemory(
            partition.training_uris,
            partition.spec,
            on_bad=partition.on_bad,
            checksums=partition.checksums,
            soft_targets=soft_targets,
        )

    def read_epoch(epoch: int, skip_batches: int) -> Any:
        batches = videos().batches(config.batch_size, shuffle_seed=config.seed, epoch=epoch, skip_batches=skip_batches)
        return batches.map(_inputs_and_targets)

    return read_epoch


def _from_shards(partition: Partition, config: TrainingConfig, soft_targets: SoftTargetShards | None) -> EpochReader:
    report = ReadReport()

    def read_epoch(epoch: int, skip_batches: int) -> Any:
        videos = read_videos(
            partition.training_uris,
            partition.spec,
            batch_size=config.batch_size,
            on_bad=partition.on_bad,
            shuffle_seed=config.seed,
            epoch=epoch,
            skip_batches=skip_batches,
            videos_per_shard=[shard.videos for shard in partition.training],
            checksums=partition.checksums,
            soft_targets=soft_targets,
            drop_remainder=True,
            report=report,
        )
        return videos.map(_inputs_and_targets)

    return read_epoch


def _inputs_and_targets(batch: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    inputs = {name: batch[name] for name in ("frames", "num_frames")}
    return inputs, {name: batch[name] for name in batch if name in ("labels", "soft_targets")}
