"""Names with special letters, and what a path or pattern without usable files is told."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.conftest import RemoteFolder
from yt8m import storage
from yt8m.errors import StorageError

NAMES = [
    "Title [dQw4w9WgXcQ].tfrecord",
    "100% #1 {a,b} 'x'.tfrecord",
    "what? really*.tfrecord",
    "Été & mer.tfrecord",
    "-leading.tfrecord",
    "~tilde.tfrecord",
    "trailing ",
    "two\nlines",
    "[!a-z]",
]


def write(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return str(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_exists_is_taken_as_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbors that the name would match as a pattern are not taken."""
    write(tmp_path / "Title d.tfrecord")
    write(tmp_path / "what1 really1.tfrecord")
    file = write(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    assert storage.find_files(file) == storage.find_files(name) == ([file], "")
    assert file in storage.list_uris(str(tmp_path / "*"))


@pytest.mark.parametrize("name", [*NAMES, "**"])
def test_leading_folders_that_exist_are_names(name: str, tmp_path: Path) -> None:
    file = write(tmp_path / name / "deep [1]" / "a.tfrecord")
    write(tmp_path / "x" / "deep 1" / "a.tfrecord")

    for pattern in ("*.tfrecord", "[a].tfrecord", "a.tfrecord"):
        assert storage.list_uris(str(tmp_path / name / "deep [1]" / pattern)) == [file]
    assert storage.list_uris(str(tmp_path / name / "**")) == [file]


def test_behind_the_first_pattern_everything_is_a_pattern(tmp_path: Path) -> None:
    named, other = write(tmp_path / "a" / "v[1]" / "x"), write(tmp_path / "a" / "v1" / "x")

    assert storage.list_uris(str(tmp_path / "*" / "v[1]" / "x")) == [other]
    assert storage.list_uris(str(tmp_path / "*" / "v[[]1]" / "x")) == [named]
    assert storage.list_uris(str(tmp_path / "v[1]" / "x")) == []


def test_the_same_rules_hold_in_object_stores(remote: RemoteFolder) -> None:
    def put(name: str) -> str:
        uri = storage.join(remote.uri, name)
        with storage.open_atomic(uri) as file:
            file.write(b"x")
        return uri

    def listed(pattern: str) -> list[str]:
        return storage.list_uris(storage.join(remote.uri, pattern))

    named, other = put("my [1]/T [abc].tfrecord"), put("my 1/T a.tfrecord")
    put("my [1]-more/x")
    put("s*")
    put("s1")

    assert listed("my [1]/T [abc].tfrecord") == listed("my [1]/*.tfrecord") == listed("my [1]/**") == [named]
    assert listed("m*/T [abc].tfrecord") == [other]
    assert listed("my [2]/*") == []
    assert listed("s*") == [storage.join(remote.uri, "s*")]
    folder = storage.find_files(storage.join(remote.uri, "my [1]"), "shard", ".tfrecord")
    assert folder == ([], f"'{remote.uri}/my [1]' is a folder. Give its shards: '{remote.uri}/my [1]/*.tfrecord'.")
    assert "no file matches" in storage.find_files(storage.join(remote.uri, "missing*")).problem
    assert "no such bucket" in storage.find_files(f"{remote.uri.partition('://')[0]}://missing-bucket/x*").problem


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def make_broken_link(path: Path) -> None:
    path.symlink_to("gone")


def make_circle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_pipe, "is a named pipe"),
        (make_socket, "is a socket"),
        (make_broken_link, "cannot be followed to 'gone' (No such file or directory)"),
        (make_circle, "(Too many levels of symbolic links)"),
    ],
)
def test_what_is_no_file_is_told_by_its_kind(
    make: Callable[[Path], None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    write(tmp_path / "b [1]")
    make(Path("a [1]"))

    assert said in storage.find_files("a [1]").problem
    assert said in storage.find_files("*").problem
    for read in (storage.read_bytes, storage.stage_in):
        with pytest.raises(StorageError):
            read("a [1]")


def test_a_file_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    assert f"'{file}' cannot be read: permission denied" in storage.find_files(file).problem
    assert "the folder '/' cannot be entered" in storage.find_files(f"{file}b").problem


def test_what_does_not_exist_is_told_with_the_likely_reason(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tfrecord")
    write(tmp_path / "Été")
    (tmp_path / "f [1]").mkdir()

    def problem(name: str) -> str:
        found = storage.find_files(f"{tmp_path}/{name}", "shard", ".tfrecord")
        assert not found.uris
        return found.problem

    assert problem("f [1]") == f"'{tmp_path}/f [1]' is a folder. Give its shards: '{tmp_path}/f [1]/*.tfrecord'."
    assert "matches only folders" in problem("f*")
    assert f"'{file}' is a file, not a folder" in problem("a.tfrecord/b")
    assert "write [[] for a [ in a name" in problem("* [id].tfrecord")
    assert "another Unicode form of the same letters (NFC)" in problem("E\u0301te\u0301")
    assert "no shard matches" in problem("x" * 300)
    assert "Check the path" in problem("missing")


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    write(tmp_path / os.fsdecode(b"caf\xe9"))
    assert "the name is not valid UTF-8" in storage.find_files(f"{tmp_path}/*").problem


def test_spellings_of_one_path_have_one_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a" / "shard")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    monkeypatch.chdir(tmp_path)

    spellings = [file, "a/shard", "b/shard", "a/../b/shard", f"file://{file}"]
    assert {storage.identity(spelling) for spelling in spellings} == {os.path.realpath(file)}
    assert storage.identity("gs://bucket/a/../b") == "gs://bucket/a/../b"


def test_names_in_another_case_are_told_and_a_pattern_is_not_asked_for_one(tmp_path: Path) -> None:
    file = write(tmp_path / "TRAIN0.TFRECORD")
    found = storage.find_files(f"{tmp_path}/train*", "shard", ".tfrecord")
    assert found.problem.endswith(f"Upper and lower case differ: there is {file}. Write the name as it is.")
    assert storage.find_files(f"{tmp_path}/test*", "shard", ".tfrecord").problem.endswith("Check the path.")
    assert storage.find_files(f"{tmp_path}/test", "shard", ".tfrecord").problem.endswith("a pattern needs * or ?.")
