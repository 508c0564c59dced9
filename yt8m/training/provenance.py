"""Record of how a model was trained, stored beside its weights and read by further training."""

from pathlib import Path
from typing import Self

from pydantic import Field, NonNegativeInt

from yt8m import storage
from yt8m.config import Config
from yt8m.data.partition import Partition, Shard
from yt8m.errors import DataError
from yt8m.holdout import Division
from yt8m.training.config import ResolvedTraining

FILE_NAME = "training.json"


class SeenVideos(Config):
    """The videos of a training: what it learned from, and what it held out.

    Attributes:
        training: Contents of the training shards, each a checksum and a size.
        holdout: Contents of the hold-out shards.
        division: Division of the hold-out videos into those that decided and those that figures were reported on.
    """

    training: tuple[str, ...]
    holdout: tuple[str, ...]
    division: Division

    @classmethod
    def of(cls, partition: Partition) -> Self:
        """Describe the videos of a partition."""
        sides = (tuple(map(_content, side)) for side in (partition.training, partition.holdout))
        return cls(training=next(sides), holdout=next(sides), division=partition.division)

    def leak(self, partition: Partition) -> str:
        """Tell which hold-out videos of a partition were learned from or decided by; empty if none were."""
        for shard in partition.holdout:
            if _content(shard) in self.training:
                return f"{shard.uri} is a hold-out shard here, and was a training shard of that model"
        shared = set(self.holdout) & set(map(_content, partition.holdout))
        if shared and (len(shared) < len(self.holdout) or self.division != partition.division):
            return "some of the hold-out videos that figures are reported on here decided about that model"
        return ""


class Provenance(Config):
    """How a model was trained.

    Attributes:
        training: Configuration of the training.
        label_weight: Lambda of equation 2. It has no meaning for a model trained on labels alone.
        examples: Number of videos in all training steps that led to the weights, up to the end of the kept epoch; a
            video counts once per epoch.
        seen: Videos of this training and, after a warm start, of those before it. Empty if they are not known.
    """

    training: ResolvedTraining
    label_weight: float = Field(ge=0, le=1)
    examples: NonNegativeInt
    seen: tuple[SeenVideos, ...] = ()

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


def _content(shard: Shard) -> str:
    return f"{shard.checksum}-{shard.size_bytes}"
