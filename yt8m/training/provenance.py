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

    def other_holdout(self, partition: Partition) -> str:
        """Tell how that training held out other shards than a partition; empty if they have the same content."""
        theirs, ours = set(self.holdout), set(map(_content, partition.holdout))
        if theirs == ours:
            return ""
        same = len(theirs & ours)
        return f"its predictions are for {len(theirs)} hold-out shards, {same} of which are among the {len(ours)} here"


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


def check_seen(folder: str, partition: Partition, *, starts: bool) -> tuple[SeenVideos, ...]:
    """Return the videos that a model of another run knows, none of which may be those of the hold-out.

    Args:
        folder: Path or URI of the model, or of a quantized member.
        partition: Videos of this run.
        starts: Whether a training starts from the model. Otherwise its predictions for the hold-out are used as well,
            so that they must be of the same videos.

    Returns:
        The videos of its trainings, the last one first. Empty if the folder has no record of them.

    Raises:
        DataError: The model learned from hold-out videos, was chosen by some that figures are reported on, or was
            measured on others.
    """
    record = storage.join(folder, FILE_NAME)
    seen = Provenance.parse_json(storage.read_text(record), record).seen if storage.exists(record) else ()
    reasons = [each.leak(partition) for each in seen]
    what, instead = "a training cannot start from this model, because it knows hold-out videos", "leave start_from out"
    if not starts:
        reasons += [each.other_holdout(partition) for each in seen[:1]]
        what, instead = "a run with another hold-out cannot take this model", "take models of another run"
    if reason := next(filter(None, reasons), ""):
        raise DataError(
            f"{folder}: {what}: {reason}. Give both runs the same data, seed, data.holdout_shards and "
            f"data.report_share, or {instead}."
        )
    return seen


def _content(shard: Shard) -> str:
    return "-".join(map(str, shard.content))
