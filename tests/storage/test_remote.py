"""Behavior of all object stores."""

import time

import pytest

from yt8m import storage
from yt8m.errors import StorageError
from yt8m.storage import ranges, s3
from yt8m.storage import remote as remote_store


def put(folder: str, name: str, content: bytes = b"content") -> str:
    uri = storage.join(folder, name)
    with storage.open_atomic(uri) as file:
        file.write(content)
    return uri


def divide_by_zero(_: int) -> None:
    raise ZeroDivisionError


def test_written_content_is_read_back(remote):
    uri = put(remote.uri, "below/file.bin", b"\x00\x01" * 1000)

    assert storage.exists(uri)
    assert storage.read_bytes(uri) == b"\x00\x01" * 1000
    assert storage.stage_in(uri).read_bytes() == b"\x00\x01" * 1000
    assert storage.stage_in(uri).name.endswith("-file.bin")
    assert storage.stat(uri).size == 2000
    with storage.open_atomic(uri, "w") as file:
        file.write("Text, ü")
    assert storage.read_text(uri) == "Text, ü"
    assert storage.stage_in(uri).read_bytes() == "Text, ü".encode()


def test_empty_files_are_files(remote):
    uri = put(remote.uri, "empty", b"")

    assert storage.read_bytes(uri) == b""
    assert storage.stage_in(uri).read_bytes() == b""


def test_lists_matching_objects_sorted(remote):
    names = ("b.tfrecord", "a.tfrecord", "c.txt", "deep/d.tfrecord", "deep/er/e.tfrecord", ".hidden.tfrecord")
    uris = {name: put(remote.uri, name) for name in names}

    def listed(pattern: str) -> list[str]:
        return storage.list_uris(storage.join(remote.uri, pattern))

    assert listed("*.tfrecord") == [uris["a.tfrecord"], uris["b.tfrecord"]]
    assert listed("?.t*") == [uris["a.tfrecord"], uris["b.tfrecord"], uris["c.txt"]]
    assert listed("[!a]*.tfrecord") == [uris["b.tfrecord"]]
    assert listed("**/*.tfrecord") == [
        uris[name] for name in ("a.tfrecord", "b.tfrecord", "deep/d.tfrecord", "deep/er/e.tfrecord")
    ]
    assert listed("deep/d.tfrecord") == [uris["deep/d.tfrecord"]]
    assert listed("d") == []


def test_a_folder_exists_if_it_holds_an_object(remote):
    put(remote.uri, "folder/file")

    assert storage.exists(remote.uri)
    assert storage.exists(storage.join(remote.uri, "folder"))
    assert not storage.exists(storage.join(remote.uri, "fold"))
    assert not storage.exists(storage.join(remote.uri, "folder/fil"))


def test_the_fingerprint_changes_with_the_content(remote):
    first = storage.stat(put(remote.uri, "file", b"one"))
    second = storage.stat(put(remote.uri, "file", b"two"))

    assert first.size == second.size
    assert first.fingerprint != second.fingerprint


def test_changed_content_is_staged_in_again(remote):
    first = storage.stage_in(put(remote.uri, "file", b"one"))
    second = storage.stage_in(put(remote.uri, "file", b"two"))

    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")


def test_large_objects_are_read_in_parallel_ranges(remote, monkeypatch):
    content = bytes(range(256)) * 1000
    uri = put(remote.uri, "large", content)
    monkeypatch.setattr(ranges, "RANGE_BYTES", 10_000)
    remote.proxy.requests.clear()

    assert storage.stage_in(uri).read_bytes() == content
    assert sum(method == "GET" and "list" not in path for method, path in remote.proxy.requests) >= 26
    assert storage.read_bytes(uri) == content


def test_a_second_stage_in_fetches_nothing(remote):
    uri = put(remote.uri, "file")
    storage.stage_in(uri)
    remote.proxy.requests.clear()

    storage.stage_in(uri)

    assert len(remote.proxy.requests) == 1  # for the metadata of the object


def test_large_objects_are_uploaded_whole(remote, monkeypatch):
    content = bytes(range(256)) * (40 << 10)  # 10 MB, which takes several requests to Google's store
    monkeypatch.setattr(s3, "PART_BYTES", 5 << 20)
    uri = put(remote.uri, "large", content)

    assert storage.read_bytes(uri) == content


def test_an_exception_in_the_body_uploads_nothing(remote):
    uri = storage.join(remote.uri, "file")

    with pytest.raises(ZeroDivisionError), storage.open_atomic(uri) as file:
        divide_by_zero(file.write(b"half"))

    assert not storage.exists(uri)


@pytest.mark.parametrize("operation", [storage.stat, storage.read_bytes, storage.read_text, storage.stage_in])
def test_errors_name_the_missing_object(operation, remote):
    missing = storage.join(remote.uri, "missing")
    with pytest.raises(StorageError, match=f"{missing}: there is no such object"):
        operation(missing)


def test_a_missing_bucket_is_named(remote):
    elsewhere = remote.uri.replace("yt8m-test", "yt8m-elsewhere")
    with pytest.raises(StorageError, match="yt8m-elsewhere"):
        storage.list_uris(f"{elsewhere}/*")
    assert not storage.exists(f"{elsewhere}/file")


@pytest.mark.parametrize("scheme", ["gs", "s3"])
def test_a_uri_needs_bucket_and_name(scheme, quick_storage):
    with pytest.raises(StorageError, match=f"the bucket is missing. Write {scheme}://BUCKET/NAME"):
        storage.list_uris(f"{scheme}:///name")
    with pytest.raises(StorageError, match="the object's name is missing"), storage.open_atomic(f"{scheme}://bucket/"):
        pass


def test_a_folder_upload_copies_changed_files_only(remote, tmp_path):
    (tmp_path / "train").mkdir()
    log = tmp_path / "train" / "events"
    log.write_bytes(b"one")
    upload = storage.FolderUpload(tmp_path, remote.uri)

    assert upload.update() == 1
    assert upload.update() == 0
    log.write_bytes(b"one, two")
    assert upload.update() == 1
    assert storage.read_bytes(storage.join(remote.uri, "train/events")) == b"one, two"


def test_lists_all_files_below_a_folder_with_size_and_time(remote):
    start = time.time()
    uris = [put(remote.uri, name, name.encode()) for name in (".hidden", "a", "deep/er/file")]
    put(f"{remote.uri}-beside", "file")

    found = storage.list_files(remote.uri)

    assert [(each.uri, each.size) for each in found] == list(zip(uris, (7, 1, 12), strict=True))
    assert all(start - 60 < each.changed < time.time() + 60 for each in found)
    assert storage.list_files(f"{remote.uri}/dee") == []


def test_removes_these_objects_and_no_others(remote, monkeypatch):
    monkeypatch.setattr(remote_store, "_REMOVED_TOGETHER", 3)
    gone = [put(remote.uri, f"folder/{number}", b"") for number in range(7)]
    stays = put(remote.uri, "folder/1-beside")

    storage.remove([storage.join(remote.uri, "folder/never"), *gone])
    storage.remove(gone)
    storage.remove([])

    assert [each.uri for each in storage.list_files(remote.uri)] == [stays]
