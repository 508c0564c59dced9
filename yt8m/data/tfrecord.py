"""TFRecord framing in plain Python: TensorFlow does not report where a file is damaged.

Every record consists of an 8-byte length, a checksum of the length, the payload, and a checksum of the payload
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
# Bytes of a record beside its payload.
RECORD_OVERHEAD: int = _HEADER.size + _FOOTER.size
# Fewest bytes that tell text from a record: the fourth byte of the length of a record below 16 MiB is 0.
_UNAMBIGUOUS = 4
# First bytes of files in other formats.
_FOREIGN = {
    b"\x93NUMPY": "a NumPy array",
    b"PAR1": "a Parquet table",
    b"\x89HDF": "an HDF5 file",
    b"PK\x03\x04": "a zip archive or NumPy's .npz",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"\x00\x00\x00\x18ftyp": "an MP4 video",
    b"\x00\x00\x00\x20ftyp": "an MP4 video",
}


@dataclass(frozen=True)
class Damage:
    """The first damage in a file. Records after it cannot be found.

    Attributes:
        offset: Byte offset of the damaged record.
        record: Number of intact records before the damage.
        reason: Description of the damage, for messages.
    """

    offset: int
    record: int
    reason: str


@dataclass(frozen=True)
class Framing:
    """Records, checksum and damage of a file.

    Attributes:
        records: Number of intact records before the end of the file or the damage.
        checksum: Hexadecimal checksum over the checksums of all payloads. Equal content gives equal checksums, wherever
            the file is stored.
        damage: First damage, or None if the file is intact.
    """

    records: int
    checksum: str
    damage: Damage | None


def inspect_framing(path: Path, *, verify_payloads: bool) -> Framing:
    """Walk over the records of a file and find the first damage.

    Args:
        path: TFRecord file.
        verify_payloads: Whether to verify the checksums of the payloads, which reads the whole file. Otherwise only the
            lengths are followed, which reads a few bytes per record.

    Returns:
        Number of records, checksum and damage of the file.
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
    """Yield the payloads of records `first` to `end - 1`, which must be intact."""
    with _mapped(path) as content:
        offset = 0
        for record in range(end):
            next_offset = _end_of(content, offset)
            if record >= first:
                yield content[offset + _HEADER.size : next_offset - _FOOTER.size]
            offset = next_offset


def write_record(file: IO[bytes], record: bytes) -> None:
    """Append a record to an open TFRecord file."""
    length = struct.pack("<Q", len(record))
    file.write(length + struct.pack("<I", _masked_checksum(length)))
    file.write(record)
    file.write(struct.pack("<I", _masked_checksum(record)))


def _damage_at(content: mmap.mmap | bytes, offset: int, *, verify_payloads: bool) -> str:
    """Describe the damage of the record at `offset`; return an empty string if there is none."""
    left = len(content) - offset
    if left < _HEADER.size:
        known = _foreign_format(content[:]) if offset == 0 and left >= _UNAMBIGUOUS else ""
        doubt = ", or not a TFRecord file" if offset == 0 else ""
        return known or f"truncated: {left} bytes left, but a record's header has {_HEADER.size}{doubt}"
    header = content[offset : offset + _HEADER.size]
    length, length_checksum = _HEADER.unpack(header)
    if _masked_checksum(header[:8]) != length_checksum:
        foreign = (_foreign_format(content[:64]) or "not a TFRecord file") if offset == 0 else ""
        return foreign or "the checksum of the record's length does not match"
    if left < length + RECORD_OVERHEAD:
        return f"truncated: {left} bytes left, but the record has {length + RECORD_OVERHEAD}"
    if verify_payloads:
        payload_end = offset + _HEADER.size + length
        (payload_checksum,) = _FOOTER.unpack(content[payload_end : payload_end + _FOOTER.size])
        if _masked_checksum(content[offset + _HEADER.size : payload_end]) != payload_checksum:
            return "the checksum of the record's content does not match"
    return ""


def _foreign_format(start: bytes) -> str:
    """Name the format of a file that is no TFRecord file, from its first bytes; empty if it is unknown."""
    if start.startswith(b"\x1f\x8b"):
        return "a gzip archive, not a TFRecord file; unpack it"
    known = next((name for magic, name in _FOREIGN.items() if start.startswith(magic)), "")
    if not known and start.lstrip()[:1] in (b"{", b"["):
        known = "JSON"
    elif not known and all(32 <= byte < 127 or byte in b"\t\r\n" or byte > 127 for byte in start):
        known = "text, perhaps CSV"
    remedy = "; `yt8m data import` makes shards of NumPy, Parquet, CSV and HDF5 files"
    return f"not a TFRecord file but {known}{remedy}" if known else ""


def _end_of(content: mmap.mmap | bytes, offset: int) -> int:
    length, _ = _HEADER.unpack(content[offset : offset + _HEADER.size])
    return offset + int(length) + RECORD_OVERHEAD


def _masked_checksum(data: bytes) -> int:
    """Compute the masked CRC-32C of TFRecord files: rotated by 15 bits, plus a constant."""
    checksum: int = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    with path.open("rb") as file:
        if not path.stat().st_size:
            yield b""  # mmap refuses empty files
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content
