"""Files in folders and object stores: the same functions for every kind of URI.

A URI is a local path, `file://PATH`, `gs://BUCKET/NAME` (Google Cloud Storage) or `s3://BUCKET/NAME` (S3, MinIO and
the like); docs/storage.md tells what can be set.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

from yt8m.errors import StorageError
from yt8m.storage.folder_upload import FolderUpload
from yt8m.storage.local import publish_directory
from yt8m.storage.read_ahead import ReadAhead
from yt8m.storage.store import FileStat, Store
from yt8m.storage.stores import STORES, store_of

__all__ = [
    "STORES",
    "FileStat",
    "FolderUpload",
    "ReadAhead",
    "Store",
    "exists",
    "is_remote",
    "join",
    "list_uris",
    "open_atomic",
    "publish_directory",
    "publish_file",
    "read_bytes",
    "read_text",
    "stage_in",
    "stat",
]


def list_uris(pattern: str | Path) -> list[str]:
    """List the files that match a glob.

    Args:
        pattern: A URI with `*`, `?`, `[...]` or `**`; one without matches itself.

    Returns:
        Absolute URIs, sorted; empty when nothing matches.
    """
    return store_of(pattern).list_uris(str(pattern))


def exists(uri: str | Path) -> bool:
    """Whether there is such a file or folder."""
    return store_of(uri).exists(str(uri))


def is_remote(uri: str | Path) -> bool:
    """Whether files have to be fetched from there before libraries can read them."""
    return store_of(uri).remote


def stat(uri: str | Path) -> FileStat:
    """Size of a file and a fingerprint that changes when its content is written anew."""
    return store_of(uri).stat(str(uri))


def read_bytes(uri: str | Path) -> bytes:
    """A file's whole content."""
    return store_of(uri).read_bytes(str(uri))


def read_text(uri: str | Path) -> str:
    """A file's whole content, as UTF-8."""
    try:
        return read_bytes(uri).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StorageError(f"{uri}: not a text file ({error}).") from None


@contextmanager
def open_atomic(uri: str | Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file that appears under its name only when it was written to the end.

    Args:
        uri: The file; folders above it are made, an existing file is replaced.
        mode: `wb`, or `w` for UTF-8 text.

    Yields:
        The open file. When the body fails, the old state stays.
    """
    with publish_file(uri) as path, path.open(mode, encoding=None if "b" in mode else "utf-8") as file:
        yield file


def publish_file(uri: str | Path) -> AbstractContextManager[Path]:
    """Like `open_atomic`, for writers that want a local path.

    Args:
        uri: The file; folders above it are made, an existing file is replaced.

    Returns:
        A context manager that yields the path of an empty file to be written.
    """
    return store_of(uri).publish_file(str(uri))


def stage_in(uri: str | Path) -> Path:
    """A local file with this content, for readers that can only read local files.

    An object's copy is in a cache of bounded size: open it at once, do not keep its path.
    """
    return store_of(uri).stage_in(str(uri))


def join(uri: str | Path, *parts: str) -> str:
    """Append parts to a URI, with one slash between them."""
    return "/".join([str(uri).rstrip("/"), *(part.strip("/") for part in parts)])
