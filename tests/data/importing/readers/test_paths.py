"""Files of the given paths, and features that are joined from several."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.sources import read, some_videos, write_npy_folders
from yt8m.data.importing.readers.paths import PathList, expand, split_names
from yt8m.errors import DataError, StorageError


def save(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ones((2, 3)))
    return path


def test_order_is_that_of_names(tmp_path: Path) -> None:
    paths = [str(save(tmp_path / each)) for each in ("b/1.npy", "a/2.npy", "a/1.npy", "ä/0.npy")]
    expected = [paths[3], paths[2], paths[0], paths[1]]
    assert list(expand([str(tmp_path)])) == expected
    assert list(expand([*paths, str(tmp_path)])) == expected
    assert [each.endswith(("a/1.npy", "a/2.npy")) for each in expand([f"{tmp_path}/a/*.npy"])] == [True, True]


def test_path_that_exists_is_taken_as_it_is(tmp_path: Path) -> None:
    path = save(tmp_path / "my videos [final]=1" / "a [b]*.npy")
    save(tmp_path / "my videos [final]=1" / "c.npy")
    assert list(expand([str(path)])) == [str(path)]
    assert split_names([str(path)]) == {"": [str(path)]}
    assert [video.id for video in read(path.parent)] == ["a [b]*", "c"]


def test_hidden_and_other_files_of_folders(tmp_path: Path) -> None:
    save(tmp_path / "a.npy")
    (tmp_path / ".hidden.npy").write_bytes(b"")
    (tmp_path / "README.txt").write_text("text")
    assert list(expand([str(tmp_path)])) == [str(tmp_path / "a.npy")]


def test_paths_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file or folder of this name"):
        read(tmp_path / "none.npy")
    with pytest.raises(DataError, match="no file or folder of this name"):
        read("~nobody-has-this-name/none.npy")
    with pytest.raises(DataError, match="no file or folder of this name"):
        read(tmp_path / "*.npy")
    with pytest.raises(DataError, match="received an empty folder"):
        read(tmp_path)
    (tmp_path / "a.pkl").write_bytes(b"")
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(DataError, match=r"a: the name has no ending, .*Known: \.npy, \.npz"):
        read(tmp_path / "a")
    (tmp_path / "a").unlink()
    with pytest.raises(DataError, match=r"unknown format '\.pkl'. Known: \.npy, \.npz, \.parquet"):
        read(tmp_path / "a.pkl")
    with pytest.raises(DataError, match=r"received files such as .*a\.pkl"):
        read(tmp_path)
    save(tmp_path / "a.npy")
    (tmp_path / "b.csv").write_text("id,f0,f1\na,1,2\n")
    with pytest.raises(DataError, match=r"b\.csv: expected the format of .*a\.npy, npy, received csv. .*\*\.npy'"):
        read(tmp_path)
    with pytest.raises(DataError, match="expected NAME=PATH"):
        read(f"rgb={tmp_path}/a.npy", tmp_path / "a.npy")


def test_duplicate_ids_name_both_places(tmp_path: Path) -> None:
    first, second = save(tmp_path / "a" / "1.npy"), save(tmp_path / "b" / "1.npy")
    with pytest.raises(DataError, match=f"{second}: id '1' occurs twice, first in {first}"):
        read(tmp_path)


def test_list_of_many_paths_is_small() -> None:
    paths = PathList(f"/some/long/folder/of/features/video{index:08}.npy" for index in range(5000, 0, -1))
    assert (len(paths), paths[0], paths[4999]) == (
        5000, "/some/long/folder/of/features/video00000001.npy", "/some/long/folder/of/features/video00005000.npy",
    )  # fmt: skip
    assert paths[1:3] == [paths[1], paths[2]]
    assert (paths._names.nbytes + paths._indices.nbytes) / 5000 < 30


def test_features_of_several_folders(tmp_path: Path) -> None:
    videos = some_videos()
    sources = write_npy_folders(tmp_path, videos)
    found = read(*reversed(sources))
    assert [(video.id, list(video.features)) for video in found] == [(each, ["audio", "rgb"]) for each in videos]
    np.testing.assert_array_equal(found[2].features["rgb"], videos["clip002"]["rgb"])


def test_names_of_files_that_end_with_the_feature(tmp_path: Path) -> None:
    for name, size in (("rgb", 3), ("audio", 2)):
        for video in "ab":
            np.save(tmp_path / f"{video}_{name}.npy", np.ones((2, size)))
    videos = read(f"rgb={tmp_path}/*_rgb.npy", f"audio={tmp_path}/*_audio.npy")
    assert [(video.id, len(video.features)) for video in videos] == [("a", 2), ("b", 2)]
    assert [video.id for video in read(f"{tmp_path}/*_rgb.npy")] == ["a_rgb", "b_rgb"]


def test_features_that_do_not_fit(tmp_path: Path) -> None:
    sources = write_npy_folders(tmp_path, some_videos())
    np.save(tmp_path / "audio" / "clip002.npy", np.ones((7, 2)))
    with pytest.raises(
        DataError, match=r"video 'clip002': expected equal numbers of frames .*, received rgb 3 .*, audio 7"
    ):
        read(*sources)
    np.save(tmp_path / "audio" / "clip002.npy", np.ones((3, 1)))
    with pytest.raises(DataError, match=r"audio/clip002\.npy: audio: expected 2 values per frame, .*, received 1"):
        read(*sources)
    (tmp_path / "audio" / "clip002.npy").unlink()
    with pytest.raises(DataError, match=r"rgb/clip002\.npy: video 'clip002' has the feature 'rgb' and lacks 'audio'"):
        read(*sources)
    (tmp_path / "rgb" / "clip002.npy").unlink()
    np.save(tmp_path / "audio" / "clip009.npy", np.ones((1, 2)))
    with pytest.raises(DataError, match="video 'clip009' has the feature 'audio' and lacks 'rgb'"):
        read(*sources)


def test_features_in_different_orders(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,f0,f1\na,1,2\nb,1,2\n")
    (tmp_path / "b.csv").write_text("id,f0,f1\nb,1,2\na,1,2\n")
    with pytest.raises(DataError, match=r"video 'a' is at the place of 'b' .* Sort both by id"):
        read(f"rgb={tmp_path}/a.csv", f"audio={tmp_path}/b.csv")


def test_folders_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.npy")
    save(tmp_path / "locked" / "b.npy")
    listed = os.scandir

    def scandir(folder: str) -> Any:
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied", folder)
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(StorageError, match="locked: the folder cannot be read: Permission denied"):
        expand([str(tmp_path)])
