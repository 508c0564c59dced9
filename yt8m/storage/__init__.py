"""Files in folders and object stores, with the same functions for every kind of URI.

A URI is a local path, `file://PATH`, `gs://BUCKET/NAME` (Google Cloud Storage) or `s3://BUCKET/NAME` (S3, MinIO and
other stores with its protocol). docs/storage.md lists the settings.

Of `yt8m`, it may import only `errors`. Configurations, data and everything above them may import it.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from yt8m.errors import StorageError
from yt8m.storage.interface import FileStat, ListedFile, MissingObjectError
from yt8m.storage.local import publish_directory
from yt8m.storage.stores import STORES, store_of
from yt8m.storage.transfer import FolderUpload, ReadAhead

__all__ = [
    "STORES",
    "FileStat",
    "FolderUpload",
    "ListedFile",
    "ReadAhead",
    "exists",
    "find_files",
    "fingerprints",
    "folder_of",
    "identity",
    "is_remote",
    "join",
    "list_files",
    "list_uris",
    "open_atomic",
    "publish_directory",
    "publish_file",
    "read_bytes",
    "read_text",
    "remove",
    "stage_in",
    "stat",
    "stats",
]

# Number of files to look at in parallel. Object stores take some hundredths of a second for each.
_LOOKS_AT_ONCE = 16


def list_uris(pattern: str | Path) -> list[str]:
    """List the files that match a glob pattern.

    Args:
        pattern: URI with `*`, `?`, `[...]` or `**`. A file that exists matches itself, and leading folders that exist
            are names, even with such letters; see `yt8m.storage.patterns`.

    Returns:
        Absolute URIs, sorted. The list is empty when nothing matches.
    """
    return store_of(pattern).list_uris(str(pattern))


class Found(NamedTuple):
    """The files that a pattern names.

    Attributes:
        uris: Absolute URIs, sorted.
        problem: Why there are none, or what the pattern matches besides that cannot be read. Empty if all is well.
    """

    uris: list[str]
    problem: str


def find_files(pattern: str, noun: str = "file", ending: str = "") -> Found:
    """List the files that a pattern names, and explain what a user must correct.

    Args:
        pattern: Path, URI or glob pattern; see `list_uris`.
        noun: Name for a file of this kind in the explanation.
        ending: Usual ending of such files.
    """
    store = store_of(pattern)
    try:
        uris = store.list_uris(pattern)
        return Found(uris, store.explain(pattern, uris, noun, ending))
    except MissingObjectError:  # the bucket
        return Found([], f"no {noun} matches '{pattern}'. There is no such bucket.")


def identity(uri: str | Path) -> str:
    """Return a text that is the same for all spellings of a file's URI: links, `..` and relative paths."""
    return store_of(uri).identity(str(uri))


def list_files(folder: str | Path) -> list[ListedFile]:
    """List all files below a folder with size and time of the last change, hidden ones included.

    Args:
        folder: URI of the folder.

    Returns:
        The files by absolute URI, sorted. The list is empty if there is no such folder.
    """
    return store_of(folder).list_files(str(folder))


def remove(uris: Iterable[str]) -> None:
    """Remove files of one store, except those that are gone already.

    In a local folder, the folders that become empty are removed, too: object stores have none.
    """
    files = list(uris)
    if files:
        store_of(files[0]).remove(files)


def exists(uri: str | Path) -> bool:
    """Return whether a file or folder exists."""
    return store_of(uri).exists(str(uri))


def is_remote(uri: str | Path) -> bool:
    """Return whether a file must be fetched before libraries can read it."""
    return store_of(uri).remote


def stat(uri: str | Path) -> FileStat:
    """Return the size of a file and a fingerprint that changes whenever the file is rewritten."""
    return store_of(uri).stat(str(uri))


def stats(uris: Iterable[str]) -> dict[str, FileStat]:
    """Return sizes and fingerprints of many files by URI, in their order; see `stat`."""
    files = list(uris)
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        return dict(zip(files, pool.map(stat, files), strict=True))


def fingerprints(uris: Iterable[str]) -> dict[str, str]:
    """Return the fingerprints of many files by URI, sorted; see `stat`."""
    return {uri: found.fingerprint for uri, found in stats(sorted(uris)).items()}


def read_bytes(uri: str | Path) -> bytes:
    """Read a whole file."""
    return store_of(uri).read_bytes(str(uri))


def read_text(uri: str | Path) -> str:
    """Read a whole file as UTF-8 text."""
    try:
        return read_bytes(uri).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StorageError(f"{uri}: not a text file ({error}).") from None


@contextmanager
def open_atomic(uri: str | Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file that appears under its name only after it was written completely.

    Args:
        uri: File to write. Missing parent folders are created, and an existing file is replaced.
        mode: `wb`, or `w` for UTF-8 text.

    Yields:
        The open file. If the body raises an exception, the previous file stays.
    """
    with publish_file(uri) as path, path.open(mode, encoding=None if "b" in mode else "utf-8") as file:
        yield file


def publish_file(uri: str | Path) -> AbstractContextManager[Path]:
    """Publish a file like `open_atomic`, for libraries that write to a local path.

    Args:
        uri: File to write. Missing parent folders are created, and an existing file is replaced.

    Returns:
        A context manager that yields the path of an empty local file.
    """
    return store_of(uri).publish_file(str(uri))


def stage_in(uri: str | Path) -> Path:
    """Return a local file with the content of a URI, for libraries that read local files only.

    The copy of an object lies in a cache of bounded size: open it at once, and do not keep its path.
    """
    return store_of(uri).stage_in(str(uri))


def join(uri: str | Path, *parts: str) -> str:
    """Append parts to a URI, with one slash between them."""
    return "/".join([str(uri).rstrip("/"), *(part.strip("/") for part in parts)])


def folder_of(uri: str) -> str:
    """Return the folder of a file; an empty string if its URI names none."""
    return uri.rpartition("/")[0]
