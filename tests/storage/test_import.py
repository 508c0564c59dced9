"""Imported data sets in object stores: the description comes last, and what an interrupted upload left is replaced."""

import pytest

from tests.support.own_videos import OwnVideos
from yt8m import storage
from yt8m.data.description import DatasetDescription
from yt8m.data.importing.dataset import import_dataset
from yt8m.data.importing.target import ImportConfig
from yt8m.errors import DataError


@pytest.mark.parametrize("remote", ["s3", pytest.param("gs", marks=pytest.mark.slow)], indirect=True)
def test_a_data_set_is_imported_completed_and_not_replaced(remote, tmp_path):
    import_dataset(OwnVideos(30), None, ImportConfig(), str(tmp_path / "local"))
    local = {path.name: path.read_bytes() for path in (tmp_path / "local").iterdir()}
    with storage.open_atomic(f"{remote.uri}/train0009.tfrecord") as file:
        file.write(b"left by an interrupted import")
    report = import_dataset(OwnVideos(30), None, ImportConfig(), remote.uri)
    assert not report.was_complete
    names = [uri.removeprefix(f"{remote.uri}/") for uri in storage.list_uris(f"{remote.uri}/*")]
    assert {name: storage.read_bytes(f"{remote.uri}/{name}") for name in names} == local
    assert DatasetDescription.in_folder(remote.uri) == report.description
    assert import_dataset(OwnVideos(30), None, ImportConfig(), remote.uri).was_complete
    with pytest.raises(DataError, match="holds another data set"):
        import_dataset(OwnVideos(31), None, ImportConfig(), remote.uri)


def test_other_objects_are_not_touched(remote):
    with storage.open_atomic(f"{remote.uri}/mine.txt") as file:
        file.write(b"mine")
    with pytest.raises(DataError, match=r"holds other files, such as mine\.txt"):
        import_dataset(OwnVideos(30), None, ImportConfig(), remote.uri)
    assert storage.read_bytes(f"{remote.uri}/mine.txt") == b"mine"
