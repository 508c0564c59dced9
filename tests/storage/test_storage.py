import os
from pathlib import Path
from typing import IO

import pytest

from tests.support.paths import names_in
from yt8m import storage
from yt8m.errors import StorageError


def write_and_fail(file: IO[str]) -> None:
    file.write("new")
    raise ZeroDivisionError


def touch_and_fail(path: Path) -> None:
    path.touch()
    raise ZeroDivisionError


def test_lists_matching_files_sorted_and_absolute(tmp_path, monkeypatch):
    for name in ("b.tfrecord", "a.tfrecord", "c.txt", "deep/d.tfrecord"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "folder.tfrecord").mkdir()
    monkeypatch.chdir(tmp_path)

    assert storage.list_uris("*.tfrecord") == [str(tmp_path / "a.tfrecord"), str(tmp_path / "b.tfrecord")]
    assert str(tmp_path / "deep/d.tfrecord") in storage.list_uris(f"file://{tmp_path}/**/*.tfrecord")
    assert storage.list_uris(tmp_path / "a.tfrecord") == [str(tmp_path / "a.tfrecord")]
    assert storage.list_uris("nothing*") == []


def test_lists_all_files_below_a_folder_with_size_and_time(tmp_path):
    for name in ("b", ".hidden", "deep/er/file"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, (1000, 2000))
    (tmp_path / "link").symlink_to(tmp_path / "deep")

    found = storage.list_files(tmp_path)

    expected = [(str(tmp_path / name), len(name), 2000.0) for name in (".hidden", "b", "deep/er/file")]
    assert [(each.uri, each.size, each.changed) for each in found] == expected
    assert storage.list_files(tmp_path / "missing") == []


def test_removes_files_and_the_folders_that_become_empty(tmp_path):
    for name in ("stays/file", "stays/gone", "goes/with/file"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    storage.remove(str(tmp_path / name) for name in ("stays/gone", "goes/with/file", "missing/file"))

    assert names_in(tmp_path) == ["stays"]
    assert names_in(tmp_path / "stays") == ["file"]


def test_an_atomic_file_appears_only_when_complete(tmp_path):
    target = tmp_path / "new" / "file.bin"

    with storage.open_atomic(target) as file:
        file.write(b"whole")
        assert not target.exists()

    assert storage.read_bytes(target) == b"whole"
    assert names_in(target.parent) == ["file.bin"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")

    with pytest.raises(ZeroDivisionError), storage.open_atomic(target, "w") as file:
        write_and_fail(file)

    assert storage.read_text(target) == "old"
    assert names_in(tmp_path) == ["file.txt"]


def test_a_file_written_by_path_is_published_atomically(tmp_path):
    target = tmp_path / "below" / "shard"
    with storage.publish_file(target) as path:
        path.write_bytes(b"records")
        assert not target.exists()

    assert target.read_bytes() == b"records"
    assert names_in(target.parent) == ["shard"]


def test_new_files_and_folders_have_the_usual_permissions(tmp_path):
    with storage.open_atomic(tmp_path / "atomic") as file:
        file.write(b"")
    with storage.publish_directory(tmp_path / "published"):
        pass
    (tmp_path / "plain").touch()
    (tmp_path / "folder").mkdir()

    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert (tmp_path / "published").stat().st_mode == (tmp_path / "folder").stat().st_mode


def test_a_published_folder_replaces_the_old_one_completely(tmp_path):
    target = tmp_path / "model"
    for content in ("first", "second"):
        with storage.publish_directory(target) as folder:
            (folder / content).write_text(content)
            assert not (target / content).exists()

    assert names_in(target) == ["second"]
    assert names_in(tmp_path) == ["model"]


def test_a_failed_publication_leaves_the_old_folder_and_nothing_else(tmp_path):
    target = tmp_path / "model"
    with storage.publish_directory(target) as folder:
        (folder / "old").touch()

    with pytest.raises(ZeroDivisionError), storage.publish_directory(target) as folder:
        touch_and_fail(folder / "new")

    assert names_in(target) == ["old"]
    assert names_in(tmp_path) == ["model"]


def test_the_fingerprint_changes_when_content_is_rewritten(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = storage.stat(path)
    os.utime(path, ns=(before.size, 12345))
    path_after = storage.stat(path)

    assert before.size == path_after.size == 3
    assert before.fingerprint != path_after.fingerprint


@pytest.mark.parametrize("operation", [storage.stat, storage.read_bytes, storage.read_text, storage.stage_in])
def test_errors_name_the_missing_file(operation, tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(StorageError, match=f"{missing}: there is no such file"):
        operation(missing)


def test_a_binary_file_read_as_text_is_named(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(StorageError, match="binary: not a text file"):
        storage.read_text(tmp_path / "binary")


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file/below"), storage.open_atomic(tmp_path / "file" / "below"):
        pass


def test_an_unknown_kind_of_storage_lists_the_known_ones():
    with pytest.raises(StorageError, match="unknown kind of storage 'ftp'"):
        storage.list_uris("ftp://host/*")


def test_join_puts_one_slash_between_parts():
    assert storage.join("gs://bucket/a/", "/b/", "c") == "gs://bucket/a/b/c"
    assert storage.join(Path("/root/x"), "y") == "/root/x/y"


@pytest.mark.parametrize(
    ("uri", "folder"),
    [("/data/a.tfrecord", "/data"), ("gs://bucket/x/a.tfrecord", "gs://bucket/x"), ("a.tfrecord", "")],
)
def test_the_folder_of_a_file_is_all_before_its_name(uri: str, folder: str) -> None:
    assert storage.folder_of(uri) == folder
