"""One run at a time per root."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from yt8m.errors import ConfigError

LOCK_FILE = ".lock"


@contextmanager
def lock_root(root: Path) -> Iterator[int]:
    """Keep a root for this process; the lock goes with the process, however it ends.

    Args:
        root: The run's folder; made if missing.

    Yields:
        The lock's file descriptor; a child that inherits it keeps the lock, too.

    Raises:
        ConfigError: Another run is using the root.
    """
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
            raise ConfigError(
                f"--root {root}: in use by another run (process {holder}). Wait for it, or give another --root."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(root: Path) -> bool:
    """Whether a run is using the root now."""
    path = root / LOCK_FILE
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
