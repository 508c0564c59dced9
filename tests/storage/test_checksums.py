import hashlib

from yt8m.storage.checksums import Checksum, crc32c


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def test_crc32c_of_the_standard_example():
    # RFC 3720, B.4: 32 bytes of zeros have the CRC aa 36 91 8a, least significant byte first.
    assert crc32c([bytes(32)]) == "ipE2qg=="


def test_checksums_do_not_depend_on_the_chunks():
    data = bytes(range(256)) * 10
    for checksum in (Checksum("crc32c", ""), Checksum("md5", ""), Checksum("md5-of-parts", "", (700, 1000, 860))):
        assert len({checksum.of(chunks(data, size)) for size in (1, 7, 256, 700, 10_000)}) == 1


def test_the_checksum_of_parts_is_the_checksum_of_their_checksums():
    data = b"a" * 5 + b"b" * 4 + b"c" * 7
    digests = b"".join(hashlib.md5(part).digest() for part in (b"a" * 5, b"b" * 4, b"c" * 7))
    checksum = Checksum("md5-of-parts", "", (5, 4, 7))

    assert checksum.of([data]) == f"{hashlib.md5(digests).hexdigest()}-3"
    assert checksum.of([data[:-1]]) != checksum.of([data]) != checksum.of([data, b"c"])


def test_a_single_flipped_bit_changes_every_checksum():
    data = bytes(100)
    for checksum in (Checksum("crc32c", ""), Checksum("md5", ""), Checksum("md5-of-parts", "", (30, 50, 20))):
        changed = [data[:bit] + b"\x01" + data[bit + 1 :] for bit in (0, 29, 30, 99)]
        assert checksum.of([data]) not in [checksum.of([each]) for each in changed]
