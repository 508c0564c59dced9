"""Local copies of objects: bounded in size, least recently used ones go first, safe for several processes.

In the cache's folder, every copy is one file, named after the object's URI and fingerprint, so that a copy of former
content is never used. A file that is being fetched has its full size from the beginning and counts as such. Locks are
those of the operating system (`flock`), which a process that dies leaves behind none of.
"""

import fcntl
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock

from yt8m.errors import StorageError
from yt8m.storage.checksums import chunks_of
from yt8m.storage.objects import ObjectInfo
from yt8m.storage.retry import deadline_seconds

_LOGGER = logging.getLogger("yt8m.storage")

FOLDER_VARIABLE = "YT8M_CACHE_DIR"
SIZE_VARIABLE = "YT8M_CACHE_SIZE"
# 50 shards of the full data set, of 390 MB.
DEFAULT_SIZE = "20GB"
_LOCK_FILES = 256
# From handing a copy out to its being opened; so long it is not evicted.
SECONDS_TO_OPEN = 5.0
# A process may take longer (it was stopped, the machine is busy). So it keeps the others from evicting the copies that
# it was handed last: those that it reads together and what belongs to them, and not too much of a small cache.
COPIES_HELD, _SHARE_HELD = 16, 1 / 8
# Names of the locks' folder and of the one around evictions.
_LOCKS, _ROOM = "locks", "room"
_PART = ".part"
# What the names of copies and of their parts look like.
_NAMES = "[0-9a-f]" * 32 + "-*"

# Fills an open file of the object's size.
Fill = Callable[[int], None]


class CorruptTransferError(StorageError):
    """What arrived is not what the store has."""


class ShardCache:
    """Copies of objects in a local folder.

    Args:
        folder: Where they are; shared by all processes that name it.
        limit_bytes: Their size together.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._folder = folder
        # Name of each copy whose content this process verified -> inode, size and time of the file.
        self._verified: dict[str, tuple[int, int, int]] = {}
        # The copies handed out last, the latest at the end.
        self._held: dict[str, _Hold] = {}
        self._holding = Lock()
        try:
            (folder / _LOCKS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{folder}: cannot hold copies of objects ({error.strerror}). Set {FOLDER_VARIABLE} to another."
            ) from None

    def get(self, uri: str, info: ObjectInfo, fill: Fill) -> Path:
        """A verified local copy, fetched if there is none.

        It stays for the moment in which it is opened, and longer where there is room; who has opened it may read it to
        its end.

        Args:
            uri: The object.
            info: Its size, fingerprint and checksum.
            fill: Fetches the content into an open file, given by its descriptor.

        Returns:
            The copy.

        Raises:
            StorageError: The object is larger than the cache, or the cache is full of files in use;
                `CorruptTransferError` when what `fill` fetched does not match the checksum.
        """
        copy = self._folder / _name(uri, info.fingerprint)
        if self._use(uri, copy, info):
            return copy
        with self._locked(_lock_name(copy)):
            # Another process may have fetched it in the meantime.
            while not self._use(uri, copy, info):
                self._fetch(uri, copy, info, fill)
        return copy

    def _use(self, uri: str, copy: Path, info: ObjectInfo) -> bool:
        """Note that a copy is used now, if there is one and it is intact."""
        while (identity := self._touch(copy)) is not None:
            if self._verified.get(copy.name) == identity:
                return True
            with suppress(FileNotFoundError):
                if identity[1] != info.size or info.checksum.of(chunks_of(copy)) != info.checksum.value:
                    _LOGGER.warning("%s: its local copy %s was damaged; it is fetched again.", uri, copy)
                    copy.unlink()
                else:
                    self._verified[copy.name] = identity  # and once more: that took time
        return False

    def _touch(self, copy: Path) -> tuple[int, int, int] | None:
        """Set the time of use, by which copies are ordered; returns inode, size and time of writing."""
        with self._locked(_ROOM, fcntl.LOCK_SH), suppress(FileNotFoundError):
            hold = _Hold(os.open(copy, os.O_RDONLY))
            self._lock(hold.descriptor, fcntl.LOCK_SH)
            status = os.fstat(hold.descriptor)
            self._keep(copy.name, hold)
            os.utime(copy, ns=(time.time_ns(), status.st_mtime_ns))
            return status.st_ino, status.st_size, status.st_mtime_ns
        return None

    def _keep(self, name: str, hold: "_Hold") -> None:
        """Hold a copy, and lets go of those handed out long before."""
        with self._holding:
            self._held.pop(name, None)
            self._held[name] = hold
            while len(self._held) > 1 and (
                len(self._held) > COPIES_HELD
                or sum(each.size for each in self._held.values()) > _SHARE_HELD * self.limit_bytes
            ):
                del self._held[next(iter(self._held))]

    def _let_go(self) -> None:
        with self._holding:
            self._held.clear()

    def _fetch(self, uri: str, copy: Path, info: ObjectInfo, fill: Fill) -> None:
        part = self._folder / f"{copy.name}{_PART}"
        try:
            self._reserve(uri, part, info.size)
            with part.open("r+b") as file:
                fill(file.fileno())
            found = info.checksum.of(chunks_of(part))
            if found != info.checksum.value:
                raise CorruptTransferError(f"{uri}: what arrived does not have {info.checksum}, but {found}.")
            status = part.stat()
            self._verified[copy.name] = (status.st_ino, status.st_size, status.st_mtime_ns)
            part.replace(copy)
        except OSError as error:
            raise StorageError(
                f"{uri}: cannot be kept in {self._folder} ({error.strerror}). Make room there, lower {SIZE_VARIABLE} "
                f"or set {FOLDER_VARIABLE} to another folder."
            ) from None
        finally:
            part.unlink(missing_ok=True)

    def _reserve(self, uri: str, part: Path, size: int) -> None:
        """Make a file of the full size, after other copies have made room for it."""
        part.unlink(missing_ok=True)  # left behind by a process that died
        allowed = self.limit_bytes - size
        give_up = time.monotonic() + deadline_seconds()
        while allowed >= 0 and time.monotonic() < give_up:
            with self._locked(_ROOM):
                if self._evict(allowed):
                    with part.open("wb") as file:
                        file.truncate(size)
                    return
            self._let_go()  # lest processes wait for each other
            time.sleep(0.1)
        reason = "the object alone is larger" if allowed < 0 else "it is full of files in use"
        raise StorageError(
            f"{uri}: {size:,} bytes do not fit into the cache {self._folder} of {self.limit_bytes:,} bytes: {reason}. "
            f"Set {SIZE_VARIABLE} higher, for instance 100GB."
        )

    def _evict(self, allowed: int) -> bool:
        """Remove copies, least recently used first, until those left have at most `allowed` bytes."""
        files = {}
        for file in self._folder.glob(_NAMES):  # a volume has files of its own, such as lost+found
            with suppress(FileNotFoundError):
                files[file] = file.stat()
        total = sum(status.st_size for status in files.values())
        just_used = time.time_ns() - int(SECONDS_TO_OPEN * 1e9)
        for file, status in sorted(files.items(), key=lambda each: each[1].st_atime_ns):
            if total <= allowed:
                break
            if file.suffix == _PART:
                unused = self._is_abandoned(file)
            else:
                unused = status.st_atime_ns < just_used and self._is_free(file)
            if unused:
                file.unlink(missing_ok=True)
                self._verified.pop(file.name, None)
                total -= status.st_size
        return total <= allowed

    def _is_abandoned(self, part: Path) -> bool:
        """Whether the process that fetched a file died: it holds no lock any more."""
        with self._locked(_lock_name(part), fcntl.LOCK_EX | fcntl.LOCK_NB) as abandoned:
            return abandoned

    def _is_free(self, copy: Path) -> bool:
        """Whether no process holds a copy."""
        with suppress(FileNotFoundError), copy.open("r+b") as file:
            return self._lock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True

    @contextmanager
    def _locked(self, name: str, kind: int = fcntl.LOCK_EX) -> Iterator[bool]:
        """Keep other threads and processes out; with `LOCK_NB`, yields whether that was possible."""
        try:
            # Over NFS a shared lock needs a file opened to be read, an exclusive one a file opened to be written.
            file = (self._folder / _LOCKS / name).open("a+b")
        except OSError as error:
            raise self._unusable(error) from None
        with file:
            yield self._lock(file.fileno(), kind)

    def _lock(self, descriptor: int, kind: int) -> bool:
        """Lock an open file until it is closed; with `LOCK_NB`, returns whether that was possible."""
        try:
            fcntl.flock(descriptor, kind)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._unusable(error) from None
        return True

    def _unusable(self, error: OSError) -> StorageError:
        return StorageError(
            f"{self._folder}: files in it cannot be locked ({error.strerror}). Make it writable, or set "
            f"{FOLDER_VARIABLE} to a folder on a local disk."
        )


class _Hold:
    """An open copy, closed with this object: a lock on it lasts as long."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def __del__(self) -> None:
        os.close(self.descriptor)


def shard_cache() -> ShardCache:
    """The process's cache, as the environment describes it.

    Raises:
        StorageError: The size cannot be read or the folder cannot be made.
    """
    return _cache_for(cache_folder(), os.environ.get(SIZE_VARIABLE) or DEFAULT_SIZE)


def cache_folder() -> Path:
    """Where the copies are, as the environment describes it."""
    # In a container, a user without an entry in /etc/passwd may have no home at all.
    home = os.environ.get("HOME") or tempfile.gettempdir()
    default = Path(os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache") / "yt8m"
    return Path(os.environ.get(FOLDER_VARIABLE) or default).absolute()


_creation = Lock()


def _cache_for(folder: Path, size: str) -> ShardCache:
    with _creation:  # a second one would verify all copies anew
        return _make_cache(folder, size)


@cache
def _make_cache(folder: Path, size: str) -> ShardCache:
    from pydantic import ByteSize, TypeAdapter, ValidationError  # noqa: PLC0415 - local files do without

    try:
        limit = TypeAdapter(ByteSize).validate_python(size)
    except ValidationError:
        raise StorageError(f"{SIZE_VARIABLE}: expected a size such as 20GB, received '{size}'.") from None
    return ShardCache(folder, int(limit))


def _lock_name(copy: Path) -> str:
    return f"{int(copy.name[:8], 16) % _LOCK_FILES:02x}"


def _name(uri: str, fingerprint: str) -> str:
    """A copy's file name: unlike names for unlike content, ending as the object's name does."""
    digest = hashlib.sha256(f"{uri}\0{fingerprint}".encode()).hexdigest()[:32]
    return f"{digest}-{uri.rpartition('/')[2][-100:]}"
