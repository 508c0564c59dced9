"""Checksums of objects, as object stores tell them."""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import google_crc32c

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Checksum:
    """What an object's content must sum up to.

    Attributes:
        algorithm: `crc32c` (value in base64), `md5` (hexadecimal), or `md5-of-parts`: the MD5 of the MD5s of the parts
            in which an object was uploaded, and their number, `HEX-N` (S3's ETag of such objects).
        value: What the store told.
        part_bytes: Size of a part.
    """

    algorithm: Literal["crc32c", "md5", "md5-of-parts"]
    value: str
    part_bytes: int = 0

    def of(self, chunks: Iterable[bytes]) -> str:
        """The checksum of some content by the same algorithm, comparable to `value`."""
        if self.algorithm == "md5-of-parts":
            digests = [_md5(part) for part in _parts(chunks, self.part_bytes)]
            return f"{_md5(digests).hex()}-{len(digests)}"
        if self.algorithm == "md5":
            return _md5(chunks).hex()
        return crc32c(chunks)

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


def crc32c(chunks: Iterable[bytes]) -> str:
    """CRC-32C of some content: 4 bytes, most significant first, in base64."""
    checksum = google_crc32c.Checksum()
    for chunk in chunks:
        checksum.update(chunk)
    return base64.b64encode(checksum.digest()).decode()


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file's content, a megabyte at a time."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _md5(chunks: Iterable[bytes]) -> bytes:
    digest: Any = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return bytes(digest.digest())


def _parts(chunks: Iterable[bytes], part_bytes: int) -> Iterator[list[bytes]]:
    """Divides content into parts of one size, each a list of chunks; the last part may be shorter."""
    part: list[bytes] = []
    size = 0
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            taken = rest[: part_bytes - size]
            part.append(bytes(taken))
            size, rest = size + len(taken), rest[len(taken) :]
            if size == part_bytes:
                yield part
                part, size = [], 0
    if part:
        yield part
