"""What automatic settings depend on: the counts of a data set."""

from typing import Self

from pydantic import NonNegativeInt, PositiveInt

from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition


class DataCounts(Config):
    """What settings depend on: the counts of a data set.

    Attributes:
        training_videos: Number of training videos.
        classes: Number of classes.
        num_features: Number of values per frame.
        max_frames: Largest number of frames of a video.
    """

    training_videos: NonNegativeInt
    classes: PositiveInt
    num_features: PositiveInt
    max_frames: PositiveInt

    @classmethod
    def of(cls, partition: Partition) -> Self:
        """Return the counts of a partition."""
        return cls.of_videos(partition.num_training_videos, partition.spec)

    @classmethod
    def of_videos(cls, training_videos: int, spec: DataSpec) -> Self:
        """Return the counts of a number of training videos."""
        return cls(
            training_videos=training_videos,
            classes=spec.num_classes,
            num_features=spec.num_features,
            max_frames=spec.max_frames,
        )
