"""How a model was trained, kept beside its weights: what further training starts from."""

from pathlib import Path
from typing import Self

from pydantic import Field, NonNegativeInt

from yt8m import storage
from yt8m.config import Config
from yt8m.errors import DataError
from yt8m.training.config import TrainingConfig

FILE_NAME = "training.json"


class Provenance(Config):
    """How a model was trained.

    Attributes:
        training: The configuration.
        label_weight: Lambda of equation 2; without meaning for a model trained on labels alone.
        examples: Videos it was trained on, repeated ones included.
    """

    training: TrainingConfig
    label_weight: float = Field(ge=0, le=1)
    examples: NonNegativeInt

    @property
    def learning_rate(self) -> float:
        """The learning rate at its end."""
        stairs = self.examples // self.training.decay_examples
        return self.training.learning_rate * self.training.learning_rate_decay**stairs

    def save(self, directory: Path) -> None:
        """Write it into a model's folder."""
        with storage.open_atomic(directory / FILE_NAME, "w") as file:
            file.write(self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read it from a model's folder.

        Raises:
            DataError: It is not there.
        """
        path = directory / FILE_NAME
        if not path.is_file():
            raise DataError(f"{path}: missing. Give a folder that a training step wrote, not a quantized one.")
        return cls.parse_json(path.read_text(encoding="utf-8"), str(path))
