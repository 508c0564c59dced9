"""Tests of fetching files ahead of their use."""

import time

import pytest

from tests.storage.fault_proxy import Plan
from yt8m import storage
from yt8m.errors import StorageError


def put_all(folder: str, count: int, size: int = 1000) -> list[str]:
    uris = [storage.join(folder, f"{number}") for number in range(count)]
    for uri in uris:
        with storage.open_atomic(uri) as file:
            file.write(uri.encode().ljust(size))
    return uris


def contents_read(remote) -> list[str]:
    """Return the paths of the requests that read content, in order."""
    reading = [path for method, path in remote.proxy.requests if method == "GET" and "list" not in path]
    return [path for path in reading if remote.uri.startswith("s3") or "alt=media" in path]


def wait_for(condition) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_the_next_files_are_fetched_ahead(remote):
    uris = put_all(remote.uri, 6)
    ahead = storage.ReadAhead(uris, files_ahead=2)
    remote.proxy.requests.clear()

    ahead.stage_in(uris[0])
    wait_for(lambda: len(contents_read(remote)) == 3)
    time.sleep(0.1)
    assert len(contents_read(remote)) == 3  # not more than two ahead

    for uri in uris:
        assert ahead.stage_in(uri).read_bytes() == uri.encode().ljust(1000)
    assert len(contents_read(remote)) == 6  # each once


def test_files_can_be_read_in_any_order_and_repeatedly(remote):
    uris = put_all(remote.uri, 6)
    ahead = storage.ReadAhead(uris, files_ahead=2)

    for uri in [*reversed(uris), *uris]:
        assert ahead.stage_in(uri).read_bytes() == uri.encode().ljust(1000)


def test_fewer_files_are_fetched_ahead_into_a_small_cache(remote, monkeypatch):
    monkeypatch.setenv("YT8M_CACHE_SIZE", "20kB")
    monkeypatch.setattr("yt8m.storage.cache.SECONDS_TO_OPEN", 0.05)
    uris = put_all(remote.uri, 10, size=5000)
    ahead = storage.ReadAhead(uris, files_ahead=2)

    for uri in uris:
        assert ahead.stage_in(uri).read_bytes() == uri.encode().ljust(5000)


def test_an_error_ahead_of_time_is_raised_when_the_file_is_read(remote, monkeypatch):
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", "0.3")
    uris = put_all(remote.uri, 3)
    remote.fail(
        Plan("status 503", times=1000, matching=lambda _, path, __: path.split("?")[0].endswith(("/1", "%2F1")))
    )
    ahead = storage.ReadAhead(uris)

    assert ahead.stage_in(uris[0]).exists()
    with pytest.raises(StorageError, match=rf"{uris[1]}: reading failed \(\d+ attempts"):
        ahead.stage_in(uris[1])
    assert ahead.stage_in(uris[2]).exists()


def test_local_files_are_left_alone(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    ahead = storage.ReadAhead([str(tmp_path / "file"), str(tmp_path / "missing")])

    assert ahead.stage_in(str(tmp_path / "file")) == tmp_path / "file"
    with pytest.raises(StorageError, match="missing: there is no such file"):
        ahead.stage_in(str(tmp_path / "missing"))
