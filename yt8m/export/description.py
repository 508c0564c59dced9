"""What an exported model says about itself, beside the SavedModel's own files."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.errors import DataError
from yt8m.storage import read_text

# The folder that TensorFlow leaves to those who add files to a SavedModel.
EXTRA_FOLDER = "assets.extra"
DESCRIPTION_FILE = "ensemble.json"
VOCABULARY_FILE = "vocabulary.csv"
CARD_FILE = "README.md"
GRAPH_FILE = "saved_model.pb"


class MemberDescription(Config):
    """One member of the ensemble.

    Attributes:
        weight: Its share of the mean.
        family: Its model family.
        size_bytes: Bytes of its quantized weights.
    """

    weight: PositiveFloat
    family: str
    size_bytes: NonNegativeInt


class ExportDescription(Config):
    """The content of `assets.extra/ensemble.json`.

    Attributes:
        format: Version of this description.
        data: Features, classes and length of the videos.
        members: The members by name.
        mode: `load` or `compact`; see `EnsembleModule`.
        top_k: Classes that the top-k signatures return.
        identity: Hash of members and weights: the same for the same ensemble.
    """

    format: Literal[1] = 1
    data: DataSpec
    members: dict[str, MemberDescription] = Field(min_length=1)
    mode: Literal["load", "compact"]
    top_k: PositiveInt
    identity: str

    def save(self, directory: Path) -> None:
        """Write the description into a SavedModel's folder."""
        extra = directory / EXTRA_FOLDER
        extra.mkdir(exist_ok=True)
        (extra / DESCRIPTION_FILE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the description of an exported model.

        Raises:
            DataError: The folder holds no model that `export` wrote.
            ConfigError: Its description cannot be used.
        """
        path = directory / EXTRA_FOLDER / DESCRIPTION_FILE
        if not (path.is_file() and is_exported(directory)):
            raise DataError(f"{directory}: no exported model here. Give the folder that the export step wrote.")
        return cls.parse_json(read_text(path), str(path))


def is_exported(directory: Path) -> bool:
    """Whether a folder holds a SavedModel rather than a Keras model's weights."""
    return (directory / GRAPH_FILE).is_file()
