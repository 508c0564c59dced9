"""Local folders: files and folders that appear completely or not at all.

New content is written to a temporary name beside its target and then renamed. The writing process holds a lock on the
temporary. The operating system releases the lock when the process ends for any reason, so leftovers of killed
processes can be told from the work of running ones. On file systems without locks (some network file systems),
leftovers stay.
"""

import fcntl
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from yt8m.errors import StorageError
from yt8m.storage.interface import FileStat, ListedFile
from yt8m.storage.names import fitting_name
from yt8m.storage.patterns import blocked_parent, count_names, why_no_match, why_unreadable

_SUFFIX = ".tmp"
# Further suffix of a folder that is being replaced.
_REPLACED = ".old"
# Length of the random part that `tempfile` puts between prefix and suffix.
_RANDOM_LETTERS = 8
# Folders of this many files are not listed again for this time; the lists are kept with the time of their end.
_MANY_FILES, _SECONDS_KEPT = 1000, 60.0
_LISTINGS: dict[Path, tuple[float, list[str]]] = {}


class LocalStore:
    """Local folders, given as plain paths or `file://` URIs."""

    remote = False

    def list_uris(self, pattern: str) -> list[str]:
        """List the files that match a glob pattern (`**` for any number of folders), as sorted absolute paths."""
        return [path for path in _matches(pattern) if os.path.isfile(path)]  # noqa: PTH113 - many paths

    def explain(self, pattern: str, found: Sequence[str], noun: str, ending: str) -> str:
        """Explain why a pattern names no files, or names others that cannot be read; empty if all is well."""
        matches = [Path(path) for path in _matches(pattern)]
        unreadable = next(filter(None, map(why_unreadable, matches)), "")
        if unreadable or found:
            return unreadable
        path = local_path(pattern)
        if path in matches:
            return f"'{pattern}' is a folder. Give its {noun}s: '{pattern.rstrip('/')}/*{ending}'."
        if matches:
            return f"'{pattern}' matches only folders. Give their {noun}s: '{pattern.rstrip('/')}/*{ending}'."
        return blocked_parent(path) or why_no_match(pattern, noun, self.list_uris)

    def identity(self, uri: str) -> str:
        """Return the path of a file without links, or the number of a file that several hard links lead to."""
        path = os.path.realpath(local_path(uri))
        with suppress(OSError):
            status = Path(path).stat()
            if status.st_nlink > 1 and not Path(path).is_dir():
                return f"{status.st_dev}:{status.st_ino}"
        return path

    def list_files(self, folder: str) -> list[ListedFile]:
        """List all files below a folder, hidden ones included, sorted, as absolute paths. Links are not followed."""
        paths = (Path(parent, name) for parent, _, names in os.walk(local_path(folder)) for name in names)
        found = []
        for path in sorted(paths):
            with suppress(FileNotFoundError):  # a temporary of a process that is writing
                status = path.lstat()
                found.append(ListedFile(str(path), status.st_size, status.st_mtime))
        return found

    def remove(self, uris: Iterable[str]) -> None:
        """Remove files, except those that are gone already, and the folders that become empty."""
        for uri in uris:
            path = local_path(uri)
            with _storage_errors(uri):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # the folder has other files, or is gone
                os.removedirs(path.parent)

    def exists(self, uri: str) -> bool:
        """Return whether a file or folder exists."""
        return os.path.exists(local_path(uri))  # noqa: PTH110 - Path.exists fails for names that are too long

    def stat(self, uri: str) -> FileStat:
        """Return size and fingerprint of a file."""
        with _storage_errors(uri):
            status = local_path(uri).stat()
        if not (S_ISREG(status.st_mode) or S_ISDIR(status.st_mode)):
            raise StorageError(f"{uri}: {why_unreadable(local_path(uri))}")
        return FileStat(status.st_size, f"{status.st_size}-{status.st_mtime_ns}")

    def read_bytes(self, uri: str) -> bytes:
        """Read a whole file."""
        self.stat(uri)
        with _storage_errors(uri):
            return local_path(uri).read_bytes()

    @contextmanager
    def publish_file(self, uri: str) -> Iterator[Path]:
        """Yield a temporary file that replaces the target at the end."""
        target = local_path(uri)
        _make_parent(target, uri)
        with _temporary(target, uri, folder=False) as temporary:
            yield temporary
            with _storage_errors(uri):
                _flush_to_disk(temporary)
                temporary.chmod(_default_mode(0o666))  # only the owner can read files of mkstemp
                temporary.replace(target)
        _remove_stale(target)

    def stage_in(self, uri: str) -> Path:
        """Return the path of the file itself."""
        self.stat(uri)
        return local_path(uri)


@contextmanager
def publish_directory(path: Path) -> Iterator[Path]:
    """Make a folder that appears completely or not at all.

    Args:
        path: Folder to make. An existing one is replaced when the new one is complete.

    Yields:
        An empty folder to fill. It is removed if the body raises an exception.
    """
    target = path.absolute()
    _make_parent(target, str(path))
    with _temporary(target, str(path), folder=True) as temporary:
        yield temporary
        temporary.chmod(_default_mode(0o777))
        with _storage_errors(str(path)):
            _swap(temporary, target)
    _remove_stale(target)


def local_path(uri: str) -> Path:
    """Return the absolute path of a local URI, because pipeline steps do not share a working directory."""
    path = Path(uri.removeprefix("file://"))
    with suppress(RuntimeError):  # the name begins with ~, but there is no such user
        path = path.expanduser()
    return path.absolute()


def why_unwritable(folder: Path) -> str:
    """Explain why no file can be written to a folder, which need not exist; empty if nothing is against it."""
    here = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not here.is_dir():
        return f"{here} is no folder"
    try:
        with tempfile.TemporaryFile(dir=here):
            return ""
    except OSError:
        return f"the folder {here} takes no new files"


def _make_parent(target: Path, uri: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = why_unwritable(target.parent) or error.strerror or str(error)
        raise StorageError(f"{uri}: cannot be made: {why}. Choose another place.") from error


def split_pattern(pattern: str) -> tuple[Path, str]:
    """Split a local pattern into the path that is a name and the rest, which is a pattern or empty."""
    parts = local_path(pattern).parts
    names = count_names(parts, lambda number: os.path.lexists(Path(*parts[:number])))
    return Path(*parts[:names]), "/".join(parts[names:])


def _matches(pattern: str) -> list[str]:
    """Return the paths of everything that matches a pattern, sorted."""
    path, rest = split_pattern(pattern)
    if not rest:
        return [str(path)] if os.path.lexists(path) else []
    # Path.glob refuses absolute patterns and skips links that lead nowhere.
    found = glob.glob(f"{glob.escape(str(path))}/{rest}", recursive=True)  # noqa: PTH207
    return sorted(str(Path(each)) for each in found)


def _swap(new: Path, target: Path) -> None:
    """Put a folder in the place of another one. A plain rename replaces empty folders only."""
    if not target.exists():
        new.rename(target)
        return
    old = new.with_name(f"{new.name}{_REPLACED}")
    target.rename(old)
    new.rename(target)
    _remove(old)


@contextmanager
def _temporary(target: Path, uri: str, *, folder: bool) -> Iterator[Path]:
    """Make an empty, locked file or folder beside a target, and remove it at the end unless it was renamed."""
    with ExitStack() as stack:
        with _storage_errors(uri):
            path, lock = _make_temporary(target, folder=folder)
        stack.callback(os.close, lock)
        stack.callback(_remove, path)
        yield path


def _make_temporary(target: Path, *, folder: bool) -> tuple[Path, int]:
    """Make a temporary and lock it; make another one if a process removed it before it was locked."""
    prefix = _prefix(target)
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


def _prefix(target: Path) -> str:
    """Return the beginning of the names of a target's temporaries."""
    return f".{fitting_name(target.name, len(f'..{_SUFFIX}{_REPLACED}') + _RANDOM_LETTERS)}."


def _remove_stale(target: Path) -> None:
    """Remove the temporaries that killed processes left beside a target."""
    prefix = _prefix(target)
    for name in _temporaries_in(target.parent):
        if not (name.startswith(prefix) and name[len(prefix) + _RANDOM_LETTERS :].startswith(_SUFFIX)):
            continue
        path = target.parent / name
        with suppress(OSError):  # another process holds the lock or has just removed it
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path)
            finally:
                os.close(lock)


def _temporaries_in(folder: Path) -> list[str]:
    """List the names in a folder that may be those of temporaries. In a folder of many files, new ones may be missing.

    Otherwise writing many small files into one folder would take most of its time for listing it.
    """
    now = time.monotonic()
    until, names = _LISTINGS.get(folder, (now, []))
    if now < until:
        return names
    found = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - many names
    names = [name for name in found if name.startswith(".") and _SUFFIX in name]
    if len(found) >= _MANY_FILES:
        _LISTINGS[folder] = now + _SECONDS_KEPT, names
    return names


def _remove(path: Path) -> None:
    """Remove a file, or a folder with its content, if it exists."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _default_mode(mode: int) -> int:
    """Return the permissions of a new file or folder under the umask of the process."""
    mask = os.umask(0)
    os.umask(mask)
    return mode & ~mask


@contextmanager
def _storage_errors(uri: str) -> Iterator[None]:
    """Turn errors of the operating system into a `StorageError` that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise StorageError(f"{uri}: there is no such file.") from None
    except OSError as error:
        raise StorageError(f"{uri}: {error.strerror or error}.") from error
