"""What a client of an object store has to offer; everything else is the same for all of them."""

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from yt8m.errors import StorageError
from yt8m.storage.checksums import Checksum

_TRANSIENT_CODES = (408, 429, 500, 502, 503, 504)


class MissingObjectError(StorageError):
    """There is no such object or bucket."""


class ChangedObjectError(StorageError):
    """The object was written anew while it was read."""


class Trouble(Enum):
    """What an error of a store means for us."""

    MISSING = auto()
    CHANGED = auto()
    DENIED = auto()
    TRANSIENT = auto()
    LASTING = auto()

    @classmethod
    def of_status(cls, code: int | None) -> "Trouble":
        """What the status of an answer over HTTP means."""
        known = {404: cls.MISSING, 412: cls.CHANGED, 401: cls.DENIED, 403: cls.DENIED}
        return cls.TRANSIENT if code in _TRANSIENT_CODES else known.get(code or 0, cls.LASTING)


@dataclass(frozen=True)
class Place:
    """Where an object is.

    Attributes:
        scheme: `gs` or `s3`.
        bucket: Its bucket.
        key: Its name in the bucket; may be empty, or a glob.
    """

    scheme: str
    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> "Place":
        """Take a URI apart.

        Raises:
            StorageError: It names no bucket.
        """
        scheme, _, rest = uri.partition("://")
        bucket, _, key = rest.partition("/")
        if not bucket:
            raise StorageError(f"{uri}: names no bucket. Write {scheme}://BUCKET/NAME.")
        return cls(scheme, bucket, key)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class ObjectInfo:
    """What a store says about an object.

    Attributes:
        size: Bytes.
        version: Pins the content: reading a part with it fails once the object is written anew.
        fingerprint: Changes whenever the content is written anew.
        checksum: Of the content.
    """

    size: int
    version: str
    fingerprint: str
    checksum: Checksum


class ObjectClient(Protocol):
    """One attempt at each request; errors are those of the store's own library."""

    # What to do when the store refuses.
    access_remedy: str

    def info(self, place: Place) -> ObjectInfo:
        """What the store says about an object."""

    def keys(self, bucket: str, prefix: str, limit: int | None) -> list[str]:
        """Names of the objects, `limit` at most, whose names begin with a prefix."""

    def read(self, place: Place, version: str, start: int, size: int) -> bytes:
        """Bytes `start` to `start + size - 1` of a version of an object."""

    def upload(self, place: Place, path: Path) -> None:
        """Make a file an object that appears whole or not at all; the store compares checksums."""

    def trouble(self, error: Exception) -> Trouble:
        """What an error of this client's methods means."""
