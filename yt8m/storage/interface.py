"""Interfaces of stores and of clients of object stores, and the types they share."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from yt8m.errors import StorageError
from yt8m.storage.checksums import Checksum

_TRANSIENT_CODES = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class FileStat:
    """Size and identity of a file's content.

    Attributes:
        size: Size in bytes.
        fingerprint: Opaque text that changes whenever the file is rewritten.
    """

    size: int
    fingerprint: str


@dataclass(frozen=True)
class ListedFile:
    """A file as a listing shows it.

    Attributes:
        uri: URI of the file, or the name of an object in its bucket.
        size: Size in bytes.
        changed: Time of the last change in seconds since 1970.
    """

    uri: str
    size: int
    changed: float


class Store(Protocol):
    """One kind of storage: local folders or an object store."""

    # Whether files must be fetched before libraries can read them.
    remote: bool

    def list_uris(self, pattern: str) -> list[str]:
        """List the files that match a glob pattern, sorted."""

    def explain(self, pattern: str, found: Sequence[str], noun: str, ending: str) -> str:
        """Explain why a pattern names no files, or names others that cannot be read; empty if all is well."""

    def identity(self, uri: str) -> str:
        """Return a text that is the same for all spellings of the URI of one file."""

    def list_files(self, folder: str) -> list[ListedFile]:
        """List all files below a folder, hidden ones included, sorted."""

    def remove(self, uris: Iterable[str]) -> None:
        """Remove files, except those that are gone already."""

    def exists(self, uri: str) -> bool:
        """Return whether a file or folder exists."""

    def stat(self, uri: str) -> FileStat:
        """Return size and fingerprint of a file."""

    def read_bytes(self, uri: str) -> bytes:
        """Read a whole file."""

    def publish_file(self, uri: str) -> AbstractContextManager[Path]:
        """Yield a local file to write. Its content appears under the URI completely or not at all."""

    def stage_in(self, uri: str) -> Path:
        """Return a local file with the content of a URI."""


class MissingObjectError(StorageError):
    """The object or its bucket does not exist."""


class ChangedObjectError(StorageError):
    """The object was rewritten while it was read."""


class Failure(Enum):
    """Kinds of failed requests, by what to do about them."""

    MISSING = auto()
    CHANGED = auto()
    DENIED = auto()
    TRANSIENT = auto()
    PERMANENT = auto()

    @classmethod
    def of_status(cls, code: int | None) -> "Failure":
        """Classify an HTTP status code."""
        known = {404: cls.MISSING, 412: cls.CHANGED, 401: cls.DENIED, 403: cls.DENIED}
        return cls.TRANSIENT if code in _TRANSIENT_CODES else known.get(code or 0, cls.PERMANENT)


@dataclass(frozen=True)
class ObjectPath:
    """URI of an object, in parts.

    Attributes:
        scheme: `gs` or `s3`.
        bucket: Name of the bucket.
        key: Name of the object in its bucket. May be empty or a glob pattern.
    """

    scheme: str
    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> "ObjectPath":
        """Split a URI into its parts.

        Raises:
            StorageError: The URI names no bucket.
        """
        scheme, _, rest = uri.partition("://")
        bucket, _, key = rest.partition("/")
        if not bucket:
            raise StorageError(f"{uri}: the bucket is missing. Write {scheme}://BUCKET/NAME.")
        return cls(scheme, bucket, key)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class ObjectInfo:
    """Metadata of an object.

    Attributes:
        size: Size in bytes.
        version: Identifier of the content. Reading a range with it fails once the object is rewritten.
        fingerprint: Opaque text that changes whenever the object is rewritten.
        checksum: Checksum of the content.
    """

    size: int
    version: str
    fingerprint: str
    checksum: Checksum


class ObjectClient(Protocol):
    """Client of an object store. Each method makes one attempt and raises the errors of the store's library."""

    # Advice for users whose access is denied.
    access_remedy: str

    def info(self, path: ObjectPath) -> ObjectInfo:
        """Fetch the metadata of an object."""

    def objects(self, bucket: str, prefix: str, limit: int | None) -> list[ListedFile]:
        """List at most `limit` objects whose names begin with a prefix."""

    def remove(self, bucket: str, keys: Sequence[str]) -> None:
        """Remove up to 1,000 objects, except those that are gone already."""

    def read(self, path: ObjectPath, version: str, start: int, size: int) -> bytes:
        """Read bytes `start` to `start + size - 1` of one version of an object."""

    def upload(self, path: ObjectPath, file: Path) -> None:
        """Upload a file, with a checksum. The object appears completely or not at all."""

    def classify(self, error: Exception) -> Failure:
        """Classify an error that this client raised."""
