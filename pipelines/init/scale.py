"""Sizes of models that suit a number of videos."""

from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

from pipelines.init.survey import Survey

# More hold-out videos do not change the first three digits of GAP.
MOST_HOLDOUT_VIDEOS = 50_000
# Share of shards that are not divided to hold out.
HOLDOUT_SHARE = 0.2
# Soft targets of more classes than this are stored for the most likely classes only.
DENSE_CLASSES = 500
KEPT_CLASSES = 100
# Fewest training videos per class for a mixture of experts, which has five times the weights of a logistic head.
MOE_VIDEOS_PER_CLASS = 200
# Most classes for gates between labels, which have the square of them as weights.
MOST_GATED_CLASSES = 10_000


class Level(NamedTuple):
    """Models for a number of training videos.

    Attributes:
        least_videos: Fewest training videos.
        dbof: Clusters and hidden units of DBoF.
        netvlad: Clusters, fewer and more, and hidden units of NetVLAD. None leaves the family out.
        netfv: Clusters and hidden units of NetFV. None leaves the family out.
        rnn: Units of the recurrent family. 0 leaves the family out.
        dropout: Share of the pooled values to drop.
        students: Whether students learn from the families.
        second_level: Whether a student learns from students.
    """

    least_videos: int
    dbof: tuple[int, int]
    netvlad: tuple[int, int, int] | None = None
    netfv: tuple[int, int] | None = None
    rnn: int = 0
    dropout: float = 0.0
    students: bool = False
    second_level: bool = False


LEVELS = (
    Level(0, dbof=(64, 64)),
    Level(500, dbof=(128, 64), netvlad=(4, 8, 64), dropout=0.5),
    Level(5_000, dbof=(256, 128), netvlad=(8, 16, 128), rnn=64, dropout=0.25, students=True),
    Level(20_000, dbof=(512, 256), netvlad=(16, 32, 256), netfv=(16, 256), rnn=128, students=True),
    Level(
        200_000,
        dbof=(2048, 512),
        netvlad=(64, 128, 512),
        netfv=(48, 512),
        rnn=512,
        students=True,
        second_level=True,
    ),
    Level(
        1_000_000,
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
        level: Models for these videos.
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
