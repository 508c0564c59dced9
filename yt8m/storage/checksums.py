"""Checksums of objects, in the forms that object stores use."""

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
    """Expected checksum of an object.

    Attributes:
        algorithm: `crc32c` (base64), `md5` (hexadecimal), or `md5-of-parts`: the MD5 of the MD5s of all parts and the
            number of parts, `HEX-N` (the ETag that S3 gives to multipart uploads).
        value: Checksum as the store gave it.
        part_sizes: Sizes in bytes of the parts of a multipart upload.
    """

    algorithm: Literal["crc32c", "md5", "md5-of-parts"]
    value: str
    part_sizes: tuple[int, ...] = ()

    def of(self, chunks: Iterable[bytes]) -> str:
        """Compute the checksum of some content with the same algorithm."""
        if self.algorithm == "md5-of-parts":
            digests = [_md5(part) for part in _parts(chunks, self.part_sizes)]
            return f"{_md5(digests).hex()}-{len(digests)}"
        if self.algorithm == "md5":
            return _md5(chunks).hex()
        return crc32c(chunks)

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


def crc32c(chunks: Iterable[bytes]) -> str:
    """Compute the CRC-32C of some content as base64 of 4 big-endian bytes."""
    checksum = google_crc32c.Checksum()
    for chunk in chunks:
        checksum.update(chunk)
    return base64.b64encode(checksum.digest()).decode()


def chunks_of(path: Path) -> Iterator[bytes]:
    """Read a file, a megabyte at a time."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _md5(chunks: Iterable[bytes]) -> bytes:
    digest: Any = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return bytes(digest.digest())


def _parts(chunks: Iterable[bytes], sizes: tuple[int, ...]) -> Iterator[list[bytes]]:
    """Divide content into parts of given sizes, each a list of chunks. Any rest is one more part."""
    content = iter(chunks)
    rest = memoryview(b"")
    for size in sizes:
        part: list[bytes] = []
        missing = size
        while missing and (rest := rest or memoryview(next(content, b""))):
            part.append(bytes(rest[:missing]))
            missing, rest = missing - len(part[-1]), rest[missing:]
        yield part
    if left_over := b"".join([rest, *content]):
        yield [left_over]
