"""Own videos and labels that are read from object stores."""

from pathlib import Path

import pytest

from tests.support.sources import read, some_videos, write_npz_files, write_parquet
from yt8m import storage
from yt8m.data.importing.labels import read_labels
from yt8m.errors import DataError


def upload(path: Path, uri: str) -> None:
    with storage.open_atomic(uri) as file:
        file.write(path.read_bytes())


def test_folders_patterns_and_files(remote, tmp_path):
    videos = some_videos()
    for path in write_npz_files(tmp_path / "npz", videos).iterdir():
        upload(path, f"{remote.uri}/npz/{path.name}")
    upload(write_parquet(tmp_path / "x.parquet", videos), f"{remote.uri}/x.parquet")
    for source in (f"{remote.uri}/npz", f"{remote.uri}/npz/*.npz", f"{remote.uri}/x.parquet"):
        found = read(source)
        assert [video.id for video in found] == list(videos)
        assert all(video.where.startswith(remote.uri) for video in found)
        assert found[2].features["rgb"].tolist() == videos["clip002"]["rgb"].tolist()
    with pytest.raises(DataError, match="no file or folder of this name"):
        read(f"{remote.uri}/none")


def test_labels(remote, tmp_path):
    (tmp_path / "labels.csv").write_text("id,labels\na,x|y\n")
    upload(tmp_path / "labels.csv", f"{remote.uri}/labels.csv")
    assert read_labels(f"{remote.uri}/labels.csv").get("a") == ("x", "y")
