"""Transfers beside other work: reading files ahead of their use, and uploading a folder whose files grow."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from yt8m.storage.cache import shard_cache
from yt8m.storage.ranges import SharedPool
from yt8m.storage.stores import store_of

if TYPE_CHECKING:
    from multiprocessing.pool import AsyncResult

# As many as the shards that are read at the same time, so that the next group has arrived when one ends.
FILES_AHEAD = 8
FILES_AT_ONCE = 4

_POOL = SharedPool(FILES_AT_ONCE)


class ReadAhead:
    """Fetches objects in the background before they are needed. Local files are used in place.

    Args:
        uris: Files in the order in which they will be needed.
        files_ahead: Number of files to fetch beyond the last one asked for. Fewer are fetched if they would fill more
            than a quarter of the cache.
    """

    def __init__(self, uris: Sequence[str], files_ahead: int = FILES_AHEAD) -> None:
        self._uris = tuple(uris)
        self._index = {uri: index for index, uri in enumerate(uris)}
        self._files_ahead = files_ahead
        self._largest_bytes = 1
        self._next = 0
        self._running: dict[str, AsyncResult[Path]] = {}
        self._lock = Lock()

    def stage_in(self, uri: str) -> Path:
        """Return a local file with the content of a URI, and start to fetch those that follow.

        Raises:
            StorageError: The file could not be fetched, now or ahead of time.
        """
        store = store_of(uri)
        if not store.remote:
            return store.stage_in(uri)
        with self._lock:
            running = self._running.pop(uri, None)
            self._start_following(self._index[uri])
        if running:
            running.get()
        path = store.stage_in(uri)  # it may have been evicted since it was fetched
        self._largest_bytes = max(self._largest_bytes, path.stat().st_size)
        return path

    def _start_following(self, index: int) -> None:
        ahead = min(self._files_ahead, shard_cache().limit_bytes // (4 * self._largest_bytes))
        if self._next > index + 2 * self._files_ahead:  # reading started again from the beginning
            self._next = index + 1
        first, end = max(self._next, index + 1), min(index + 1 + ahead, len(self._uris))
        for uri in self._uris[first:end]:
            store = store_of(uri)
            if store.remote and uri not in self._running:
                self._running[uri] = _POOL.get().apply_async(store.stage_in, (uri,))
        self._next = max(self._next, end)


class FolderUpload:
    """Copies changed files of a local folder to a store, for libraries that write to local folders only.

    Args:
        folder: Local folder.
        uri: Folder in the store.
    """

    def __init__(self, folder: Path, uri: str) -> None:
        self._folder = folder
        self._uri = uri.rstrip("/")
        # Size and modification time of every file when it was copied.
        self._copied: dict[Path, tuple[int, int]] = {}

    def update(self) -> int:
        """Copy the files that changed since the last call. Each copy appears completely or not at all.

        Returns:
            Number of files copied.

        Raises:
            StorageError: A file could not be written. The next call tries again.
        """
        changed = 0
        for path in sorted(self._folder.rglob("*")):
            if not path.is_file():
                continue
            status = path.stat()
            state = (status.st_size, status.st_mtime_ns)
            if self._copied.get(path) == state:
                continue
            uri = f"{self._uri}/{path.relative_to(self._folder).as_posix()}"
            with store_of(uri).publish_file(uri) as copy:
                copy.write_bytes(path.read_bytes())
            self._copied[path] = state  # a file that changed during the copy is copied again by the next call
            changed += 1
        return changed
