"""What a generated data set says of itself, in a file beside its shards."""

import logging
from collections.abc import Mapping
from typing import Any, Self

from pydantic import NonNegativeInt, model_validator

from yt8m import storage
from yt8m.config import ConfigFile
from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError

DESCRIPTION_NAME = "dataset.json"

_LOGGER = logging.getLogger("yt8m.data")


class DatasetDescription(ConfigFile):
    """All that decides the bytes of a generated data set.

    Attributes:
        format: Changes when the same configuration would give other bytes.
        data: Features, classes and longest video.
        seed: Of the generation.
        preset: Its sizes.
        missing_share: Share of the labels that are not given; None with real labels.
        means: File, number of videos and digest of the real means; None for made-up videos.
        videos: Number of videos by split.
        shards: Number of shards by split.
        class_kinds: Classes by the way they show; none with real videos.
    """

    format: int
    data: DataSpec
    seed: int
    preset: str
    missing_share: float | None
    means: Mapping[str, Any] | None
    videos: Mapping[str, int]
    shards: Mapping[str, int]
    class_kinds: Mapping[str, tuple[NonNegativeInt, ...]]

    @model_validator(mode="after")
    def _classes_exist(self) -> Self:
        for kind, classes in self.class_kinds.items():
            if max(classes, default=0) >= self.data.num_classes:
                raise ValueError(f"class_kinds.{kind}: class {max(classes)} is not one of {self.data.num_classes}")
        return self

    @classmethod
    def in_folder(cls, uri: str) -> Self | None:
        """Read the description in a folder of shards, if there is one.

        Raises:
            ConfigError: The file of this name is something else.
            StorageError: It cannot be read.
        """
        place = storage.join(uri, DESCRIPTION_NAME)
        if not storage.exists(place):
            return None
        # What is no text is no JSON either.
        return cls.parse_json(storage.read_bytes(place).decode("utf-8", "replace"), place)

    @classmethod
    def of_shard(cls, uri: str) -> Self | None:
        """What the data set of a shard says of itself; None if it was not generated.

        Somebody else's file of this name is nothing to stumble over; it is logged.

        Raises:
            StorageError: There is a file, which cannot be read.
        """
        try:
            return cls.in_folder(uri.rpartition("/")[0])
        except ConfigError as error:
            _LOGGER.warning("This is no description of generated videos and is ignored: %s", error)
            return None
