"""Temporary files and folders beside what they will become.

Each is locked while its process is at work on it. The system lets go of the lock when the process ends, however it
ends, so what a killed one left can be told from what another one is writing. Where there are no locks (some network
file systems), everything is left alone.
"""

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SUFFIX = ".tmp"
# What `tempfile` puts between prefix and suffix.
_RANDOM = "????????"


@contextmanager
def temporary_beside(target: Path, *, folder: bool) -> Iterator[Path]:
    """Make an empty file or folder beside a target; it is removed at the end, unless it was renamed.

    Args:
        target: What it will become.
        folder: Whether it is a folder.

    Yields:
        Its path; `OSError` where it cannot be made.
    """
    path, lock = _make(target, folder=folder)
    try:
        yield path
    finally:
        remove(path)
        os.close(lock)


def remove_stale(target: Path) -> None:
    """Remove the temporaries of a target that killed processes left."""
    for path in target.parent.glob(f".{glob.escape(target.name)}.{_RANDOM}{_SUFFIX}*"):
        with suppress(OSError):  # somebody holds the lock, or removes it just now
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path)
            finally:
                os.close(lock)


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _make(target: Path, *, folder: bool) -> tuple[Path, int]:
    """A temporary and the descriptor that holds its lock; another one if it was removed before it had the lock."""
    prefix = f".{target.name}."
    while True:
        if folder:
            path = Path(tempfile.mkdtemp(prefix=prefix, suffix=_SUFFIX, dir=target.parent))
        else:
            descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=target.parent)
            os.close(descriptor)
            path = Path(name)
        with suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY)
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)
