"""Faults of networks and stores: corrupt content is never used, and partial content never appears."""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

import yt8m.storage.remote
from tests.storage.emulators import free_port
from tests.storage.fault_proxy import FAULTS, FaultProxy, Plan
from yt8m import storage
from yt8m.errors import StorageError
from yt8m.storage import ranges, s3

CONTENT = bytes(range(256)) * 64
READ_FAULTS = [fault for fault in FAULTS if fault != "flip sent"]


def content(method: str, path: str, size: int) -> bool:
    """Match requests that read content."""
    return method == "GET" and size >= 1000


def writing(method: str, path: str, size: int) -> bool:
    """Match requests that send content."""
    return method in {"POST", "PUT"} and size >= 1000


def put(folder: str, name: str = "file", data: bytes = CONTENT) -> str:
    uri = storage.join(folder, name)
    with storage.open_atomic(uri) as file:
        file.write(data)
    return uri


def files_in_cache() -> list[Path]:
    return [path for path in Path(os.environ["YT8M_CACHE_DIR"]).iterdir() if path.is_file()]


@contextmanager
def refusing(scheme: str, target_port: int, seconds: float, monkeypatch) -> Iterator[None]:
    """Point a library at a store that starts to answer after a delay."""
    port = free_port()
    variable = {"gs": "STORAGE_EMULATOR_HOST", "s3": "AWS_ENDPOINT_URL"}[scheme]
    monkeypatch.setenv(variable, f"http://127.0.0.1:{port}")
    started: list[FaultProxy] = []
    start = Timer(seconds, lambda: started.append(FaultProxy(target_port, port)))
    start.start()
    try:
        yield
    finally:
        start.join()
        started[0].close()


@pytest.mark.parametrize(
    "operation", ["read", *(pytest.param(name, marks=pytest.mark.slow) for name in ("list", "write"))]
)
def test_requests_wait_for_a_store_that_refuses_connections_for_a_second(operation, remote, monkeypatch):
    uri = put(remote.uri)

    with refusing(remote.uri[:2], remote.proxy.port, 1.0, monkeypatch):
        if operation == "list":
            assert storage.list_uris(storage.join(remote.uri, "*")) == [uri]
        elif operation == "read":
            assert storage.stage_in(uri).read_bytes() == CONTENT
        else:
            assert storage.stat(put(remote.uri, "other")).size == len(CONTENT)


@pytest.mark.parametrize("fault", READ_FAULTS)
def test_reading_survives_faults(fault, remote):
    uri = put(remote.uri)
    plan = remote.fail(Plan(fault, times=3, matching=content))

    assert storage.stage_in(uri).read_bytes() == CONTENT
    plan.done = 0
    assert storage.read_bytes(uri) == CONTENT
    assert plan.done == 3


@pytest.mark.parametrize("fault", ["status 503", "reset"])
def test_every_retry_is_logged_with_the_time_left(fault, remote, caplog):
    uri = put(remote.uri)
    assert caplog.messages == []

    remote.fail(Plan(fault, times=2, matching=content))
    storage.read_bytes(uri)

    assert len(caplog.messages) == 2
    for attempt, message in enumerate(caplog.messages, 1):
        expected = rf"{uri}: attempt {attempt} of reading failed: .+\. Retrying for another (10|9) s\."
        assert re.fullmatch(expected, message)


@pytest.mark.parametrize("fault", READ_FAULTS)
def test_requests_about_objects_survive_faults(fault, remote):
    uri = put(remote.uri)
    remote.fail(Plan(fault, times=2))

    assert storage.stat(uri).size == len(CONTENT)
    assert storage.exists(uri)


def test_a_damaged_transfer_is_logged_and_repeated(remote, caplog):
    uri = put(remote.uri)
    remote.fail(Plan("flip", times=2, matching=content))

    assert storage.stage_in(uri).read_bytes() == CONTENT
    assert len(caplog.messages) == 2
    for attempt, message in enumerate(caplog.messages, 1):
        assert re.fullmatch(rf"{uri}: the content that .* Attempt {attempt} of 4 to read it .*", message)


def fail_locks(times: int, code: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the first locks of files fail. Return the growing list of failures."""
    lock = fcntl.flock
    failures: list[int] = []

    def flock(descriptor: int, kind: int) -> None:
        if len(failures) < times:
            failures.append(code)
            raise OSError(code, os.strerror(code))
        lock(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(yt8m.storage.remote, "WAIT_SECONDS", 0.01)
    return failures


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT])
def test_a_shared_volume_may_fail_for_a_moment(code, remote, caplog, monkeypatch):
    uri = put(remote.uri)
    failures = fail_locks(2, code, monkeypatch)

    assert storage.stage_in(uri).read_bytes() == CONTENT
    assert len(failures) == len(caplog.messages) == 2
    assert f"{uri}: its copy in {os.environ['YT8M_CACHE_DIR']} failed ({os.strerror(code)})." in caplog.messages[0]


def test_a_volume_that_keeps_failing_is_named_after_four_attempts(remote, monkeypatch):
    uri = put(remote.uri)
    failures = fail_locks(1000, errno.EIO, monkeypatch)

    with pytest.raises(StorageError, match=rf"{uri}: its copy in .* failed .*tried 4 times"):
        storage.stage_in(uri)
    assert len(failures) == 4


@pytest.mark.parametrize("fault", [fault for fault in READ_FAULTS if fault != "flip"])
def test_listing_survives_faults(fault, remote):
    uri = put(remote.uri)
    remote.fail(Plan(fault, times=2))

    assert storage.list_uris(storage.join(remote.uri, "*")) == [uri]


@pytest.mark.parametrize("fault", FAULTS)
def test_writing_survives_faults(fault, remote):
    plan = remote.fail(Plan(fault, times=2, matching=writing))

    uri = put(remote.uri)

    assert plan.done
    remote.proxy.plan = None
    assert storage.read_bytes(uri) == CONTENT


@pytest.mark.parametrize("fault", ["status 503", "reset", "reset after"])
def test_removing_survives_faults(fault, remote):
    uris = [put(remote.uri), put(remote.uri, "other")]
    plan = remote.fail(Plan(fault, times=2))

    storage.remove(uris)

    assert plan.done == 2
    assert storage.list_files(remote.uri) == []


@pytest.mark.parametrize("fault", ["status 503", "reset", "flip sent"])
def test_uploads_in_several_requests_survive_faults(fault, remote, monkeypatch):
    data = bytes(range(256)) * (40 << 10)
    monkeypatch.setattr(s3, "PART_BYTES", 5 << 20)
    remote.fail(Plan(fault, times=1, matching=writing))

    assert storage.read_bytes(put(remote.uri, data=data)) == data


@pytest.mark.parametrize("fault", ["status 429", "cut", "reset", "flip"])
def test_one_damaged_range_among_many_is_noticed(fault, remote, monkeypatch):
    uri = put(remote.uri)
    monkeypatch.setattr(ranges, "RANGE_BYTES", 2000)
    plan = remote.fail(Plan(fault, times=1, matching=content))

    assert storage.stage_in(uri).read_bytes() == CONTENT
    assert plan.done == 1


def test_content_that_always_arrives_damaged_is_never_used(remote):
    uri = put(remote.uri)
    remote.fail(Plan("flip", times=1000, matching=content))

    for operation in (storage.stage_in, storage.read_bytes):
        with pytest.raises(
            StorageError, match=rf"{uri}: the content that arrived does not have crc32c .*tried 4 times"
        ):
            operation(uri)
    assert files_in_cache() == []


@pytest.mark.parametrize("fault", ["status 503", "reset", "cut"])
def test_after_the_deadline_the_error_is_complete_and_no_file_is_left(fault, remote, monkeypatch):
    uri = put(remote.uri)
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", "0.5")
    remote.fail(Plan(fault, times=1000, matching=content))

    with pytest.raises(StorageError, match=rf"{uri}: reading failed \(\d+ attempts in \d s\): .*YT8M_STORAGE_DEADLINE"):
        storage.stage_in(uri)
    assert files_in_cache() == []


@pytest.mark.parametrize("fault", ["status 503", "reset", "flip sent"])
def test_an_upload_that_fails_permanently_leaves_the_old_object(fault, remote, monkeypatch):
    uri = storage.join(remote.uri, "file")
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", "0.5")
    remote.fail(Plan(fault, times=1000, matching=writing))

    with pytest.raises(StorageError, match=rf"{uri}: writing failed \(\d+ attempts in \d s\)"):
        put(remote.uri)
    assert not storage.exists(uri)


def test_denied_access_is_not_retried(remote):
    uri = put(remote.uri)
    plan = remote.fail(Plan("status 403", times=1000))

    with pytest.raises(StorageError, match=rf"{uri}: reading failed \(1 attempt\).* Give th"):
        storage.stage_in(uri)
    assert plan.done == 1


def test_an_object_that_is_rewritten_during_the_download_is_read_again(remote):
    uri = put(remote.uri)
    later = CONTENT[::-1]
    asked: list[str] = []

    def write_anew(method: str, path: str, size: int) -> bool:
        """Rewrite the object after its metadata was fetched and before it is read."""
        asked.append(path)
        if len(asked) == 1:
            put(remote.uri, data=later)
        return False

    remote.fail(Plan("cut", times=1, matching=write_anew))

    assert storage.stage_in(uri).read_bytes() == later


@pytest.mark.parametrize("text", ["soon", "0", "-1"])
def test_an_invalid_deadline_is_refused(text, remote, monkeypatch):
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", text)
    with pytest.raises(StorageError, match=f"YT8M_STORAGE_DEADLINE: expected a positive number of seconds.*'{text}'"):
        storage.stat(remote.uri)
