"""Files in local folders."""

import glob
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from yt8m.errors import StorageError
from yt8m.storage.store import FileStat
from yt8m.storage.temporaries import remove, remove_stale, temporary_beside


class LocalStore:
    """Local folders; accepts plain paths and `file://` URIs."""

    remote = False

    def list_uris(self, pattern: str) -> list[str]:
        """The files that match a glob (`**` for folders in folders), as sorted absolute paths."""
        found = glob.glob(str(local_path(pattern)), recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
        return sorted(path for path in found if Path(path).is_file())

    def exists(self, uri: str) -> bool:
        """Whether there is such a file or folder."""
        return local_path(uri).exists()

    def stat(self, uri: str) -> FileStat:
        """Size and fingerprint of a file."""
        with _errors_name(uri):
            status = local_path(uri).stat()
        return FileStat(status.st_size, f"{status.st_size}-{status.st_mtime_ns}")

    def read_bytes(self, uri: str) -> bytes:
        """A file's whole content."""
        with _errors_name(uri):
            return local_path(uri).read_bytes()

    @contextmanager
    def publish_file(self, uri: str) -> Iterator[Path]:
        """Yield a file beside the target that takes its place at the end, so that nobody ever sees a part."""
        target = local_path(uri)
        with _errors_name(uri):
            target.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(target, uri, folder=False) as temporary:
            yield temporary
            with _errors_name(uri):
                _flush_to_disk(temporary)
                temporary.chmod(_default_mode(0o666))  # mkstemp's files are readable by their owner only
                temporary.replace(target)
        remove_stale(target)

    def stage_in(self, uri: str) -> Path:
        """The file itself: it is here already."""
        self.stat(uri)
        return local_path(uri)


@contextmanager
def publish_directory(path: Path) -> Iterator[Path]:
    """Make a folder that appears whole or not at all.

    Args:
        path: The folder; an existing one is replaced when the new one is complete.

    Yields:
        An empty folder beside it, to be filled; it is removed on failure.
    """
    target = path.absolute()
    with _errors_name(str(path)):
        target.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(target, str(path), folder=True) as temporary:
        yield temporary
        temporary.chmod(_default_mode(0o777))
        with _errors_name(str(path)):
            _swap(temporary, target)
    remove_stale(target)


@contextmanager
def _temporary(target: Path, uri: str, *, folder: bool) -> Iterator[Path]:
    with ExitStack() as stack:
        with _errors_name(uri):
            temporary = stack.enter_context(temporary_beside(target, folder=folder))
        yield temporary


def _swap(new: Path, target: Path) -> None:
    """Put a folder in another's place; rename alone only replaces an empty one."""
    if not target.exists():
        new.rename(target)
        return
    old = new.with_name(f"{new.name}.old")
    target.rename(old)
    new.rename(target)
    remove(old)


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def local_path(uri: str) -> Path:
    """The absolute path of a local URI; pipeline steps do not share a working directory."""
    return Path(uri.removeprefix("file://")).expanduser().absolute()


def _default_mode(mode: int) -> int:
    """A new file's or folder's permissions under the process's umask."""
    mask = os.umask(0)
    os.umask(mask)
    return mode & ~mask


@contextmanager
def _errors_name(uri: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise StorageError(f"{uri}: there is no such file.") from None
    except OSError as error:
        raise StorageError(f"{uri}: {error.strerror or error}.") from error
