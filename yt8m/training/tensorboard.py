"""TensorBoard logs of a training."""

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from yt8m import storage
from yt8m.errors import StorageError

_LOGGER = logging.getLogger("yt8m.training")

# Steps between two points within an epoch.
_STEPS_BETWEEN_POINTS = 50
# Seconds between two uploads of the logs to an object store, which can only replace whole files.
_SECONDS_BETWEEN_UPLOADS = 60.0


@contextmanager
def tensorboard(uri: str) -> Iterator[list[keras.callbacks.Callback]]:
    """Provide the callback that logs a training, for all calls of `fit`; none without a folder.

    Args:
        uri: Folder of the logs, local or remote. Empty writes none.
    """
    if not uri:
        yield []
        return
    callback = TensorBoard(uri)
    try:
        yield [callback]
    finally:
        callback.close()


class TensorBoard(keras.callbacks.TensorBoard):
    """Logs loss, GAP and learning rate per step and epoch. A resumed training continues at its step.

    All calls of `fit` write into the same files, until `close`. Files of their own would be read in the order of their
    names, which is not always that of the calls.

    Logs for an object store are written to a temporary folder, and uploaded every minute and after every epoch. A
    failed upload does not stop the training.

    Args:
        uri: Folder of the logs, local or remote.
    """

    def __init__(self, uri: str) -> None:
        self._upload: storage.FolderUpload | None = None
        self._last_upload = time.monotonic()
        folder = uri
        if storage.is_remote(uri):
            self._temporary = tempfile.TemporaryDirectory(prefix="yt8m-logs-")
            folder = self._temporary.name
            self._upload = storage.FolderUpload(Path(folder), uri)
        super().__init__(folder, write_graph=False, update_freq=_STEPS_BETWEEN_POINTS)

    def set_model(self, model: Any) -> None:
        """Take a model; the logs of the same one stay open."""
        if self._model is not model:
            super().set_model(model)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Open the logs."""
        super().on_train_begin(logs)
        # Keras restarts the count in every call of `fit`.
        self._global_train_batch = int(self.model.optimizer.iterations)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Log a point every 50 steps, and upload the logs if an upload is due."""
        super().on_train_batch_end(batch, logs)
        if time.monotonic() - self._last_upload > _SECONDS_BETWEEN_UPLOADS:
            self._update_upload()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the figures of the epoch, even between two regular points, and upload the logs."""
        with self.summary.record_if(True):
            super().on_epoch_end(epoch, logs)
        self._update_upload()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Upload the logs."""
        super().on_train_end(logs)
        self._update_upload()

    def close(self) -> None:
        """Close the logs."""
        super()._close_writers()
        if self._upload:
            self._temporary.cleanup()

    def _close_writers(self) -> None:
        """Write what is left, instead of closing the logs after every call of `fit`, as Keras does."""
        for writer in self._writers.values():
            writer.flush()

    def _update_upload(self) -> None:
        if not self._upload:
            return
        self._train_writer.flush()
        try:
            self._upload.update()
        except StorageError as error:
            _LOGGER.warning("TensorBoard's logs could not be uploaded: %s", error)
        self._last_upload = time.monotonic()
