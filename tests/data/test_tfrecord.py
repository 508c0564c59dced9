"""Damaged shards: where and why they are damaged, and which of their videos remain usable."""

import gzip
import struct
from pathlib import Path

import pytest

from yt8m.data.read_report import ReadReport
from yt8m.data.reading import data_errors
from yt8m.data.tfrecord import inspect_framing, read_payloads
from yt8m.errors import DataError, StorageError

from .conftest import read_ids


def offsets_of(content: bytes) -> list[int]:
    """Return the offset of every record and of the end."""
    offsets = [0]
    while offsets[-1] < len(content):
        (length,) = struct.unpack_from("<Q", content, offsets[-1])
        offsets.append(offsets[-1] + length + 16)
    return offsets


def flip(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def damage(kind: str, content: bytes, at: int, end: int) -> bytes:
    """Damage a shard whose third record begins at `at` and ends at `end`."""
    return {
        "flipped bit in the content": flip(content, at + 20),
        "flipped bit in the checksum": flip(content, end - 1),
        "flipped bit in the length": flip(content, at),
        "cut in the content": content[: end - 9],
        "cut in the header": content[: at + 5],
        "zeros from a record on": content[:at] + bytes(len(content) - at),
        "text": b"<html>404 Not Found</html>",
        "short text": b"no",
        "gzip": gzip.compress(content),
        "empty": b"",
    }[kind]


# Kind of damage -> number of videos before it, and part of the reported reason.
DAMAGES = {
    "flipped bit in the content": (2, "checksum of the record's content"),
    "flipped bit in the checksum": (2, "checksum of the record's content"),
    "flipped bit in the length": (2, "checksum of the record's length"),
    "cut in the content": (2, "truncated"),
    "cut in the header": (2, "truncated: 5 bytes left, but a record's header has 12"),
    "zeros from a record on": (2, "checksum of the record's length"),
    "text": (0, "not a TFRecord file"),
    "short text": (0, "truncated: 2 bytes"),
    "gzip": (0, "a gzip archive, not a TFRecord file; unpack it"),
    "empty": (0, "the file is empty"),
}


@pytest.fixture(params=DAMAGES)
def damaged(request, tmp_path, shards):
    """Return the URI of a damaged shard, the intact records before the damage, its offset and its reason."""
    left, reason = DAMAGES[request.param]
    path = Path(shards.write(tmp_path / "damaged", [shards.video_of(n) for n in range(5)]))
    content = path.read_bytes()
    offsets = offsets_of(content)
    path.write_bytes(damage(request.param, content, offsets[2], offsets[3]))
    return str(path), left, offsets[left], reason


def test_the_rest_of_a_damaged_shard_is_skipped_and_reported(damaged, tmp_path, shards):
    uri, left, offset, reason = damaged
    healthy = shards.write(tmp_path / "healthy", [shards.video_of(n) for n in range(5, 9)])
    report = ReadReport()

    ids = read_ids([uri, healthy], shards.spec, report=report)
    assert ids == [b"%04d" % n for n in (*range(left), *range(5, 9))]
    (found,) = report.damaged_shards.values()
    assert (found.shard, found.offset, found.record) == (uri, offset, left)
    assert reason in found.reason


def test_under_fail_a_damaged_shard_stops(damaged, shards):
    uri, _, offset, reason = damaged
    with pytest.raises(DataError, match=f"{uri}: damaged at byte {offset}") as error:
        read_ids([uri], shards.spec, on_bad="fail")

    assert reason in str(error.value)
    assert "Download the shard again" in str(error.value)


def test_a_missing_shard_is_named(tmp_path, shards):
    with pytest.raises(StorageError, match=r"missing\.tfrecord: there is no such file"):
        read_ids([str(tmp_path / "missing.tfrecord")], shards.spec)


def test_unrelated_errors_are_not_changed():
    with pytest.raises(ZeroDivisionError), data_errors():
        raise ZeroDivisionError


def test_the_checksum_depends_on_the_content_and_not_on_the_path(tmp_path, shards):
    def checksum(name, numbers):
        path = Path(shards.write(tmp_path / name, [shards.video_of(n) for n in numbers]))
        return inspect_framing(path, verify_payloads=False).checksum

    assert checksum("a", [1, 2]) == checksum("b", [1, 2])
    assert len({checksum("a", numbers) for numbers in ([1, 2], [2, 1], [1], [1, 3])}) == 4


def test_payloads_are_found_by_number(tmp_path):
    import tensorflow as tf  # noqa: PLC0415

    with tf.io.TFRecordWriter(str(tmp_path / "shard")) as writer:
        for payload in (b"a", b"", b"ccc", b"dd"):
            writer.write(payload)

    assert list(read_payloads(tmp_path / "shard", 1, 3)) == [b"", b"ccc"]
    assert inspect_framing(tmp_path / "shard", verify_payloads=True).records == 4


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x93NUMPY\x01\x00" + bytes(60), "a NumPy array"),
        (b"PAR1" + bytes(60), "a Parquet table"),
        (b"\x89HDF\r\n" + bytes(60), "an HDF5 file"),
        (b"PK\x03\x04" + bytes(60), "a zip archive"),
        (b'{"id": "a", "labels": [1]}', "JSON"),
        (b"id,labels\nvideo,3\n", "text, perhaps CSV"),
    ],
)
def test_files_of_other_formats_are_named_with_a_remedy(tmp_path, content, name):
    path = tmp_path / "file"
    path.write_bytes(content)
    damage = inspect_framing(path, verify_payloads=True).damage
    assert damage
    assert damage.reason.startswith(f"not a TFRecord file but {name}")
    assert "`yt8m data import`" in damage.reason
