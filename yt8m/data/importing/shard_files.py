"""Shards that are written at the same time, with a bounded number of open files."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from yt8m.data.tfrecord import write_record
from yt8m.errors import StorageError

# Operating systems usually allow 1,024, of which sources need some.
MOST_OPEN_FILES = 64
_BUFFER_BYTES = 1 << 18


class ShardFiles:
    """TFRecord files in a folder, to which records are appended in any order.

    At most `MOST_OPEN_FILES` are open. The one that was not used for the longest time is closed for another, and opened
    again when its next record comes.

    Args:
        folder: Folder of the files, at first without them.
        place: Name of the folder for error messages.
    """

    def __init__(self, folder: Path, place: str) -> None:
        self._folder = folder
        self._place = place
        self._open: OrderedDict[str, IO[bytes]] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._storage_errors():
            while self._open:
                self._open.popitem()[1].close()

    def write(self, name: str, record: bytes) -> None:
        """Append a record to a file.

        Raises:
            StorageError: The file cannot be written, for instance because the disk is full.
        """
        with self._storage_errors():
            if name not in self._open:
                if len(self._open) == MOST_OPEN_FILES:
                    self._open.popitem(last=False)[1].close()
                self._open[name] = (self._folder / name).open("ab", buffering=_BUFFER_BYTES)
            self._open.move_to_end(name)
            write_record(self._open[name], record)

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self._place}: {error.strerror or error}. Nothing is left of the data set.") from error
