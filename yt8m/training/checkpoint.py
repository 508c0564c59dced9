"""Everything a training needs to go on as if nothing had happened, in one file."""

import io
import sys
import zipfile
from typing import Any

import numpy as np

from yt8m import storage
from yt8m.errors import ConfigError, StorageError
from yt8m.training.steps import TrainingRecord
from yt8m.training.training_model import TrainingModel


class Checkpoint:
    """The last checkpoint of one training: weights, optimizer, random states, running metrics and position.

    The file is named after a digest of all that decides the result (configuration, data, code), so a checkpoint of
    another training is never continued; it stays where it is, and a message names it.

    Args:
        folder_uri: Where the checkpoint is written; local or remote.
        digest: Hex digest of what the training depends on.
    """

    def __init__(self, folder_uri: str, digest: str) -> None:
        self._folder_uri = folder_uri
        self.uri = storage.join(folder_uri, f"checkpoint-{digest[:16]}.npz")

    def save(self, model: TrainingModel, record: TrainingRecord) -> None:
        """Replace the last checkpoint; whenever the process dies, a whole one remains."""
        arrays = {name: np.asarray(variable) for name, variable in _state(model).items()}
        with storage.open_atomic(self.uri) as file:
            np.savez(file, allow_pickle=False, record=np.array(record.model_dump_json()), **arrays)

    def restore(self, model: TrainingModel) -> TrainingRecord:
        """Put the last checkpoint into a compiled model, if there is one.

        Returns:
            Where to continue; the beginning if there is no checkpoint of this training.

        Raises:
            StorageError: The file is damaged or does not fit the model.
        """
        if not storage.exists(self.uri):
            self._tell_of_others()
            return TrainingRecord()
        try:
            with np.load(io.BytesIO(storage.read_bytes(self.uri)), allow_pickle=False) as arrays:
                for name, variable in _state(model).items():
                    variable.assign(arrays[name])
                return TrainingRecord.parse_json(str(arrays["record"]), self.uri)
        except (ValueError, KeyError, EOFError, ConfigError, zipfile.BadZipFile) as error:
            raise StorageError(
                f"{self.uri}: unusable checkpoint ({error}). Delete it to train from the beginning."
            ) from None

    def _tell_of_others(self) -> None:
        for uri in storage.list_uris(storage.join(self._folder_uri, "checkpoint-*.npz")):
            sys.stderr.write(
                f"{uri}: checkpoint of another configuration, partition or version of the code; not used. "
                "Delete it when you do not need it.\n"
            )


def _state(model: TrainingModel) -> dict[str, Any]:
    """All variables that change in training by a name that does not depend on Keras' automatic numbering."""
    groups = {"model": model.variables, "optimizer": model.optimizer.variables, "metric": model.metrics_variables}
    seen: set[int] = set()
    state = {}
    for group, variables in groups.items():
        for index, variable in enumerate(variables):
            # Keras counts the running metrics among the model's variables, too.
            if id(variable) not in seen:
                seen.add(id(variable))
                state[f"{group}-{index:05}"] = variable
    return state
