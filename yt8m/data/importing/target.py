"""What an imported data set is to match: options, or another data set."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from yt8m import storage
from yt8m.config import Config
from yt8m.data.description import DESCRIPTION_NAME, DatasetDescription
from yt8m.data.format import MOST_CLASSES, DataSpec
from yt8m.data.importing.dividing.split import LEAST_VIDEOS
from yt8m.data.importing.vocabulary import Vocabulary
from yt8m.errors import DataError, StorageError, suggest

DEFAULT_SPLIT = {"train": 0.8, "validate": 0.1, "test": 0.1}


class ImportConfig(Config):
    """Configuration of an import.

    Attributes:
        sources: Files and folders, as they were given; only for the description.
        split: Share of the labeled videos in `train`, `validate` and `test` shards. None means 0.8, 0.1 and 0.1, or
            only `test` if there are no labels.
        seed: Random seed of the split and of the order of the videos; the same seed gives the same bytes.
        ranges: Floats that the bytes of a feature stand for, from the lowest to the highest. Those of other features
            are measured.
        like: Folder or `dataset.json` of another data set whose features, ranges, classes and vocabulary to use.
        vocabulary: File of class names, in any form that `export.vocabulary` of a recipe may have. Empty means to
            number the names in sorted order.
        classes: Number of classes. None means as many as labels or vocabulary have.
        max_frames: Number of frames after which videos are cut. None means that the longest video stays whole.
        videos_per_shard: Largest number of videos of a shard. Shards are also at most about 100 MB.
    """

    sources: tuple[str, ...] = ()
    split: dict[str, float] | None = None
    seed: NonNegativeInt = 0
    ranges: dict[str, tuple[float, float]] = Field(default={})
    like: str = ""
    vocabulary: str = ""
    classes: PositiveInt | None = Field(default=None, le=MOST_CLASSES)
    max_frames: PositiveInt | None = None
    videos_per_shard: PositiveInt = 1000

    @model_validator(mode="after")
    def _split_is_whole(self) -> Self:
        for name, share in (self.split or {}).items():
            if name not in LEAST_VIDEOS:
                raise ValueError(f"split: no side '{name}'. {suggest(name, LEAST_VIDEOS)}")
            if share <= 0:
                raise ValueError(f"split.{name}: expected a share above 0, received {share}. Leave the side out")
        if self.split is not None and abs(sum(self.split.values()) - 1) > 1e-6:
            raise ValueError(f"split: expected shares that add up to 1, received {sum(self.split.values()):g}")
        return self

    @model_validator(mode="after")
    def _one_of_like_and_own(self) -> Self:
        own = [name for name in ("ranges", "vocabulary", "classes") if getattr(self, name)]
        if self.like and own:
            raise ValueError(f"like: gives {own[0]}, too. Leave out one of the two")
        return self


class Target(NamedTuple):
    """Features, ranges and classes that are known before the videos are read.

    Attributes:
        features: Size by name, in the order to keep; None if the source decides.
        ranges: Ranges of features that are not to be measured.
        vocabulary: Names of the classes; None if the labels decide.
        num_classes: Number of classes; None if the labels decide.
    """

    features: Mapping[str, int] | None
    ranges: Mapping[str, tuple[float, float]]
    vocabulary: Vocabulary | None
    num_classes: int | None

    @classmethod
    def of(cls, config: ImportConfig) -> Self:
        """Read the vocabulary or the data set that a configuration names.

        Raises:
            ConfigError: The data set's description is invalid.
            DataError: There is no such data set, the vocabulary is invalid, or it has too many classes.
            StorageError: A file cannot be read.
        """
        if config.like:
            return cls._like(config.like)
        if not config.vocabulary:
            return cls(None, config.ranges, None, config.classes)
        try:
            vocabulary = Vocabulary.read(config.vocabulary)
        except (DataError, StorageError) as error:
            raise type(error)(f"--vocabulary: {error}") from None
        num_classes = max(vocabulary.names) + 1
        if num_classes > MOST_CLASSES:
            raise DataError(
                f"--vocabulary: {config.vocabulary} has a class {num_classes - 1}, but there may be {MOST_CLASSES} "
                "classes, from 0. Number the classes without large gaps."
            )
        if config.classes is not None and config.classes < num_classes:
            raise DataError(
                f"--classes: {config.classes}, but {config.vocabulary} has a class {num_classes - 1}. Leave one out."
            )
        return cls(None, config.ranges, vocabulary, config.classes or num_classes)

    @classmethod
    def _like(cls, like: str) -> Self:
        folder = like.removesuffix(DESCRIPTION_NAME).rstrip("/") or "."
        description = DatasetDescription.in_folder(folder)
        if not description:
            raise DataError(f"--like: {folder} has no {DESCRIPTION_NAME}. Give the folder of an imported data set.")
        spec = description.data
        if description.vocabulary:
            vocabulary = Vocabulary.read(storage.join(folder, description.vocabulary))
        else:
            vocabulary = Vocabulary({number: str(number) for number in range(spec.num_classes)}, folder)
        ranges = {name: spec.range_of(name) for name in spec.features}
        return cls(spec.features, ranges, vocabulary, spec.num_classes)

    def features_in_order(self, features: Mapping[str, int]) -> dict[str, int]:
        """Return the features of a source in the order to keep.

        Raises:
            ConfigError: A given range or the name of a feature cannot be used.
            DataError: The source has other features than the data set to match, or none with a given range.
        """
        if self.features is not None and dict(self.features) != dict(features):
            raise DataError(
                f"--like: expected the features {_list(self.features)}, received {_list(features)}. Choose features "
                "with --feature, and name files as NAME=PATH."
            )
        for name in self.ranges:
            if name not in features:
                raise DataError(f"--range: no feature '{name}'. {suggest(name, features)}")
        # The first pass over the videos may take hours.
        DataSpec.parse({"features": features, "ranges": self.ranges}, "data import")
        return dict(self.features or features)


def _list(features: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({size})" for name, size in features.items())
