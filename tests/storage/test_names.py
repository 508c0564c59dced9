"""Files with names as long as a file system allows, and names that are derived from them."""

from pathlib import Path

import pytest

from tests.storage.conftest import RemoteFolder
from tests.support.paths import names_in
from yt8m import storage
from yt8m.storage.names import fitting_name

LONGEST = ["a" * 246 + ".tfrecord", "é" * 123 + ".tfrecord", "語" * 82 + ".tfrecord", "🎬" * 61 + ".tfrecord"]


def test_names_that_fit_stay_as_they_are() -> None:
    for name in ("short", *LONGEST):
        assert fitting_name(name) == name


@pytest.mark.parametrize("name", LONGEST)
def test_longer_names_are_cut_to_whole_letters_and_stay_different(name: str) -> None:
    first, second = (fitting_name(f"{number}-{name}.csv", 30) for number in ("1-" + "x" * 30, "1-" + "x" * 29 + "y"))
    assert first != second
    for each in (first, second):
        assert len(each.encode()) <= 225
        assert len(each.encode()) > 220
        assert each.endswith(".csv")
        assert "\ufffd" not in each


@pytest.mark.parametrize("name", LONGEST)
@pytest.mark.parametrize("publish", ["publish_file", "publish_directory"])
def test_files_and_folders_with_the_longest_names_are_published(name: str, publish: str, tmp_path: Path) -> None:
    for _ in range(2):  # the second one replaces the first
        with getattr(storage, publish)(tmp_path / name):
            pass
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize("name", LONGEST)
def test_objects_with_long_names_are_written_and_read(name: str, remote: RemoteFolder) -> None:
    uri = storage.join(remote.uri, name)
    with storage.open_atomic(uri) as file:
        file.write(b"x")
    assert storage.stage_in(uri).read_bytes() == b"x"
    assert storage.list_uris(storage.join(remote.uri, "*.tfrecord")) == [uri]
