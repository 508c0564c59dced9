"""One training, put together from network, data and configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import keras

from yt8m.data.partition import Partition
from yt8m.data.reading import data_errors
from yt8m.data.soft_targets import SoftTargetShards
from yt8m.layers.all_layers import all_layers
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.config import TrainingConfig
from yt8m.training.data import training_batches
from yt8m.training.digest import training_digest
from yt8m.training.loop import EpochReader, fit
from yt8m.training.reproducible import seeded_and_precise
from yt8m.training.steps import Schedule
from yt8m.training.training_model import TrainingModel
from yt8m.training.training_record import TrainingRecord


class TrainingRun:
    """Trains a network on a partition's training shards.

    Args:
        model: The network in training.
        read_epoch: Its data.
        config: Schedule, optimizer, checkpoints.
        schedule: Steps to do.
        identity: Plain JSON data that, with the code, decides the result.
    """

    def __init__(
        self,
        model: TrainingModel,
        read_epoch: EpochReader,
        config: TrainingConfig,
        schedule: Schedule,
        identity: dict[str, Any],
    ) -> None:
        self.schedule = schedule
        self._model = model
        self._read_epoch = read_epoch
        self._config = config
        self._identity = identity

    @property
    def network(self) -> Any:
        """The network, trained as far as `fit` has come."""
        return self._model.network

    @classmethod
    def of(
        cls,
        build: Callable[[], Any],
        partition: Partition,
        config: TrainingConfig,
        *,
        label_weight: float,
        soft_targets: Path | None,
        averaging_decay: float | None = None,
    ) -> Self:
        """Put a training together.

        Args:
            build: Makes the network, a model on bytes; called with the configuration's seed and precision set.
            partition: Its training shards are the data.
            config: Schedule, optimizer, checkpoints.
            label_weight: Lambda of equation 2.
            soft_targets: Manifest of the teachers' predictions, for a student.
            averaging_decay: Ends with exponential moving averages of this decay in place of the weights.

        Raises:
            ConfigError: The batch is larger than the training set.
            DataError: The soft targets do not fit the partition.
        """
        schedule = Schedule.of(partition.num_training_videos, config.epochs, config.batch_size)
        sidecars = SoftTargetShards.open(soft_targets, partition) if soft_targets else None
        identity = {
            # How often checkpoints are written does not change the result.
            "training": config.model_dump(mode="json", exclude={"checkpoint_every_seconds", "checkpoint_every_steps"}),
            "label_weight": label_weight,
            "averaging_decay": averaging_decay,
            "partition": partition.digest,
            "soft_targets": sidecars.manifest.model_dump(mode="json") if sidecars else None,
        }
        with seeded_and_precise(config):
            network = build()
            _set_momentum(network, config.batch_norm_momentum)
            model = TrainingModel(network, label_weight, averaging_decay)
        return cls(model, training_batches(partition, config, sidecars), config, schedule, identity)

    def fit(
        self, *, checkpoint_uri: str, tensorboard_uri: str, description: str, identity: dict[str, Any]
    ) -> TrainingRecord:
        """Train to the end, from the last checkpoint where there is one.

        Args:
            checkpoint_uri: Folder of the checkpoint.
            tensorboard_uri: Folder for TensorBoard's logs, or empty.
            description: What the progress display says.
            identity: Plain JSON data that says what is trained, and from which weights.

        Returns:
            The record of the training.
        """
        checkpoint = Checkpoint(checkpoint_uri, training_digest(**self._identity, **identity))
        with data_errors():
            return fit(
                self._model,
                self._read_epoch,
                schedule=self.schedule,
                config=self._config,
                checkpoint=checkpoint,
                description=description,
                tensorboard_uri=tensorboard_uri,
            )


def _set_momentum(network: Any, momentum: float) -> None:
    for layer in all_layers(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
