"""The cache of objects, without a store."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from yt8m.errors import StorageError
from yt8m.storage import cache
from yt8m.storage.cache import CorruptTransferError, ShardCache
from yt8m.storage.checksums import Checksum, crc32c
from yt8m.storage.interface import ObjectInfo


class Store:
    """Objects by name, and a log of fetched names."""

    def __init__(self, shards: ShardCache, size: int = 100) -> None:
        self.shards = shards
        self.size = size
        self.fetched: list[str] = []

    def get(self, name: str, *, sent: bytes | None = None, version: str = "1") -> Path:
        content = (name * self.size)[: self.size].encode()
        info = ObjectInfo(self.size, version, version, Checksum("crc32c", crc32c([content])))

        def fill(descriptor: int) -> None:
            self.fetched.append(name)
            os.pwrite(descriptor, content if sent is None else sent, 0)

        return self.shards.get(f"gs://bucket/{name}", info, fill)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(ShardCache(tmp_path / "cache", limit_bytes=350))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch) -> None:
    monkeypatch.setattr(cache, "SECONDS_TO_OPEN", 0.0)


def test_a_copy_is_fetched_once(store):
    paths = {store.get("a") for _ in range(3)}

    assert [path.read_bytes() for path in paths] == [b"a" * 100]
    assert store.fetched == ["a"]


def test_the_least_recently_used_copy_goes_first(store):
    for name in ("a", "b", "c", "a", "d"):
        store.get(name)
    store.fetched.clear()

    for name in ("a", "c", "d"):
        store.get(name)
    assert store.fetched == []
    store.get("b")
    assert store.fetched == ["b"]


def test_copies_never_take_more_than_the_limit(store, tmp_path):
    for number in range(20):
        store.get(str(number))
        files = [path for path in (tmp_path / "cache").iterdir() if path.is_file()]
        assert sum(path.stat().st_size for path in files) <= 350


def test_an_open_copy_stays_readable_after_its_eviction(store):
    with store.get("a").open("rb") as file:
        for name in "bcdef":
            store.get(name)
        assert file.read() == b"a" * 100


def test_a_file_that_was_just_handed_out_is_not_evicted(store, monkeypatch):
    monkeypatch.setattr(cache, "SECONDS_TO_OPEN", 1000.0)
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", "0.3")
    paths = [store.get(name) for name in "abc"]

    with pytest.raises(StorageError, match=r"full of files in use\. Set YT8M_CACHE_SIZE higher"):
        store.get("d")
    assert all(path.exists() for path in paths)


def test_the_last_copy_can_be_opened_late_while_others_fill_the_cache(store):
    path = store.get("a")
    other = Store(ShardCache(path.parent, limit_bytes=350))

    for name in "bcdefg":
        other.get(name)
    assert path.read_bytes() == b"a" * 100

    for name in "hi":
        store.get(name)
    other.get("j")
    assert not path.exists()


def test_locked_copies_fill_only_a_share_of_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "COPIES_HELD", 3)
    for limit, held in ((1600, 2), (8000, 3)):
        folder = tmp_path / str(limit)
        store, other = (Store(ShardCache(folder, limit_bytes=limit)) for _ in range(2))
        paths = [store.get(name) for name in "abcd"]
        for number in range(limit // 100):
            other.get(f"{number} ")
        assert [path.exists() for path in paths] == [False] * (4 - held) + [True] * held


def test_processes_whose_copies_fill_the_cache_do_not_deadlock(tmp_path):
    stores = [Store(ShardCache(tmp_path, limit_bytes=250)) for _ in range(2)]
    for number in range(6):
        assert stores[number % 2].get(f"{number} ").exists()


def test_locking_works_over_nfs(store, monkeypatch):
    """NFSv4 emulates flock by byte-range locks, which need a file opened in the matching mode."""
    flock = fcntl.flock

    def nfs_flock(file, kind: int) -> None:
        access = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
        forbidden = os.O_WRONLY if kind & fcntl.LOCK_SH else os.O_RDONLY
        if access == forbidden:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(file, kind)

    monkeypatch.setattr(fcntl, "flock", nfs_flock)
    for name in "abcdea":
        assert store.get(name).read_bytes() == name.encode() * 100


def test_a_folder_without_locks_is_named(store, tmp_path, monkeypatch):
    def no_locks(*_) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(
        StorageError, match=r"cache: files in this folder cannot be locked \(No locks available\)\. .*CACHE_DIR"
    ):
        store.get("a")
    (tmp_path / "cache" / "locks").rename(tmp_path / "locks")
    with pytest.raises(
        StorageError, match=r"cache: files in this folder cannot be locked \(No such file or directory\)"
    ):
        store.get("a")


def test_files_of_the_volume_are_left_alone(store, tmp_path):
    (tmp_path / "cache" / "lost+found").mkdir()
    removed_over_nfs = tmp_path / "cache" / ".nfs0001"
    removed_over_nfs.write_bytes(b"x" * 300)
    for path in (removed_over_nfs, removed_over_nfs.with_name("lost+found")):
        os.utime(path, (1, 1))

    for name in "abcd":
        assert store.get(name).exists()
    assert removed_over_nfs.exists()


def test_an_object_larger_than_the_cache_is_refused(tmp_path):
    store = Store(ShardCache(tmp_path / "cache", limit_bytes=99))
    with pytest.raises(StorageError, match=r"gs://bucket/a: 100 bytes do not fit into the cache .* of 99 bytes"):
        store.get("a")


@pytest.mark.parametrize("damage", [b"", b"a" * 99, b"b" + b"a" * 99, b"a" * 101])
@pytest.mark.parametrize("same_process", [True, False])
def test_a_damaged_copy_is_noticed_and_fetched_again(store, damage, same_process, caplog):
    path = store.get("a")
    path.write_bytes(damage)
    if not same_process:
        store.shards = ShardCache(path.parent, limit_bytes=350)

    assert store.get("a").read_bytes() == b"a" * 100
    assert store.fetched == ["a", "a"]
    assert "gs://bucket/a: its local copy" in caplog.text


def test_an_outdated_copy_is_not_used(store):
    store.get("a")
    store.get("a", version="2")

    assert store.fetched == ["a", "a"]


def test_a_corrupt_transfer_leaves_nothing(store, tmp_path):
    with pytest.raises(CorruptTransferError, match="gs://bucket/a: the content that arrived does not have crc32c"):
        store.get("a", sent=b"x" * 100)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["locks"]


def test_a_partial_download_of_a_dead_process_is_removed(store, tmp_path):
    name = store.get("a").name
    leftover = tmp_path / "cache" / f"{'0' * 32}-b.part"
    leftover.write_bytes(b"x" * 300)
    os.utime(leftover, (1, 1))

    store.get("c")

    assert not leftover.exists()
    assert (tmp_path / "cache" / name).exists()


_CHILD = """
import os, sys, time
from pathlib import Path
from yt8m.storage.cache import ShardCache
from yt8m.storage.checksums import Checksum, crc32c
from yt8m.storage.interface import ObjectInfo

shards = ShardCache(Path(sys.argv[1]), limit_bytes=350_000)
fetched = 0
for step in range(40):
    name = str(step * 7 % 5)
    content = name.encode() * 100_000

    def fill(descriptor):
        global fetched
        fetched += 1
        os.pwrite(descriptor, content[:50_000], 0)
        time.sleep(0.001)
        os.pwrite(descriptor, content[50_000:], 50_000)

    info = ObjectInfo(100_000, "1", "1", Checksum("crc32c", crc32c([content])))
    with shards.get(f"gs://bucket/{name}", info, fill).open("rb") as file:
        assert file.read() == content
    files = [path for path in Path(sys.argv[1]).iterdir() if path.is_file()]
    size = 0
    for path in files:
        try:
            size += path.stat().st_size
        except FileNotFoundError:
            pass
    assert size <= 350_000, size
print(fetched)
"""


@pytest.mark.slow
def test_two_processes_share_a_cache(tmp_path):
    """Read five objects repeatedly in both processes, with a cache that holds three."""
    command = [sys.executable, "-c", f"from yt8m.storage import cache; cache.SECONDS_TO_OPEN = 0.5\n{_CHILD}"]
    processes = [
        subprocess.Popen([*command, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outputs


def test_two_processes_fetch_an_object_once(tmp_path):
    program = _CHILD.replace("range(40)", "range(1)").replace("0.001", "0.3")
    started = time.monotonic()
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    fetched = sum(int(process.communicate(timeout=60)[0]) for process in processes)

    assert fetched == 1, time.monotonic() - started


@pytest.mark.parametrize("text", ["much", "-1GB"])
def test_an_invalid_size_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.setenv("YT8M_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("YT8M_CACHE_SIZE", text)
    with pytest.raises(StorageError, match=f"YT8M_CACHE_SIZE: expected a size such as 20GB, received '{text}'"):
        cache.shard_cache()


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("YT8M_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(StorageError, match=r"file: cannot hold copies of objects .* Set YT8M_CACHE_DIR"):
        cache.shard_cache()
