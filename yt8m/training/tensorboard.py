"""TensorBoard logs of a training."""

import logging
import tempfile
import time
from pathlib import Path

import keras

from yt8m import storage
from yt8m.errors import StorageError

_LOGGER = logging.getLogger("yt8m.training")

# Steps between two points within an epoch.
_STEPS_BETWEEN_POINTS = 50
# Between two copies of the logs to an object store, which only takes whole files.
_SECONDS_BETWEEN_COPIES = 60.0


class TensorBoard(keras.callbacks.TensorBoard):
    """Loss, GAP and learning rate by step and by epoch; a continued training goes on at its step.

    Logs in an object store are written to a temporary folder and copied there every minute and at every epoch's end;
    training goes on where that fails.

    Args:
        uri: Folder of the logs.
    """

    def __init__(self, uri: str) -> None:
        self._upload: storage.FolderUpload | None = None
        self._last_copy = time.monotonic()
        folder = uri
        if storage.is_remote(uri):
            self._temporary = tempfile.TemporaryDirectory(prefix="yt8m-logs-")
            folder = self._temporary.name
            self._upload = storage.FolderUpload(Path(folder), uri)
        super().__init__(folder, write_graph=False, update_freq=_STEPS_BETWEEN_POINTS)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Open the logs."""
        super().on_train_begin(logs)
        # Keras counts from 0 in every call of `fit`.
        self._global_train_batch = int(self.model.optimizer.iterations)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Write a point now and then."""
        super().on_train_batch_end(batch, logs)
        if time.monotonic() - self._last_copy > _SECONDS_BETWEEN_COPIES:
            self._copy()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the epoch's figures, wherever its last step is among the points."""
        with self.summary.record_if(True):
            super().on_epoch_end(epoch, logs)
        self._copy()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Close the logs."""
        super().on_train_end(logs)
        self._copy()
        if self._upload:
            self._temporary.cleanup()

    def _copy(self) -> None:
        if not self._upload:
            return
        self._train_writer.flush()
        try:
            self._upload.update()
        except StorageError as error:
            _LOGGER.warning("TensorBoard's logs are behind: %s", error)
        self._last_copy = time.monotonic()
