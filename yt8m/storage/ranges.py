"""Downloads of objects in parallel ranges.

The libraries of the stores can also download in ranges. However, their retries share no deadline and do not report the
number of attempts, and they cannot pin the version of the object.
"""

import atexit
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from yt8m.storage.interface import ObjectClient, ObjectInfo, ObjectPath
from yt8m.storage.retry import retried

if TYPE_CHECKING:
    from multiprocessing.pool import ThreadPool

# Large enough to hide the latency of a request (about 50 ms), small enough to divide a shard among threads.
RANGE_BYTES = 16 << 20
RANGES_AT_ONCE = 8

# Function that writes bytes at a position. Several threads call it at the same time.
Write = Callable[[int, bytes], None]


class SharedPool:
    """A thread pool for the whole process. It starts on first use and does not delay the end of the process.

    Args:
        size: Number of threads.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool: ThreadPool | None = None
        self._lock = Lock()

    def get(self) -> "ThreadPool":
        """Return the pool, and start it if needed."""
        from multiprocessing.pool import ThreadPool  # noqa: PLC0415 - not needed for local files

        with self._lock:
            if not self._pool:
                self._pool = ThreadPool(self._size)
                atexit.register(self._pool.terminate)
            return self._pool


_POOL = SharedPool(RANGES_AT_ONCE)


def download(client: ObjectClient, path: ObjectPath, info: ObjectInfo, write: Write) -> None:
    """Read one version of an object, without verifying its checksum.

    Args:
        client: Client of the store.
        path: Object to read.
        info: Size and version of the object.
        write: Function that takes the ranges, in any order.

    Raises:
        StorageError: A range could not be read.
        ChangedObjectError: The object was rewritten during the download.
    """
    starts = range(0, info.size, RANGE_BYTES)
    errors: list[Exception] = []

    def fetch(start: int) -> None:
        if errors:  # another range failed
            return
        size = min(RANGE_BYTES, info.size - start)
        try:
            write(start, retried("reading", path, client, partial(client.read, path, info.version, start, size)))
        except Exception as error:  # raised below, after the last thread has stopped writing
            errors.append(error)

    if len(starts) > 1:
        _POOL.get().map(fetch, starts, chunksize=1)
    else:
        for start in starts:
            fetch(start)
    if errors:
        raise errors[0]
