"""What a place for files has to offer, so that the library need not know where its files are."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class FileStat:
    """Size and identity of a file's content.

    Attributes:
        size: Bytes.
        fingerprint: Changes whenever the content is written anew; says nothing by itself.
    """

    size: int
    fingerprint: str


class Store(Protocol):
    """One kind of place: local folders, an object store."""

    # Whether files have to be fetched before they can be read.
    remote: bool

    def list_uris(self, pattern: str) -> list[str]:
        """The files that match a glob, sorted."""

    def exists(self, uri: str) -> bool:
        """Whether there is such a file or folder."""

    def stat(self, uri: str) -> FileStat:
        """Size and fingerprint of a file."""

    def read_bytes(self, uri: str) -> bytes:
        """A file's whole content."""

    def publish_file(self, uri: str) -> AbstractContextManager[Path]:
        """Yield a local file to write, whose content then appears under the URI whole or not at all."""

    def stage_in(self, uri: str) -> Path:
        """A local file with this content, for readers that need one."""
