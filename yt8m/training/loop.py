"""Training from the last checkpoint to the end."""

from collections.abc import Callable
from typing import Any

import keras

from yt8m.progress import progress
from yt8m.training.callbacks import Monitor
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.config import TrainingConfig
from yt8m.training.optimizer import build_optimizer
from yt8m.training.steps import Schedule
from yt8m.training.tensorboard import TensorBoard
from yt8m.training.training_model import TrainingModel
from yt8m.training.training_record import TrainingRecord

# (epoch, batches to skip) -> the rest of that epoch: a `tf.data.Dataset` of (inputs, targets).
EpochReader = Callable[[int, int], Any]


def fit(
    model: TrainingModel,
    read_epoch: EpochReader,
    *,
    schedule: Schedule,
    config: TrainingConfig,
    checkpoint: Checkpoint,
    description: str,
    tensorboard_uri: str = "",
) -> TrainingRecord:
    """Train a model, beginning where its last checkpoint left off.

    A run that was killed at any moment and started again ends with the weights of one that never was.

    Args:
        model: The model, not compiled; on return its network holds the final weights, or their averages where the
            model keeps any.
        read_epoch: Gives the batches of an epoch (from 0) without its first batches; always the same for the same
            arguments.
        schedule: How long to train.
        config: Optimizer and checkpoints.
        checkpoint: Where the state is kept.
        description: What the progress display says.
        tensorboard_uri: Folder for TensorBoard's logs; none are written without.

    Returns:
        The record of the whole training, earlier runs included.

    Raises:
        ConfigError: The loss is not finite.
        DataError: An epoch is shorter than the schedule says.
        StorageError: The checkpoint is damaged.
    """
    optimizer = build_optimizer(config, model.averaging_decay)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, jit_compile=config.jit_compile)
    record = checkpoint.restore(model)
    done = (record.epoch * schedule.steps_per_epoch + record.step) * schedule.batch_size
    with progress(description, schedule.videos, done=done) as advance:
        while record.epoch < schedule.epochs:
            monitor = Monitor(schedule, config, record, checkpoint, advance)
            _fit_epoch(model, read_epoch, schedule, record, [monitor, *_tensorboard(tensorboard_uri)])
            # Where there are averages, `fit` put them in place of the weights; the checkpoint at its end has both.
            record = monitor.record if model.averaging_decay is None else checkpoint.restore(model)
    model.use_averages()
    return record


def _fit_epoch(
    model: TrainingModel, read_epoch: EpochReader, schedule: Schedule, record: TrainingRecord, callbacks: list[Any]
) -> None:
    """An epoch, or the rest of an interrupted one, by itself: one that is too short must not eat of the next."""
    epoch, steps = record.epoch, schedule.steps_per_epoch - record.step
    batches = read_epoch(epoch, record.step).take(steps)
    options = {"steps_per_epoch": steps, "callbacks": callbacks, "verbose": 0, "shuffle": False}
    model.fit(batches, initial_epoch=epoch, epochs=epoch + 1, **options)


def _tensorboard(uri: str) -> list[keras.callbacks.Callback]:
    return [TensorBoard(uri)] if uri else []
