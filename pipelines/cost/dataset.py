"""Size of the training and hold-out sets: read from a partition, or computed without one."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

from pipelines.recipe.schema import Recipe
from yt8m import storage
from yt8m.data.description import descriptions_of
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, split_shards
from yt8m.data.shards import shard_name, shard_sizes
from yt8m.errors import ConfigError
from yt8m.training.auto.counts import DataCounts

# Overhead of a feature of a frame in a SequenceExample: three tags and three lengths, of which one or two take two
# bytes.
_FEATURE_OVERHEAD_BYTES = 9


@dataclass(frozen=True)
class DatasetSize:
    """Videos and bytes of the training and hold-out sets.

    Attributes:
        training_videos: Number of training videos.
        holdout_videos: Number of hold-out videos.
        training_bytes: Size of the training shards.
        holdout_bytes: Size of the hold-out shards.
        spec: Features and maximum number of frames of the videos.
        shards: Number of shards in both sets; 0 if unknown.
    """

    training_videos: int
    holdout_videos: int
    training_bytes: int
    holdout_bytes: int
    spec: DataSpec
    shards: int = 0

    @classmethod
    def of_partition(cls, uri: str, recipe: Recipe) -> Self:
        """Read the partition that `prepare` wrote.

        Raises:
            ConfigError: The file is not a partition, or its features or classes are not the recipe's.
            StorageError: The file does not exist.
        """
        partition = Partition.load(uri)
        spec = recipe.data.resolve_spec()
        if difference := partition.spec.difference(spec):
            raise ConfigError(
                f"{uri}: the partition differs from the recipe ({difference}). Give the partition of the recipe's data."
            )
        return cls(
            partition.num_training_videos,
            partition.num_holdout_videos,
            sum(shard.size_bytes for shard in partition.training),
            sum(shard.size_bytes for shard in partition.holdout),
            spec,
            len(partition.training) + len(partition.holdout),
        )

    @classmethod
    def of_counts(cls, training_videos: int, holdout_videos: int, total_bytes: int | None, spec: DataSpec) -> Self:
        """Compute the size from numbers of videos.

        Args:
            training_videos: Number of training videos.
            holdout_videos: Number of hold-out videos.
            total_bytes: Size of all shards. None assumes that every video has the maximum number of frames.
            spec: Features and maximum number of frames.
        """
        videos = training_videos + holdout_videos
        size = videos * spec.max_frames * _frame_bytes(spec) if total_bytes is None else total_bytes
        training_bytes = round(size * training_videos / max(videos, 1))
        return cls(training_videos, holdout_videos, training_bytes, size - training_bytes, spec)

    @classmethod
    def of_generated(cls, recipe: Recipe) -> Self | None:
        """Compute the size of the data that a recipe generates; return None if it generates none.

        The numbers of videos are exact, the bytes approximate.

        Raises:
            DataError: The recipe holds out more validation shards than it generates.
        """
        generate = recipe.data.generate
        if not generate:
            return None
        videos = {shard.name: shard.videos for shard in generate.shards()}
        training, validation = ([name for name in videos if name.startswith(split)] for split in ("train", "validate"))
        training, holdout = split_shards(training, validation, recipe.data.holdout_shards, recipe.seed)
        training_videos, holdout_videos = (sum(map(videos.__getitem__, names)) for names in (training, holdout))
        return cls.of_counts(training_videos, holdout_videos, None, recipe.data.resolve_spec())

    @classmethod
    def of_described(cls, recipe: Recipe) -> Self | None:
        """Compute the size from `dataset.json` beside the shards; return None if they are elsewhere or have none.

        The numbers of videos are exact, as long as all of them can be used: files were divided evenly into shards.

        Raises:
            ConfigError: The file is not a description.
            DataError: The recipe holds out more validation shards than there are.
        """
        sides = (recipe.data.training, recipe.data.validation)
        if recipe.data.generate or any(map(storage.is_remote, chain(*sides))):
            return None
        training, validation = ([uri for each in side for uri in storage.find_files(each).uris] for side in sides)
        described = descriptions_of([*training, *validation])
        if len(described) != 1 or not validation:
            return None
        (description,) = described.values()
        sizes = {
            shard_name(split, number): size
            for split, shards in description.shards.items()
            for number, size in enumerate(
                shard_sizes(description.videos[split], max(description.videos[split], 1), shards)
            )
        }
        if not {Path(uri).name for uri in (*training, *validation)} <= sizes.keys():
            return None
        training, holdout = split_shards(training, validation, recipe.data.holdout_shards, recipe.seed)
        training_videos, holdout_videos = (sum(sizes[Path(uri).name] for uri in uris) for uris in (training, holdout))
        training_bytes, holdout_bytes = (sum(Path(uri).stat().st_size for uri in uris) for uris in (training, holdout))
        return cls(
            training_videos,
            holdout_videos,
            training_bytes,
            holdout_bytes,
            recipe.data.resolve_spec(),
            len(training) + len(holdout),
        )

    @classmethod
    def known(cls, recipe: Recipe) -> Self | None:
        """Compute the size of the data that a recipe generates or that a description beside the shards tells."""
        return cls.of_generated(recipe) or cls.of_described(recipe)

    @property
    def counts(self) -> DataCounts:
        """What settings depend on."""
        return DataCounts.of_videos(self.training_videos, self.spec)

    @property
    def total_bytes(self) -> int:
        """Size of all shards."""
        return self.training_bytes + self.holdout_bytes

    @property
    def mean_frames(self) -> float:
        """Mean number of frames per video, estimated from the size of the shards."""
        videos = max(self.training_videos + self.holdout_videos, 1)
        return min(self.total_bytes / videos / _frame_bytes(self.spec), self.spec.max_frames)


def _frame_bytes(spec: DataSpec) -> int:
    return sum(size + _FEATURE_OVERHEAD_BYTES for size in spec.features.values())
