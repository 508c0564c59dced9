"""Steps of a training: how many there are, and the record of those done."""

from dataclasses import dataclass
from typing import Any

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from yt8m.config import Config
from yt8m.errors import ConfigError

SAMPLE_VIDEOS = 2_000
"""Largest number of hold-out videos on which a training is measured after every epoch."""
SAMPLED_VIDEOS = 10_000
"""Number of hold-out videos of whose shards this sample is taken; all if there are fewer."""
STATISTICS_VIDEOS = 2_000
"""Number of training videos on which batch statistics are measured, so that the variance of a feature with one value
per video is accurate to about 3 percent; all if there are fewer."""


@dataclass(frozen=True)
class Steps:
    """Number of epochs and steps of a training.

    Attributes:
        epochs: Passes over the training videos.
        steps_per_epoch: Whole batches in an epoch. The remaining videos, fewer than a batch, are dropped.
        batch_size: Videos per step.
    """

    epochs: int
    steps_per_epoch: int
    batch_size: int

    @classmethod
    def of(cls, num_videos: int, epochs: int, batch_size: int) -> "Steps":
        """Count the steps of a training on `num_videos` videos.

        Raises:
            ConfigError: There are fewer videos than one batch holds.
        """
        if num_videos < batch_size:
            raise ConfigError(
                f"training.batch_size: {batch_size}, but there are only {num_videos} training videos. "
                f"Set it to at most {num_videos}."
            )
        return cls(epochs, num_videos // batch_size, batch_size)

    @property
    def total(self) -> int:
        """Number of steps in all epochs."""
        return self.epochs * self.steps_per_epoch

    @property
    def videos(self) -> int:
        """Number of videos in all epochs, repeated ones included."""
        return self.epochs * self.videos_per_epoch

    @property
    def videos_per_epoch(self) -> int:
        """Number of videos in the whole batches of an epoch."""
        return self.steps_per_epoch * self.batch_size


class CurvePoint(Config):
    """Point of a learning curve: running figures from the beginning of an epoch to a step.

    Attributes:
        epoch: Number of the epoch, counted from 1.
        step: Steps since the beginning of the training.
        examples: Videos seen since the beginning of the training, repeated ones included.
        loss: Mean loss so far in the epoch, penalties included.
        gap: GAP@20 of the epoch's training predictions so far, accurate to about three decimals.
        learning_rate: Learning rate after the step.
        holdout_gap: GAP of a sample of the hold-out after the step, at the end of an epoch; otherwise None.
        holdout_loss: Cross entropy of these videos, summed over classes and without penalties; otherwise None.
    """

    epoch: NonNegativeInt
    step: NonNegativeInt
    examples: NonNegativeInt
    loss: float
    gap: float
    learning_rate: float
    holdout_gap: float | None = None
    holdout_loss: float | None = None


class TrainingRecord(Config):
    """Progress and learning curve of a training; part of its checkpoint.

    Attributes:
        epoch: Number of finished epochs.
        step: Number of finished steps in the current epoch.
        seconds: Training time in seconds, including earlier runs up to their last checkpoint.
        kept_epoch: Number of the epoch whose weights are kept, counted from 1; 0 before the end of the first.
        curve: Learning curve so far.
    """

    epoch: NonNegativeInt = 0
    step: NonNegativeInt = 0
    seconds: NonNegativeFloat = 0.0
    kept_epoch: NonNegativeInt = 0
    curve: tuple[CurvePoint, ...] = Field(default=())

    @property
    def kept_point(self) -> CurvePoint:
        """Point of the curve at the end of the epoch whose weights are kept."""
        return [point for point in self.curve if point.epoch == self.kept_epoch][-1]

    def curve_as_json(self) -> list[dict[str, Any]]:
        """Return the learning curve as plain JSON data, without the figures that a point does not have."""
        return [point.model_dump(exclude_none=True) for point in self.curve]
