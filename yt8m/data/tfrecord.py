"""The framing of TFRecord files, looked at without TensorFlow, which does not tell where a file is damaged.

Every record is an 8 byte length, the length's checksum, the payload, the payload's checksum
(https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).
"""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import google_crc32c

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_OVERHEAD: int = _HEADER.size + _FOOTER.size


@dataclass(frozen=True)
class Damage:
    """Where and why a file cannot be read any further.

    Attributes:
        offset: Byte at which the damaged record begins; the end of the file if it was cut before a record.
        record: Number of whole records before it.
        reason: What is wrong.
    """

    offset: int
    record: int
    reason: str


@dataclass(frozen=True)
class Framing:
    """What a walk over a file found.

    Attributes:
        records: Whole records before the end or the damage.
        checksum: Of all payloads' checksums: the same for the same content, wherever it lies.
        damage: The first damage, after which nothing can be found any more.
    """

    records: int
    checksum: str
    damage: Damage | None


def inspect_framing(path: Path, *, verify_payloads: bool) -> Framing:
    """Walk over all records.

    Args:
        path: A TFRecord file.
        verify_payloads: Whether the payloads' checksums are computed, which reads all of the file;
            otherwise only lengths are followed, which reads a few bytes per record.

    Returns:
        Number of records, checksum, and the damage if there is any.
    """
    checksum = google_crc32c.Checksum()
    with _mapped(path) as content:
        if not content:
            return Framing(0, "", Damage(0, 0, "the file is empty"))
        offset = records = 0
        while offset < len(content):
            reason = _damage_at(content, offset, verify_payloads=verify_payloads)
            if reason:
                return Framing(records, checksum.digest().hex(), Damage(offset, records, reason))
            end = _end_of(content, offset)
            checksum.update(content[end - _FOOTER.size : end])
            offset, records = end, records + 1
    return Framing(records, checksum.digest().hex(), None)


def read_payloads(path: Path, first: int, end: int) -> Iterator[bytes]:
    """Yield the payloads of records `first` to `end - 1`, which must be whole."""
    with _mapped(path) as content:
        offset = 0
        for record in range(end):
            next_offset = _end_of(content, offset)
            if record >= first:
                yield content[offset + _HEADER.size : next_offset - _FOOTER.size]
            offset = next_offset


def write_record(file: IO[bytes], record: bytes) -> None:
    """Append a record to a TFRecord file: length, its checksum, content, its checksum."""
    length = struct.pack("<Q", len(record))
    file.write(length + struct.pack("<I", _masked_checksum(length)))
    file.write(record)
    file.write(struct.pack("<I", _masked_checksum(record)))


def _damage_at(content: mmap.mmap | bytes, offset: int, *, verify_payloads: bool) -> str:
    """Say what is wrong with the record at `offset`; empty when nothing is."""
    left = len(content) - offset
    if left < _HEADER.size:
        return f"cut off: {left} bytes where a record's header needs {_HEADER.size}"
    header = content[offset : offset + _HEADER.size]
    length, length_checksum = _HEADER.unpack(header)
    if _masked_checksum(header[:8]) != length_checksum:
        return _what_it_is(header) if offset == 0 else "the checksum of the record's length does not match"
    if left < length + _OVERHEAD:
        return f"cut off: {left} bytes where the record needs {length + _OVERHEAD}"
    if verify_payloads:
        payload_end = offset + _HEADER.size + length
        (payload_checksum,) = _FOOTER.unpack(content[payload_end : payload_end + _FOOTER.size])
        if _masked_checksum(content[offset + _HEADER.size : payload_end]) != payload_checksum:
            return "the checksum of the record's content does not match"
    return ""


def _what_it_is(header: bytes) -> str:
    return "not a TFRecord file but a gzip archive; unpack it" if header[:2] == b"\x1f\x8b" else "not a TFRecord file"


def _end_of(content: mmap.mmap | bytes, offset: int) -> int:
    length, _ = _HEADER.unpack(content[offset : offset + _HEADER.size])
    return offset + int(length) + _OVERHEAD


def _masked_checksum(data: bytes) -> int:
    """CRC-32C, rotated by 15 bits and shifted by a constant, as TFRecord files have it."""
    checksum: int = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    with path.open("rb") as file:
        if not path.stat().st_size:
            yield b""  # an empty file cannot be mapped
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content
