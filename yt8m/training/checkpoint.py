"""State of a training in one file. An interrupted training continues from it and ends with the same result."""

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from yt8m import storage
from yt8m.errors import ConfigError, StorageError
from yt8m.identity import MEASURING, behavior, digest, package_versions
from yt8m.models import ARCHITECTURES
from yt8m.training.steps import TrainingRecord
from yt8m.training.training_model import TrainingModel

# Prefix of the names of kept weights.
_KEPT = "kept-"


def training_digest(stage: str, architecture: str, **parts: Any) -> str:
    """Return the digest of everything that decides the weights of a training, which names its checkpoint.

    Args:
        stage: Name of the stage that trains.
        architecture: Architecture of the model in training.
        **parts: Plain JSON data: configurations and digests of the data.

    Returns:
        Hexadecimal digest. It changes with any part, TensorFlow, Keras and its backend, and the behavior of the code
        except `MEASURING`.
    """
    code = behavior([f"yt8m.stages.{stage}"], [architecture], ARCHITECTURES, without=MEASURING)
    return digest(**parts, stage=stage, code=code, packages=package_versions(), backend=keras.backend.backend())


class Checkpoint:
    """The last checkpoint of one training.

    It has weights, optimizer, random states, running metrics and position, and the weights of the epoch that is kept.

    The file is named after the training's digest, so that a training never continues from the checkpoint of another
    one. Checkpoints of several trainings lie side by side in a folder.

    Args:
        folder_uri: Folder of the checkpoint, local or remote.
        digest: Hexadecimal digest of everything that decides the result; see `training_digest`.
    """

    def __init__(self, folder_uri: str, digest: str) -> None:
        self.uri = storage.join(folder_uri, f"checkpoint-{digest[:16]}.npz")

    def save(self, model: TrainingModel, record: TrainingRecord, kept: Sequence[npt.NDArray[Any]] = ()) -> None:
        """Replace the last checkpoint. A complete one remains even if the process is killed meanwhile.

        Args:
            model: Compiled model in training.
            record: Position and learning curve.
            kept: Weights of the epoch that is kept, if they are not those of the model.
        """
        arrays = {name: np.asarray(variable) for name, variable in _state(model).items()}
        arrays |= {f"{_KEPT}{index:05}": array for index, array in enumerate(kept)}
        with storage.open_atomic(self.uri) as file:
            np.savez(file, allow_pickle=False, record=np.array(record.model_dump_json()), **arrays)

    def restore(self, model: TrainingModel) -> tuple[TrainingRecord, list[npt.NDArray[Any]]]:
        """Load the last checkpoint into a compiled model, if there is one.

        Returns:
            The position from which to continue, which is the beginning if this training has no checkpoint, and the
            weights that are kept.

        Raises:
            StorageError: The file is damaged or does not fit the model.
        """
        if not storage.exists(self.uri):
            return TrainingRecord(), []
        try:
            with np.load(io.BytesIO(storage.read_bytes(self.uri)), allow_pickle=False) as arrays:
                for name, variable in _state(model).items():
                    variable.assign(arrays[name])
                kept = [arrays[name] for name in sorted(arrays.files) if name.startswith(_KEPT)]
                return TrainingRecord.parse_json(str(arrays["record"]), self.uri), kept
        except (ValueError, KeyError, EOFError, ConfigError, zipfile.BadZipFile) as error:
            raise StorageError(
                f"{self.uri}: unusable checkpoint ({error}). Delete it to train from the beginning."
            ) from None


def _state(model: TrainingModel) -> dict[str, Any]:
    """Return all variables that change in training, under names without Keras' automatic numbering."""
    groups = {"model": model.variables, "optimizer": model.optimizer.variables, "metric": model.metrics_variables}
    seen: set[int] = set()
    state = {}
    for group, variables in groups.items():
        for index, variable in enumerate(variables):
            # Keras lists the running metrics among the model's variables as well.
            if id(variable) not in seen:
                seen.add(id(variable))
                state[f"{group}-{index:05}"] = variable
    return state
