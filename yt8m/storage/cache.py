"""LRU cache of objects in a local folder, with a size limit, shared by several processes.

Each copy is one file, named after the URI and the fingerprint of its object, so that outdated copies are never used. A
copy gets its full size before its download, so that it counts fully against the limit. Locks are those of the operating
system (`flock`), which releases them when a process dies.
"""

import errno
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
from yt8m.storage.interface import ObjectInfo
from yt8m.storage.names import tail_of
from yt8m.storage.retry import deadline_seconds

_LOGGER = logging.getLogger("yt8m.storage")

FOLDER_VARIABLE = "YT8M_CACHE_DIR"
SIZE_VARIABLE = "YT8M_CACHE_SIZE"
# 50 shards of the full data set, with 390 MB each.
DEFAULT_SIZE = "20GB"
_LOCK_FILES = 256
# A copy is not evicted for this time after it was handed out, so that the caller can open it.
SECONDS_TO_OPEN = 5.0
# A stopped process or a busy machine may take longer. Therefore each process also locks the copies that it was handed
# last: at most as many as it reads at the same time, and at most this share of the cache.
COPIES_HELD, _SHARE_HELD = 16, 1 / 8
# Names of the folder of locks, and of the lock around evictions.
_LOCKS, _ROOM = "locks", "room"
_PART = ".part"
# Pattern of the names of copies and of their parts.
_NAMES = "[0-9a-f]" * 32 + "-*"

# Errors of a volume on the network that may be gone a moment later. A local disk has them when it is broken.
_TRANSIENT = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EREMOTEIO)

# Function that downloads an object into an open file of the same size, given by its descriptor.
Fill = Callable[[int], None]


class CorruptTransferError(StorageError):
    """The content that arrived does not match its checksum."""


class ShardCache:
    """Cache of objects in a local folder.

    Args:
        folder: Folder of the copies. All processes that use the same folder share the cache.
        limit_bytes: Largest total size of the copies.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._folder = folder
        # Name of each copy that this process verified -> inode, size and modification time.
        self._verified: dict[str, tuple[int, int, int]] = {}
        # The copies that were handed out last, the latest at the end.
        self._held: dict[str, _Hold] = {}
        self._holding = Lock()
        try:
            (folder / _LOCKS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{folder}: cannot hold copies of objects ({error.strerror}). Set {FOLDER_VARIABLE} to another folder."
            ) from None

    def get(self, uri: str, info: ObjectInfo, fill: Fill) -> Path:
        """Return a verified local copy, and fetch it if needed.

        The copy may be evicted as soon as the caller had time to open it. An open file stays readable to its end.

        Args:
            uri: URI of the object.
            info: Size, fingerprint and checksum of the object.
            fill: Function that downloads the content into an open file, given by its descriptor.

        Returns:
            The path of the copy.

        Raises:
            StorageError: The object is larger than the cache, or the cache is full of files in use.
            OSError: The folder fails for the moment; see `is_transient`.
            CorruptTransferError: The downloaded content does not match the checksum.
        """
        copy = self._folder / _name(uri, info.fingerprint)
        if self._use(uri, copy, info):
            return copy
        with self._locked(_lock_name(copy)):
            # Another process may have fetched it while this one waited for the lock.
            while not self._use(uri, copy, info):
                self._fetch(uri, copy, info, fill)
        return copy

    def _use(self, uri: str, copy: Path, info: ObjectInfo) -> bool:
        """Record the use of a copy. Return whether there is an intact one."""
        while (identity := self._touch(copy)) is not None:
            if self._verified.get(copy.name) == identity:
                return True
            with suppress(FileNotFoundError):
                if identity[1] != info.size or info.checksum.of(chunks_of(copy)) != info.checksum.value:
                    _LOGGER.warning("%s: its local copy %s is damaged and is fetched again.", uri, copy)
                    copy.unlink()
                else:
                    self._verified[copy.name] = identity  # check again, because verifying took time
        return False

    def _touch(self, copy: Path) -> tuple[int, int, int] | None:
        """Set the time of last use. Return inode, size and modification time, or None if there is no copy."""
        with self._locked(_ROOM, fcntl.LOCK_SH), suppress(FileNotFoundError):
            hold = _Hold(os.open(copy, os.O_RDONLY))
            self._lock(hold.descriptor, fcntl.LOCK_SH)
            status = os.fstat(hold.descriptor)
            self._keep(copy.name, hold)
            os.utime(copy, ns=(time.time_ns(), status.st_mtime_ns))
            return status.st_ino, status.st_size, status.st_mtime_ns
        return None

    def _keep(self, name: str, hold: "_Hold") -> None:
        """Keep a copy locked, and release the oldest ones beyond the limits."""
        with self._holding:
            self._held.pop(name, None)
            self._held[name] = hold
            while len(self._held) > 1 and (
                len(self._held) > COPIES_HELD
                or sum(each.size for each in self._held.values()) > _SHARE_HELD * self.limit_bytes
            ):
                del self._held[next(iter(self._held))]

    def _release_all(self) -> None:
        """Release the locks of all copies that were handed out."""
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
                raise CorruptTransferError(
                    f"{uri}: the content that arrived does not have {info.checksum}, but {found}."
                )
            status = part.stat()
            self._verified[copy.name] = (status.st_ino, status.st_size, status.st_mtime_ns)
            part.replace(copy)
        except OSError as error:
            if is_transient(error):
                raise
            raise StorageError(
                f"{uri}: cannot be kept in {self._folder} ({error.strerror}). Make room there, lower {SIZE_VARIABLE} "
                f"or set {FOLDER_VARIABLE} to another folder."
            ) from None
        finally:
            part.unlink(missing_ok=True)

    def _reserve(self, uri: str, part: Path, size: int) -> None:
        """Create a file of the full size, after evicting other copies to make room for it."""
        part.unlink(missing_ok=True)  # left by a process that died
        allowed = self.limit_bytes - size
        give_up = time.monotonic() + deadline_seconds()
        while allowed >= 0 and time.monotonic() < give_up:
            with self._locked(_ROOM):
                if self._evict(allowed):
                    with part.open("wb") as file:
                        file.truncate(size)
                    return
            self._release_all()  # otherwise processes could wait for each other forever
            time.sleep(0.1)
        reason = "the object alone is larger" if allowed < 0 else "it is full of files in use"
        raise StorageError(
            f"{uri}: {size:,} bytes do not fit into the cache {self._folder} of {self.limit_bytes:,} bytes: {reason}. "
            f"Set {SIZE_VARIABLE} higher, for instance 100GB."
        )

    def _evict(self, allowed: int) -> bool:
        """Remove copies, least recently used first. Return whether at most `allowed` bytes are left."""
        files = {}
        for file in self._folder.glob(_NAMES):  # skips files of the volume, such as lost+found
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
        """Return whether the process that downloaded a file has died and so released its lock."""
        with self._locked(_lock_name(part), fcntl.LOCK_EX | fcntl.LOCK_NB) as abandoned:
            return abandoned

    def _is_free(self, copy: Path) -> bool:
        """Return whether no process has locked a copy."""
        with suppress(FileNotFoundError), copy.open("r+b") as file:
            return self._lock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True

    @contextmanager
    def _locked(self, name: str, kind: int = fcntl.LOCK_EX) -> Iterator[bool]:
        """Hold a lock of this name. With `LOCK_NB`, yield whether it was free."""
        try:
            # NFS needs a file open for reading to lock it shared, and open for writing to lock it exclusively.
            file = (self._folder / _LOCKS / name).open("a+b")
        except OSError as error:
            raise self._unusable(error) from None
        with file:
            yield self._lock(file.fileno(), kind)

    def _lock(self, descriptor: int, kind: int) -> bool:
        """Lock an open file until it is closed. With `LOCK_NB`, return whether it was free."""
        try:
            fcntl.flock(descriptor, kind)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._unusable(error) from None
        return True

    def _unusable(self, error: OSError) -> Exception:
        if is_transient(error):
            return error
        return StorageError(
            f"{self._folder}: files in this folder cannot be locked ({error.strerror}). Make it writable, or set "
            f"{FOLDER_VARIABLE} to a folder on a local disk."
        )


class _Hold:
    """An open copy. Its lock lasts as long as this object."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def __del__(self) -> None:
        os.close(self.descriptor)


def is_transient(error: OSError) -> bool:
    """Return whether an error of the folder may be gone a moment later."""
    return error.errno in _TRANSIENT


def shard_cache() -> ShardCache:
    """Return the cache of this process, as set in the environment.

    Raises:
        StorageError: The size is not valid, or the folder cannot be made.
    """
    return _cache_for(cache_folder(), os.environ.get(SIZE_VARIABLE) or DEFAULT_SIZE)


def cache_folder() -> Path:
    """Return the folder of the cache, as set in the environment."""
    # In a container, a user without an entry in /etc/passwd may have no home folder.
    home = os.environ.get("HOME") or tempfile.gettempdir()
    default = Path(os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache") / "yt8m"
    return Path(os.environ.get(FOLDER_VARIABLE) or default).absolute()


_creation = Lock()


def _cache_for(folder: Path, size: str) -> ShardCache:
    with _creation:  # a second cache would verify all copies again
        return _make_cache(folder, size)


@cache
def _make_cache(folder: Path, size: str) -> ShardCache:
    from pydantic import ByteSize, TypeAdapter, ValidationError  # noqa: PLC0415 - not needed for local files

    try:
        limit = TypeAdapter(ByteSize).validate_python(size)
    except ValidationError:
        raise StorageError(f"{SIZE_VARIABLE}: expected a size such as 20GB, received '{size}'.") from None
    return ShardCache(folder, int(limit))


def _lock_name(copy: Path) -> str:
    return f"{int(copy.name[:8], 16) % _LOCK_FILES:02x}"


def _name(uri: str, fingerprint: str) -> str:
    """Return the file name of a copy: unique for its content, with the ending of the object's name."""
    digest = hashlib.sha256(f"{uri}\0{fingerprint}".encode()).hexdigest()[:32]
    return f"{digest}-{tail_of(uri)}"
