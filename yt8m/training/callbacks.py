"""Keras callback of a training: learning curve, kept weights, checkpoints, progress, and a check for divergence."""

import logging
import math
import time
from typing import Any

import keras
import numpy as np
from keras import ops

from yt8m.errors import ConfigError, DataError
from yt8m.progress import Advance
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.config import ResolvedTraining
from yt8m.training.epoch_end.holdout_sample import SampleFigures
from yt8m.training.epoch_end.keeping import Keeping
from yt8m.training.steps import CurvePoint, Steps, TrainingRecord

_LOGGER = logging.getLogger("yt8m.training")

# Number of points of a whole learning curve, in addition to one at the end of each epoch.
_CURVE_POINTS = 100


class TrainingCallback(keras.callbacks.Callback):
    """Keeps the record of a training and saves it in checkpoints, periodically and after every epoch.

    Args:
        steps: Number of steps of the training.
        config: Intervals between checkpoints.
        keeping: Measurement of the network after an epoch, and the weights that are kept.
        record: Record of the steps done before.
        checkpoint: Checkpoint to write.
        advance: Function that reports finished videos to the progress display.
    """

    def __init__(
        self,
        steps: Steps,
        config: ResolvedTraining,
        keeping: Keeping,
        *,
        record: TrainingRecord,
        checkpoint: Checkpoint,
        advance: Advance,
    ) -> None:
        super().__init__()
        self._steps = steps
        self._config = config
        self._keeping = keeping
        self._checkpoint = checkpoint
        self._advance = advance
        self.record = record
        """The record as last saved."""
        self._epoch, self._step = record.epoch, record.step
        self._kept_epoch = record.kept_epoch
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
        self._check_finite(
            logs["loss"], f"the loss became {logs['loss']} in epoch {self._epoch + 1}, step {self._step}"
        )
        self._advance(
            self._steps.batch_size,
            f"epoch {self._epoch + 1}/{self._steps.epochs}, step {self._step}/{self._steps.steps_per_epoch}, "
            f"loss {logs['loss']:.4f}, training GAP {logs['gap']:.4f}{self._holdout_note()}",
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
        logs = {} if logs is None else logs
        if not self._curve or self._curve[-1].step != self._steps_done:
            self._add_point(logs)
        # `self.model` gives the network the weights that JAX keeps elsewhere during an epoch.
        assert self.model
        figures, better = self._keeping.end_epoch(self.record)
        if figures:
            self._add_figures(figures, logs)
        self._epoch, self._step = self._epoch + 1, 0
        if better:
            self._kept_epoch = self._epoch
        self._save()
        self._advance(0, f"epoch {epoch + 1}/{self._steps.epochs}{self._holdout_note()}")

    @property
    def _steps_done(self) -> int:
        return self._epoch * self._steps.steps_per_epoch + self._step

    def _check_finite(self, loss: float, problem: str) -> None:
        if math.isfinite(loss):
            return
        if self._config.keep == "best" and self._kept_epoch and self.record.kept_point.holdout_gap is not None:
            gap = self.record.kept_point.holdout_gap
            problem += (
                f". Until then, epoch {self._kept_epoch} was the best, with a {self._keeping.part} GAP of {gap:.4f}"
            )
        raise ConfigError(f"training: {problem}. Lower training.learning_rate or set training.clip_norm.")

    def _add_figures(self, figures: SampleFigures, logs: dict[str, float]) -> None:
        """Add the figures of the sample to the last point, and to the logs, under Keras' names of such figures."""
        if figures.loss is not None:
            self._check_finite(figures.loss, f"the predictions after epoch {self._epoch + 1} are not numbers")
            logs["val_loss"] = figures.loss
        changes = {"holdout_gap": figures.gap, "holdout_loss": figures.loss}
        self._curve[-1] = self._curve[-1].model_copy(update=changes)
        if figures.gap is not None:
            logs["val_gap"] = figures.gap
        elif not self._epoch:
            _LOGGER.warning(
                "None of the hold-out videos on which epochs are measured has a label. Therefore the last epoch is "
                "kept, and no training ends early."
            )

    def _holdout_note(self) -> str:
        """Return the last GAP of the sample, its epoch and the epoch that is kept, for the progress line."""
        measured = next((point for point in reversed(self._curve) if point.holdout_gap is not None), None)
        if measured is None:
            return ""
        best = f", best {self._kept_epoch}" if self._config.keep == "best" else ""
        return f", {self._keeping.part} GAP {measured.holdout_gap:.4f} (epoch {measured.epoch}{best})"

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
        self.record = TrainingRecord(
            epoch=self._epoch,
            step=self._step,
            seconds=seconds,
            kept_epoch=self._kept_epoch,
            curve=tuple(self._curve),
        )
        self._checkpoint.save(self.model, self.record, self._keeping.weights)
        self._saved = time.monotonic()
