"""Description of a data set: the file `dataset.json` beside its shards."""

import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import NonNegativeInt, model_validator

from yt8m import storage
from yt8m.config import Config, ConfigFile
from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError

DESCRIPTION_NAME = "dataset.json"

# Keys that format 1, in which all data sets were generated, had at the top.
_GENERATION_KEYS_OF_FORMAT_1 = frozenset({"preset", "missing_share", "means", "class_kinds"})


class Generation(Config):
    """How a synthetic data set was generated; with `data` and `seed` it determines the bytes of the shards.

    Attributes:
        version: Version of the generator; a new version gives other bytes for the same configuration.
        preset: Name of the preset.
        missing_share: Share of the labels that are missing; None with real labels.
        means: File name, number of videos and digest of the file of real means; None for procedural videos.
        class_kinds: Classes by kind of evidence; empty with real means.
    """

    version: int
    preset: str
    missing_share: float | None
    means: Mapping[str, Any] | None
    class_kinds: Mapping[str, tuple[NonNegativeInt, ...]]


class Imported(Config):
    """Where the videos of an imported data set come from.

    Attributes:
        sources: Files and folders that were imported, as they were given.
        clipped: Share of the values outside the range, by feature.
    """

    sources: tuple[str, ...]
    clipped: Mapping[str, float] = {}


class DatasetDescription(ConfigFile):
    """What the shards of a data set hold, and where it comes from.

    Attributes:
        format: Version of this description.
        data: Features, classes, length of the longest video, and ranges of the features' bytes.
        seed: Random seed of the data set: of its videos if they are generated, of the split if they are imported.
        videos: Number of videos, by split.
        shards: Number of shards, by split.
        vocabulary: Name of the file with the names of the classes, beside the shards; empty if there is none.
        generation: How the videos were generated; None if they were not.
        imported: Where the videos were imported from; None if they were not.
    """

    format: Literal[2] = 2
    data: DataSpec
    seed: int
    videos: Mapping[str, int]
    shards: Mapping[str, int]
    vocabulary: str = ""
    generation: Generation | None = None
    imported: Imported | None = None

    @model_validator(mode="after")
    def _classes_exist(self) -> Self:
        for kind, classes in self.class_kinds.items():
            if max(classes, default=0) >= self.data.num_classes:
                raise ValueError(f"class_kinds.{kind}: class {max(classes)} is not one of {self.data.num_classes}")
        return self

    @property
    def class_kinds(self) -> Mapping[str, tuple[int, ...]]:
        """Classes by kind of evidence; empty if the videos have no kinds."""
        return self.generation.class_kinds if self.generation else {}

    @classmethod
    def parse_json(cls, text: str, source: str) -> Self:
        """Validate a JSON text, also one of format 1."""
        return super().parse_json(_without_format_1(text), source)

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
        try:
            # Binary content is reported as invalid JSON.
            return cls.parse_json(storage.read_bytes(place).decode("utf-8", "replace"), place)
        except ConfigError as error:
            raise ConfigError(
                f"{error}\n{place}: not a description of the shards beside it, for which this name is reserved. Rename "
                "the file if it belongs to something else. Otherwise write the data set again into an empty folder."
            ) from None

    @classmethod
    def of_shard(cls, uri: str) -> Self | None:
        """Read the description of a shard's data set like `in_folder`; return None if the data set has none."""
        return cls.in_folder(uri.rpartition("/")[0])


def _without_format_1(text: str) -> str:
    """Bring a description of format 1 to the present format; return every other text as it is."""
    try:
        content = json.loads(text)
    except ValueError:
        return text
    if not isinstance(content, dict) or not content.keys() >= _GENERATION_KEYS_OF_FORMAT_1:
        return text
    generation = {key: content.pop(key) for key in sorted(_GENERATION_KEYS_OF_FORMAT_1)}
    version = content.pop("format", None)
    return json.dumps({**content, "generation": {"version": version, **generation}})
