"""How far a training is, and how it went."""

from typing import Any

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from yt8m.config import Config


class CurvePoint(Config):
    """Figures of the videos from the beginning of an epoch to a step.

    Attributes:
        epoch: From 1.
        step: Steps since the training began.
        examples: Videos since the training began, repeated ones included.
        loss: Mean loss, penalties included.
        gap: GAP@20 of the predictions made in training, to about three decimals.
        learning_rate: Of the step.
    """

    epoch: NonNegativeInt
    step: NonNegativeInt
    examples: NonNegativeInt
    loss: float
    gap: float
    learning_rate: float


class TrainingRecord(Config):
    """Where a training is; part of its checkpoint.

    Attributes:
        epoch: Finished epochs.
        step: Steps done of the next one.
        seconds: Time spent, that of earlier runs up to their last checkpoint included.
        curve: The learning curve so far.
    """

    epoch: NonNegativeInt = 0
    step: NonNegativeInt = 0
    seconds: NonNegativeFloat = 0.0
    curve: tuple[CurvePoint, ...] = Field(default=())

    def curve_as_json(self) -> list[dict[str, Any]]:
        """The curve as plain data, for a stage's details."""
        return [point.model_dump() for point in self.curve]
