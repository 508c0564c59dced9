"""Keras callback of a training: learning curve, checkpoints, progress, and a check for a diverged loss."""

import math
import time
from typing import Any

import keras
import numpy as np
from keras import ops

from yt8m.errors import ConfigError, DataError
from yt8m.progress import Advance
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.config import TrainingConfig
from yt8m.training.steps import CurvePoint, Steps, TrainingRecord

# Number of points of a whole learning curve, in addition to one at the end of each epoch.
_CURVE_POINTS = 100


class TrainingCallback(keras.callbacks.Callback):
    """Keeps the record of a training and saves it in checkpoints, periodically and after every epoch.

    Args:
        steps: Number of steps of the training.
        config: Intervals between checkpoints.
        record: Record of the steps done before.
        checkpoint: Checkpoint to write.
        advance: Function that reports finished videos to the progress display.
    """

    def __init__(
        self,
        steps: Steps,
        config: TrainingConfig,
        record: TrainingRecord,
        checkpoint: Checkpoint,
        advance: Advance,
    ) -> None:
        super().__init__()
        self._steps = steps
        self._config = config
        self._checkpoint = checkpoint
        self._advance = advance
        self.record = record
        """The record as last saved."""
        self._epoch, self._step = record.epoch, record.step
        self._curve = list(record.curve)
        self._seconds_before = record.seconds
        self._started = self._saved = time.monotonic()
        self._running_metrics: list[Any] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Keep a copy of the restored running loss and GAP, because `fit` resets them before every epoch."""
        del logs
        if self._step:
            self._running_metrics = [np.asarray(variable).copy() for variable in self.model.metrics_variables]

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Restore the running loss and GAP of an interrupted epoch."""
        del logs
        assert epoch == self._epoch, (epoch, self._epoch)
        if self._step:
            for variable, value in zip(self.model.metrics_variables, self._running_metrics, strict=True):
                variable.assign(value)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count the step, report it, and add a point to the curve or save a checkpoint if one is due."""
        del batch
        logs = logs or {}
        self._step += 1
        self._check_finite(logs["loss"])
        self._advance(
            self._steps.batch_size,
            f"epoch {self._epoch + 1}/{self._steps.epochs}, step {self._step}/{self._steps.steps_per_epoch}, "
            f"loss {logs['loss']:.4f}, GAP {logs['gap']:.4f}",
        )
        if self._steps_done % math.ceil(self._steps.total / _CURVE_POINTS) == 0:
            self._add_point(logs)
        if self._step < self._steps.steps_per_epoch and self._is_save_due():
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Finish the epoch and save a checkpoint."""
        if self._step != self._steps.steps_per_epoch:
            raise DataError(
                f"training data: epoch {epoch + 1} ended after {self._step} steps of {self._steps.batch_size} "
                f"videos, but the partition promises {self._steps.steps_per_epoch} steps. The shards have changed; "
                "run prepare again."
            )
        if not self._curve or self._curve[-1].step != self._steps_done:
            self._add_point(logs or {})
        self._epoch, self._step = self._epoch + 1, 0
        self._save()

    @property
    def _steps_done(self) -> int:
        return self._epoch * self._steps.steps_per_epoch + self._step

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise ConfigError(
                f"training: the loss became {loss} in epoch {self._epoch + 1}, step {self._step}. "
                "Lower training.learning_rate or set training.clip_norm."
            )

    def _add_point(self, logs: dict[str, float]) -> None:
        point = CurvePoint(
            epoch=self._epoch + 1,
            step=self._steps_done,
            examples=self._steps_done * self._steps.batch_size,
            loss=float(logs["loss"]),
            gap=float(logs["gap"]),
            learning_rate=float(ops.convert_to_numpy(self.model.optimizer.learning_rate)),
        )
        self._curve.append(point)

    def _is_save_due(self) -> bool:
        every = self._config.checkpoint_every_steps
        if every and self._step % every == 0:
            return True
        return time.monotonic() - self._saved >= self._config.checkpoint_every_seconds

    def _save(self) -> None:
        seconds = self._seconds_before + time.monotonic() - self._started
        self.record = TrainingRecord(epoch=self._epoch, step=self._step, seconds=seconds, curve=tuple(self._curve))
        self._checkpoint.save(self.model, self.record)
        self._saved = time.monotonic()
