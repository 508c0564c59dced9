"""Downloads in several ranges at a time.

The libraries of the stores can do this as well, but their retries have no common deadline, do not tell how often they
tried, and cannot pin the version that is read.
"""

import atexit
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from yt8m.storage.objects import ObjectClient, ObjectInfo, Place
from yt8m.storage.retry import retried

if TYPE_CHECKING:
    from multiprocessing.pool import ThreadPool

# Large enough that the time of a request's first byte (some 50 ms) does not matter, small enough to share out a shard.
RANGE_BYTES = 16 << 20
RANGES_AT_ONCE = 8

# From a position and bytes; called by several threads.
Write = Callable[[int, bytes], None]


class SharedPool:
    """Threads for the whole process, started when first needed; they do not keep a process from ending.

    Args:
        size: Number of threads.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool: ThreadPool | None = None
        self._lock = Lock()

    def get(self) -> "ThreadPool":
        """The pool."""
        from multiprocessing.pool import ThreadPool  # noqa: PLC0415 - local files do without

        with self._lock:
            if not self._pool:
                self._pool = ThreadPool(self._size)
                atexit.register(self._pool.terminate)
            return self._pool


_RANGES = SharedPool(RANGES_AT_ONCE)


def download(client: ObjectClient, place: Place, info: ObjectInfo, write: Write) -> None:
    """Read a version of an object; its checksum is not verified here.

    Args:
        client: The store.
        place: The object.
        info: Its size and version.
        write: Takes the ranges, in any order.

    Raises:
        StorageError: A range could not be read; `ChangedObjectError` when the object was written anew.
    """
    starts = range(0, info.size, RANGE_BYTES)
    errors: list[Exception] = []

    def fetch(start: int) -> None:
        if errors:  # the download failed already
            return
        size = min(RANGE_BYTES, info.size - start)
        try:
            write(start, retried("reading", place, client, partial(client.read, place, info.version, start, size)))
        except Exception as error:  # raised below, when no thread writes any more
            errors.append(error)

    if len(starts) > 1:
        _RANGES.get().map(fetch, starts, chunksize=1)
    else:
        for start in starts:
            fetch(start)
    if errors:
        raise errors[0]
