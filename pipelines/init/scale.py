"""Sizes of models and trainings that suit a number of videos."""

from dataclasses import dataclass, replace
from math import ceil, log10, sqrt
from typing import NamedTuple

from pipelines.init.survey import Survey

# More hold-out videos do not change the first three digits of GAP.
MOST_HOLDOUT_VIDEOS = 50_000
# Share of shards that are not divided to hold out.
HOLDOUT_SHARE = 0.2
# The learning rate of short trainings and of the paper's, and the steps in between which it falls with their root.
LEARNING_RATE, LEAST_LEARNING_RATE, SHORT_STEPS = 0.005, 2e-4, 1000
# Number of times that the learning rate decays, as in the paper.
DECAYS = 11
# Soft targets of more classes than this are stored for the most likely classes only.
DENSE_CLASSES = 500
KEPT_CLASSES = 100
# Fewest training videos per class for a mixture of experts, which has five times the weights of a logistic head.
MOE_VIDEOS_PER_CLASS = 200
# Most classes for gates between labels, which have the square of them as weights.
MOST_GATED_CLASSES = 10_000


class Level(NamedTuple):
    """Models and trainings for a number of training videos.

    Attributes:
        least_videos: Fewest training videos.
        epochs: Passes over the videos.
        batch_size: Videos per step.
        dbof: Clusters and hidden units of DBoF.
        netvlad: Clusters, fewer and more, and hidden units of NetVLAD. None leaves the family out.
        netfv: Clusters and hidden units of NetFV. None leaves the family out.
        rnn: Units of the recurrent family. 0 leaves the family out.
        dropout: Share of the pooled values to drop.
        students: Whether students learn from the families.
        second_level: Whether a student learns from students.
    """

    least_videos: int
    epochs: int
    batch_size: int
    dbof: tuple[int, int]
    netvlad: tuple[int, int, int] | None = None
    netfv: tuple[int, int] | None = None
    rnn: int = 0
    dropout: float = 0.0
    students: bool = False
    second_level: bool = False


LEVELS = (
    Level(0, 15, 16, dbof=(64, 64)),
    Level(500, 12, 32, dbof=(128, 64), netvlad=(4, 8, 64), dropout=0.5),
    Level(5_000, 8, 64, dbof=(256, 128), netvlad=(8, 16, 128), rnn=64, dropout=0.25, students=True),
    Level(20_000, 6, 64, dbof=(512, 256), netvlad=(16, 32, 256), netfv=(16, 256), rnn=128, students=True),
    Level(
        200_000,
        6,
        128,
        dbof=(2048, 512),
        netvlad=(64, 128, 512),
        netfv=(48, 512),
        rnn=512,
        students=True,
        second_level=True,
    ),
    Level(
        1_000_000,
        10,
        160,
        dbof=(4096, 1024),
        netvlad=(128, 192, 1024),
        netfv=(96, 1024),
        rnn=1024,
        students=True,
        second_level=True,
    ),
)


@dataclass(frozen=True)
class Scale:
    """Numbers of a recipe, chosen from those of the data.

    Attributes:
        training_videos: Videos to train on.
        holdout_videos: Videos to hold out.
        holdout_shards: Shards to hold out.
        classes: Number of classes.
        level: Models and trainings for these videos.
        single_label: Whether every video has exactly one label, as far as its records were looked at.
    """

    training_videos: int
    holdout_videos: int
    holdout_shards: int
    classes: int
    level: Level
    single_label: bool = False

    @classmethod
    def of(cls, survey: Survey) -> "Scale":
        """Divide the videos into those to train on and those to hold out."""
        side = survey.sides["validation"]
        shards = len(side.shards.uris)
        divided = "training" in survey.sides
        share = min(1.0 if divided else HOLDOUT_SHARE, MOST_HOLDOUT_VIDEOS / max(side.videos, 1))
        held_out = min(max(round(shards * share), 1), shards if divided else shards - 1)
        holdout_videos = round(side.videos * held_out / shards)
        training_videos = survey.videos - holdout_videos
        level = [level for level in LEVELS if training_videos >= level.least_videos][-1]
        return cls(training_videos, holdout_videos, held_out, survey.spec.num_classes, level, survey.single_label)

    def first_run(self, share: float) -> "Scale":
        """Return the numbers of a first run on a share of the videos, with few and small models."""
        training_videos, holdout_videos = (
            max(round(videos * share), 1) for videos in (self.training_videos, self.holdout_videos)
        )
        level = LEVELS[0] if training_videos < LEVELS[1].least_videos else LEVELS[1]
        level = level._replace(students=self.level.students)
        return replace(self, training_videos=training_videos, holdout_videos=holdout_videos, level=level)

    @property
    def batch_size(self) -> int:
        """Videos per step, at most a quarter of the training videos."""
        return max(min(self.level.batch_size, self.training_videos // 4), 1)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch."""
        return max(self.training_videos // self.batch_size, 1)

    @property
    def steps(self) -> int:
        """Steps of a training."""
        return self.level.epochs * self.steps_per_epoch

    @property
    def learning_rate(self) -> float:
        """Initial learning rate, which falls with the root of the number of steps."""
        rate = LEARNING_RATE * sqrt(SHORT_STEPS / max(self.steps, SHORT_STEPS))
        return _round(max(rate, LEAST_LEARNING_RATE), 1)

    @property
    def decay_examples(self) -> int:
        """Training videos between two decays of the learning rate."""
        return int(_round(max(self.level.epochs * self.training_videos / DECAYS, 1), 2))

    @property
    def batch_norm_momentum(self) -> float:
        """Momentum whose statistics converge within the training."""
        return 0.97 if self.steps < 3_000 else 0.99 if self.steps < 30_000 else 0.999

    @property
    def averaged_steps(self) -> int:
        """Steps over which weights are averaged: half an epoch, at most the paper's number."""
        return min(max(self.steps_per_epoch // 2, 5), 2000)

    @property
    def videos_per_class(self) -> int:
        """Mean number of training videos for each class."""
        return ceil(self.training_videos / self.classes)

    @property
    def picks_top_classes(self) -> bool:
        """Whether soft targets are stored for the most likely classes only."""
        return self.classes > DENSE_CLASSES

    @property
    def head(self) -> str:
        """Kind of the head of pooling models; `softmax` is that of all models."""
        if self.single_label:
            return "softmax"
        return "moe" if self.videos_per_class >= MOE_VIDEOS_PER_CLASS else "logistic"


def _round(value: float, digits: int) -> float:
    """Round to significant digits."""
    return round(value, digits - 1 - int(log10(value) // 1))
