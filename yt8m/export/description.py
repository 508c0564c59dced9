"""Description of an exported model: a JSON file inside the SavedModel's folder."""

import hashlib
import keyword
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from yt8m.config import Config
from yt8m.data.format import QUANTIZATION, DataSpec
from yt8m.data.vocabulary.files import VOCABULARY_NAME
from yt8m.errors import DataError
from yt8m.models.files import WEIGHTS_FILE, read_description
from yt8m.storage import read_text

# Folder that TensorFlow reserves for additional files in a SavedModel.
EXTRA_FOLDER = "assets.extra"
DESCRIPTION_FILE = "ensemble.json"
CARD_FILE = "README.md"
GRAPH_FILE = "saved_model.pb"
# Input of the signatures with the number of frames of each video.
NUM_FRAMES = "num_frames"

# What both TensorFlow and Python take as a name.
_INPUT = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Names with another meaning in calls of signatures.
_TAKEN = (NUM_FRAMES, "self")


class MemberDescription(Config):
    """One member of the ensemble.

    Attributes:
        weight: Weight of the member in the mean.
        family: Architecture of the member.
        size: Size in which it was quantized: a number of bits, or `auto`. Empty in models exported before there were
            several.
        size_bytes: Bytes of the member's quantized weights.
    """

    weight: PositiveFloat
    family: str
    size: str = Field(default="")
    size_bytes: NonNegativeInt


class ExportDescription(Config):
    """The content of `assets.extra/ensemble.json`.

    Attributes:
        format: Version of this description.
        data: Features, number of classes and maximum frames of the videos, and the range of every feature.
        float_inputs: Name of the input of the signatures for floats that takes a feature, by feature. Empty in models
            exported before there were such signatures.
        quantization: Formula by which a client makes the bytes of a feature, with `low` and `high` of its range.
        members: Members by name.
        mode: `load` or `compact`, as in `EnsembleModule`.
        top_k: Number of classes that the top-k signatures return.
        scores: `distribution` if the probabilities of a video sum to 1, because every member has a softmax head;
            `independent` if each class has a probability of its own.
        identity: Hash of members and weights, the same for equal ensembles.
    """

    format: Literal[1] = 1
    data: DataSpec
    float_inputs: dict[str, str] = Field(default={})
    quantization: str = QUANTIZATION
    members: dict[str, MemberDescription] = Field(min_length=1)
    mode: Literal["load", "compact"]
    top_k: PositiveInt
    scores: Literal["independent", "distribution"] = "independent"
    identity: str

    def save(self, directory: Path) -> None:
        """Write the description into the folder of a SavedModel."""
        extra = directory / EXTRA_FOLDER
        extra.mkdir(exist_ok=True)
        (extra / DESCRIPTION_FILE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the description of an exported model.

        Raises:
            DataError: The folder holds no model written by `export`.
            ConfigError: The description is invalid.
        """
        path = directory / EXTRA_FOLDER / DESCRIPTION_FILE
        if not (path.is_file() and is_exported(directory)):
            raise DataError(f"{directory}: no exported model here. Give a folder written by the export step.")
        return cls.parse_json(read_text(path), str(path))


def float_inputs(features: Iterable[str]) -> dict[str, str]:
    """Name the inputs of the signatures for floats, by feature.

    A feature that can be the name of an argument in Python is its own input. The names of others have a digest, which
    tells features apart that differ only in characters that names cannot have.
    """
    return {feature: feature if _can_be_input(feature) else _safe_name(feature) for feature in features}


def _can_be_input(feature: str) -> bool:
    return bool(_INPUT.fullmatch(feature)) and not keyword.iskeyword(feature) and feature not in _TAKEN


def _safe_name(feature: str) -> str:
    digest = hashlib.sha256(feature.encode()).hexdigest()[:8]
    return f"feature_{re.sub('[^A-Za-z0-9_]', '_', feature)}_{digest}"


def vocabulary_in(directory: Path) -> str:
    """Return the path of the names of classes in an exported model; empty if it has none."""
    path = directory / EXTRA_FOLDER / VOCABULARY_NAME
    return str(path) if path.is_file() else ""


def is_exported(directory: Path) -> bool:
    """Check whether a folder holds a SavedModel rather than the weights of a Keras model."""
    return (directory / GRAPH_FILE).is_file()


def ensemble_digest(models: Mapping[str, Path], weights: Mapping[str, float]) -> str:
    """Return a hash of the members' configurations, weights and shares, in hexadecimal.

    Args:
        models: Model folder of every member by name.
        weights: Share of every member by name.
    """
    digest = hashlib.sha256()
    for name, model in models.items():
        digest.update(f"{name}\0{weights[name]!r}\0{read_description(model).model_dump_json()}\0".encode())
        with (model / WEIGHTS_FILE).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
