"""How much data a run has, as far as its cost depends on it."""

from dataclasses import dataclass
from typing import Self

from pipelines.recipe.schema import Recipe
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, Shard, split_shards
from yt8m.errors import ConfigError

# A feature of a frame in a SequenceExample: three tags and three lengths, of which one or two take two bytes.
_FEATURE_OVERHEAD_BYTES = 9


@dataclass(frozen=True)
class DataFacts:
    """Videos and bytes of both sides of the partition.

    Attributes:
        training_videos: Videos to train on.
        holdout_videos: Videos held out.
        training_bytes: Of the training shards.
        holdout_bytes: Of the hold-out shards.
        shards: Shards of both sides; 0 if not known.
        mean_frames: Frames of a mean video, from its bytes.
    """

    training_videos: int
    holdout_videos: int
    training_bytes: int
    holdout_bytes: int
    shards: int
    mean_frames: float

    @classmethod
    def of_partition(cls, uri: str, recipe: Recipe) -> Self:
        """Read what `prepare` wrote.

        Raises:
            ConfigError: The file is no partition, or one of other data than the recipe's.
            StorageError: There is no such file.
        """
        partition = Partition.load(uri)
        spec = recipe.data.resolve_spec()
        if (partition.spec.features, partition.spec.num_classes) != (spec.features, spec.num_classes):
            raise ConfigError(
                f"{uri}: videos with {partition.spec.num_classes} classes and features {partition.spec.features}, but "
                f"the recipe has {spec.num_classes} classes and features {spec.features}. Give the recipe's partition."
            )
        training_bytes, holdout_bytes = _bytes(partition.training), _bytes(partition.holdout)
        videos = partition.num_training_videos + partition.num_holdout_videos
        return cls(
            partition.num_training_videos,
            partition.num_holdout_videos,
            training_bytes,
            holdout_bytes,
            len(partition.training) + len(partition.holdout),
            _mean_frames((training_bytes + holdout_bytes) / max(videos, 1), spec),
        )

    @classmethod
    def of_counts(cls, training_videos: int, holdout_videos: int, total_bytes: int | None, spec: DataSpec) -> Self:
        """From what is known without a partition.

        Args:
            training_videos: Videos to train on.
            holdout_videos: Videos held out.
            total_bytes: Of all shards; None: as if every video were as long as the longest.
            spec: Features and longest video.
        """
        videos = training_videos + holdout_videos
        size = videos * spec.max_frames * _frame_bytes(spec) if total_bytes is None else total_bytes
        training_bytes = round(size * training_videos / max(videos, 1))
        mean_frames = _mean_frames(size / max(videos, 1), spec)
        return cls(training_videos, holdout_videos, training_bytes, size - training_bytes, 0, mean_frames)

    @classmethod
    def of_generated(cls, recipe: Recipe) -> Self | None:
        """What a recipe generates; None if it generates nothing. Videos are exact, bytes are about right.

        Raises:
            DataError: There are not as many validation shards as are to be held out.
        """
        generate = recipe.data.generate
        if not generate:
            return None
        videos = {shard.name: shard.videos for shard in generate.shards()}
        training, validation = ([name for name in videos if name.startswith(split)] for split in ("train", "validate"))
        training, holdout = split_shards(training, validation, recipe.data.holdout_shards, recipe.seed)
        training_videos, holdout_videos = (sum(map(videos.__getitem__, names)) for names in (training, holdout))
        return cls.of_counts(training_videos, holdout_videos, None, recipe.data.resolve_spec())

    @property
    def total_bytes(self) -> int:
        """Of all shards."""
        return self.training_bytes + self.holdout_bytes


def _bytes(shards: tuple[Shard, ...]) -> int:
    return sum(shard.size_bytes for shard in shards)


def _frame_bytes(spec: DataSpec) -> int:
    return sum(size + _FEATURE_OVERHEAD_BYTES for size in spec.features.values())


def _mean_frames(video_bytes: float, spec: DataSpec) -> float:
    return min(video_bytes / _frame_bytes(spec), spec.max_frames)
