"""The training loop: trains a model from its last checkpoint to the end."""

from collections.abc import Callable
from typing import Any

import keras

from yt8m.progress import progress
from yt8m.training.callbacks import TrainingCallback
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.config import ResolvedTraining
from yt8m.training.epoch_end.batch_statistics import BatchStatistics
from yt8m.training.epoch_end.holdout_sample import Sample
from yt8m.training.epoch_end.keeping import Keeping
from yt8m.training.steps import Steps, TrainingRecord
from yt8m.training.tensorboard import tensorboard
from yt8m.training.training_model import TrainingModel

# (epoch, batches to skip) -> the rest of that epoch: a `tf.data.Dataset` of (inputs, targets).
EpochReader = Callable[[int, int], Any]


def fit(
    model: TrainingModel,
    read_epoch: EpochReader,
    *,
    steps: Steps,
    config: ResolvedTraining,
    checkpoint: Checkpoint,
    description: str,
    tensorboard_uri: str = "",
    sample: Sample | None = None,
) -> TrainingRecord:
    """Train a model, starting from its last checkpoint if there is one.

    A training that is killed at any moment and started again ends with the same weights as an uninterrupted one.

    Args:
        model: Model to train, not compiled. Afterwards its network holds the kept weights: those of the epoch that was
            best on the sample, those of the last epoch, or their averages if the model keeps averages.
        read_epoch: Function that returns the batches of an epoch (counted from 0) after a number of batches to skip.
            The same arguments must always give the same batches.
        steps: Number of epochs and steps.
        config: Settings of the optimizer and the checkpoints.
        checkpoint: Checkpoint to restore and to write.
        description: Title in the progress display.
        tensorboard_uri: Folder for TensorBoard logs. Empty writes none.
        sample: Hold-out videos on which the network is measured after every epoch. None measures nothing, and keeps the
            last epoch.

    Returns:
        The record of the whole training, including earlier runs.

    Raises:
        ConfigError: The loss is not finite.
        DataError: An epoch has fewer batches than expected.
        StorageError: The checkpoint is damaged.
    """
    optimizer = build_optimizer(config, model.averaging_decay)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, jit_compile=config.jit_compile)
    keeping = Keeping(model, config, sample, _statistics(model, read_epoch, steps, config))
    record, keeping.weights = checkpoint.restore(model)
    done = (record.epoch * steps.steps_per_epoch + record.step) * steps.batch_size
    with progress(description, steps.videos, done=done) as advance, tensorboard(tensorboard_uri) as logs:
        while not keeping.is_finished(record, steps):
            callback = TrainingCallback(steps, config, keeping, record=record, checkpoint=checkpoint, advance=advance)
            _fit_epoch(model, read_epoch, steps, record, [callback, *logs])
            # Keras' `fit` has replaced the weights by their averages, if any; the checkpoint has both.
            record = callback.record if model.averaging_decay is None else checkpoint.restore(model)[0]
        if record.epoch < steps.epochs:
            done = record.epoch * steps.videos_per_epoch
            advance(0, f"ended early: no higher {keeping.part} GAP since epoch {record.kept_epoch}", total=done)
    if keeping.finish():
        # Nothing continues from here, so the weights in training may be those that are kept.
        checkpoint.save(model, record, keeping.weights)
    return record


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly to that of another schedule.

    Args:
        schedule: The other schedule.
        steps: Number of steps with a lower rate than the other schedule's. The first has one part in `steps + 1` of it.
    """

    def __init__(self, schedule: Any, steps: int) -> None:
        self._schedule = schedule
        self._steps = steps

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step, counted from 0."""
        part = (keras.ops.cast(step, "float32") + 1) / (self._steps + 1)
        return self._schedule(step) * keras.ops.minimum(part, 1.0)


def build_optimizer(config: ResolvedTraining, averaging_decay: float | None = None) -> Any:
    """Build Adam with a learning rate that rises at the beginning and then falls in stairs.

    Each gradient tensor is clipped by its own norm.

    Tensors are those of Keras. `TrainingConfig` says how those of recurrent cells differ from the winners'.

    Args:
        config: Learning rate, its decay, and the norm to clip to.
        averaging_decay: Decay of an exponential moving average of the trainable weights. None keeps no average.

    Returns:
        A `keras.optimizers.Adam`.
    """
    learning_rate: Any = keras.optimizers.schedules.ExponentialDecay(
        config.learning_rate,
        decay_steps=config.decay_examples / config.batch_size,
        decay_rate=config.learning_rate_decay,
        staircase=True,
    )
    if config.warmup_steps:
        learning_rate = WarmUp(learning_rate, config.warmup_steps)
    average: dict[str, Any] = {"use_ema": True, "ema_momentum": averaging_decay} if averaging_decay is not None else {}
    # The winners trained with TensorFlow 1, whose default epsilon is 1e-8; Keras' is 1e-7.
    return keras.optimizers.Adam(learning_rate, epsilon=1e-8, clipnorm=config.clip_norm, **average)


def _statistics(
    model: TrainingModel, read_epoch: EpochReader, steps: Steps, config: ResolvedTraining
) -> BatchStatistics | None:
    """Return the measurement of batch statistics, None if a momentum moves them."""
    if config.batch_norm_momentum is not None:
        return None
    return BatchStatistics(model.network, lambda: read_epoch(0, 0).take(steps.steps_per_epoch), steps.batch_size)


def _fit_epoch(
    model: TrainingModel, read_epoch: EpochReader, steps: Steps, record: TrainingRecord, callbacks: list[Any]
) -> None:
    """Train one epoch, or the rest of an interrupted one.

    One call of Keras' `fit` per epoch, so that an epoch with too few batches cannot use those of the next.
    """
    epoch, remaining = record.epoch, steps.steps_per_epoch - record.step
    batches = read_epoch(epoch, record.step).take(remaining)
    options = {"steps_per_epoch": remaining, "callbacks": callbacks, "verbose": 0, "shuffle": False}
    model.fit(batches, initial_epoch=epoch, epochs=epoch + 1, **options)
