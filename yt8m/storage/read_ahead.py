"""Stages files in before they are needed."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from yt8m.storage.cache import shard_cache
from yt8m.storage.ranges import SharedPool
from yt8m.storage.stores import store_of

if TYPE_CHECKING:
    from multiprocessing.pool import AsyncResult

# A group of shards that are read at the same time: the next is here when one ends.
FILES_AHEAD = 8
FILES_AT_ONCE = 4

_STAGING = SharedPool(FILES_AT_ONCE)


class ReadAhead:
    """Stages in files of an object store that will be read in a known order; local files are left alone.

    Args:
        uris: The files in the order in which they will be needed.
        files_ahead: How many are staged in beyond the last one asked for; fewer where they would take more than a
            quarter of the cache.
    """

    def __init__(self, uris: Sequence[str], files_ahead: int = FILES_AHEAD) -> None:
        self._uris = tuple(uris)
        self._places = {uri: place for place, uri in enumerate(uris)}
        self._files_ahead = files_ahead
        self._largest_bytes = 1
        self._next = 0
        self._running: dict[str, AsyncResult[Path]] = {}
        self._lock = Lock()

    def stage_in(self, uri: str) -> Path:
        """A local file with this content; those that will be needed next are fetched meanwhile.

        Raises:
            StorageError: As `yt8m.storage.stage_in`, also where it happened ahead of time.
        """
        store = store_of(uri)
        if not store.remote:
            return store.stage_in(uri)
        with self._lock:
            running = self._running.pop(uri, None)
            self._start_following(self._places[uri])
        if running:
            running.get()
        path = store.stage_in(uri)  # again: it may have been evicted meanwhile
        self._largest_bytes = max(self._largest_bytes, path.stat().st_size)
        return path

    def _start_following(self, place: int) -> None:
        ahead = min(self._files_ahead, shard_cache().limit_bytes // (4 * self._largest_bytes))
        if self._next > place + 2 * self._files_ahead:  # read once more from the beginning
            self._next = place + 1
        first, end = max(self._next, place + 1), min(place + 1 + ahead, len(self._uris))
        for uri in self._uris[first:end]:
            store = store_of(uri)
            if store.remote and uri not in self._running:
                self._running[uri] = _STAGING.get().apply_async(store.stage_in, (uri,))
        self._next = max(self._next, end)
