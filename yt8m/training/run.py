"""A training run: network, data and configuration together, with reproducible seeds and batches."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

import keras

from yt8m import storage
from yt8m.data.partition import Partition
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import VideosInMemory, data_errors, read_videos
from yt8m.data.soft_targets import SoftTargetShards
from yt8m.metrics import GAP_TOP_K
from yt8m.training.auto.class_weights import class_weights
from yt8m.training.checkpoint import Checkpoint, training_digest
from yt8m.training.config import ResolvedTraining
from yt8m.training.epoch_end.batch_statistics import batch_normalizations
from yt8m.training.epoch_end.holdout_sample import HoldoutSample, Sample
from yt8m.training.loop import EpochReader, fit
from yt8m.training.steps import Steps, TrainingRecord
from yt8m.training.training_model import TrainingModel


class TrainingRun:
    """Trains a network on the training shards of a partition.

    Args:
        model: Training model around the network.
        read_epoch: Reader of the training batches.
        config: Optimizer, precision and checkpoints.
        steps: Number of steps of the training.
        identity: Plain JSON data that determines the result, besides the code; part of the checkpoint's digest.
        sample: Hold-out videos on which the network is measured after every epoch. None measures nothing.
    """

    def __init__(
        self,
        model: TrainingModel,
        read_epoch: EpochReader,
        config: ResolvedTraining,
        steps: Steps,
        *,
        identity: dict[str, Any],
        sample: Sample | None = None,
    ) -> None:
        self.steps = steps
        self._model = model
        self._read_epoch = read_epoch
        self._config = config
        self._identity = identity
        self._sample = sample

    @property
    def network(self) -> Any:
        """The network, with the weights reached so far."""
        return self._model.network

    @classmethod
    def of(
        cls,
        build: Callable[[], Any],
        partition: Partition,
        config: ResolvedTraining,
        *,
        label_weight: float,
        soft_targets: Sequence[Path],
        averaging_decay: float | None = None,
        gap_top_k: int = GAP_TOP_K,
    ) -> Self:
        """Set up a training run.

        Args:
            build: Function that builds the network, with quantized frames as input. It is called with the seed and
                precision of the configuration.
            partition: Partition with the training shards.
            config: Epochs, optimizer, precision and checkpoints.
            label_weight: Weight of the labels, lambda in equation 2.
            soft_targets: Manifests of the teachers' predictions, in any number of parts. None for a model trained on
                labels only.
            averaging_decay: Decay of exponential moving averages that replace the weights at the end. None keeps the
                weights. A training with averages is not measured after its epochs.
            gap_top_k: Number of predictions per video that count in the GAP that decides which epoch is kept.

        Raises:
            ConfigError: A batch is larger than the training set.
            DataError: The soft targets do not match the partition.
        """
        steps = Steps.of(partition.num_training_videos, config.epochs, config.batch_size)
        sidecars = SoftTargetShards.open(soft_targets, partition) if soft_targets else None
        identity = {
            # The intervals between checkpoints do not change the result.
            "training": config.model_dump(mode="json", exclude={"checkpoint_every_seconds", "checkpoint_every_steps"}),
            "label_weight": label_weight,
            "averaging_decay": averaging_decay,
            "gap_top_k": gap_top_k,
            "partition": partition.digest,
            # Independent of the number of parts and of where the sidecars are.
            "soft_targets": sidecars.manifest.recipe_hash if sidecars else None,
        }
        with seed_and_precision(config):
            network = build()
            if config.batch_norm_momentum is not None:
                _set_momentum(network, config.batch_norm_momentum)
            weights = class_weights(config.class_weights, partition)
            model = TrainingModel(network, label_weight, averaging_decay, weights)
        sample = HoldoutSample(partition, config.batch_size, gap_top_k) if averaging_decay is None else None
        return cls(
            model, training_batches(partition, config, sidecars), config, steps, identity=identity, sample=sample
        )

    def fit(
        self,
        *,
        checkpoint_uri: str,
        tensorboard_uri: str,
        description: str,
        stage: str,
        architecture: str,
        identity: dict[str, Any],
    ) -> TrainingRecord:
        """Train to the end, starting from the last checkpoint if there is one.

        Args:
            checkpoint_uri: Folder of the checkpoint.
            tensorboard_uri: Folder for TensorBoard logs, which gets a subfolder per training. Empty writes none.
            description: Title in the progress display.
            stage: Name of the stage that trains.
            architecture: Architecture of the network.
            identity: Plain JSON data that identifies the model and its initial weights.

        Returns:
            The record of the training.
        """
        digest = training_digest(stage, architecture, **self._identity, **identity)
        with data_errors():
            return fit(
                self._model,
                self._read_epoch,
                steps=self.steps,
                config=self._config,
                checkpoint=Checkpoint(checkpoint_uri, digest),
                description=description,
                tensorboard_uri=storage.join(tensorboard_uri, digest[:16]) if tensorboard_uri else "",
                sample=self._sample,
            )


def _set_momentum(network: Any, momentum: float) -> None:
    for layer in batch_normalizations(network):
        layer.momentum = momentum


@contextmanager
def seed_and_precision(config: ResolvedTraining) -> Iterator[None]:
    """Set the random seed and the precision for models built in this context, and restore the precision afterwards.

    Args:
        config: Configuration with the seed and the precision.
    """
    before = keras.config.dtype_policy()
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def training_batches(
    partition: Partition, config: ResolvedTraining, soft_targets: SoftTargetShards | None
) -> EpochReader:
    """Make a reader of the training videos, which shuffles them differently in every epoch.

    Args:
        partition: Partition with the training shards.
        config: Batch size, seed of the order, and the memory that videos may occupy.
        soft_targets: Teachers' predictions for the training videos. None for a model trained on labels only.

    Returns:
        A function of an epoch and a number of batches to skip that returns batches `({"frames", "num_frames"},
        {"labels"[, "soft_targets"][, "weights"]})` of a fixed size. Its first call checks the sidecars.
    """
    with_soft_targets = soft_targets is not None
    size = VideosInMemory.size_bytes(partition.num_training_videos, partition.spec, with_soft_targets=with_soft_targets)
    reader = _from_memory if size <= config.memory_bytes else _from_shards
    read_epoch = reader(partition, config, soft_targets)

    @cache
    def check_soft_targets() -> None:
        if soft_targets:
            soft_targets.manifest.check_sidecars(partition)

    def read_checked(epoch: int, skip_batches: int) -> Any:
        check_soft_targets()
        return read_epoch(epoch, skip_batches)

    return read_checked


def _from_memory(partition: Partition, config: ResolvedTraining, soft_targets: SoftTargetShards | None) -> EpochReader:
    @cache
    def videos() -> VideosInMemory:
        return VideosInMemory(
            partition.training_uris,
            partition.spec,
            partition.num_training_videos,
            on_bad=partition.on_bad,
            checksums=partition.checksums,
            soft_targets=soft_targets,
        )

    def read_epoch(epoch: int, skip_batches: int) -> Any:
        batches = videos().batches(config.batch_size, shuffle_seed=config.seed, epoch=epoch, skip_batches=skip_batches)
        return batches.map(_inputs_and_targets)

    return read_epoch


def _from_shards(partition: Partition, config: ResolvedTraining, soft_targets: SoftTargetShards | None) -> EpochReader:
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
    return inputs, {name: batch[name] for name in batch if name in ("labels", "soft_targets", "weights")}
