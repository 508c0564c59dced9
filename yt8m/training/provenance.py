"""Record of how a model was trained, stored beside its weights and read by further training."""

from pathlib import Path
from typing import Self

from pydantic import Field, NonNegativeInt

from yt8m import storage
from yt8m.config import Config
from yt8m.errors import DataError
from yt8m.training.config import ResolvedTraining

FILE_NAME = "training.json"


class Provenance(Config):
    """How a model was trained.

    Attributes:
        training: Configuration of the training.
        label_weight: Lambda of equation 2. It has no meaning for a model trained on labels alone.
        examples: Number of videos in all training steps that led to the weights, up to the end of the kept epoch; a
            video counts once per epoch.
    """

    training: ResolvedTraining
    label_weight: float = Field(ge=0, le=1)
    examples: NonNegativeInt

    @property
    def learning_rate(self) -> float:
        """Learning rate after the last step of the kept epoch."""
        stairs = self.examples // self.training.decay_examples
        return self.training.learning_rate * self.training.learning_rate_decay**stairs

    def save(self, directory: Path) -> None:
        """Write the record into a model's folder."""
        with storage.open_atomic(directory / FILE_NAME, "w") as file:
            file.write(self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the record from a model's folder.

        Raises:
            DataError: The folder has no record.
        """
        path = directory / FILE_NAME
        if not path.is_file():
            raise DataError(f"{path}: missing. Give a folder that a training step wrote, not a quantized one.")
        return cls.parse_json(path.read_text(encoding="utf-8"), str(path))
