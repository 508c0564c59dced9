"""Description of a synthetic data set: the file `dataset.json` beside its shards."""

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
    """Everything that determines the bytes of a synthetic data set.

    Attributes:
        format: Version of the generator; a new version gives other bytes for the same configuration.
        data: Features, classes and length of the longest video.
        seed: Random seed of the data set.
        preset: Name of the preset.
        missing_share: Share of the labels that are missing; None with real labels.
        means: File name, number of videos and digest of the file of real means; None for procedural videos.
        videos: Number of videos, by split.
        shards: Number of shards, by split.
        class_kinds: Classes by kind of evidence; empty with real means.
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
        """Read the description in a folder of shards; return None if there is none.

        Raises:
            ConfigError: The file has another content.
            StorageError: The file cannot be read.
        """
        place = storage.join(uri, DESCRIPTION_NAME)
        if not storage.exists(place):
            return None
        # Binary content is reported as invalid JSON.
        return cls.parse_json(storage.read_bytes(place).decode("utf-8", "replace"), place)

    @classmethod
    def of_shard(cls, uri: str) -> Self | None:
        """Read the description of a shard's data set; return None if the data set is not synthetic.

        An unrelated file of the same name is logged and ignored.

        Raises:
            StorageError: The file cannot be read.
        """
        try:
            return cls.in_folder(uri.rpartition("/")[0])
        except ConfigError as error:
            _LOGGER.warning("Not a description of synthetic videos, ignored: %s", error)
            return None
