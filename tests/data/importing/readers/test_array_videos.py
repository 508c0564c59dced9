"""Videos in NumPy's and HDF5 files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.support.sources import read, some_videos, write_npz_files
from yt8m.errors import DataError

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_vector_per_file(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", VALUES[1])
    np.save(tmp_path / "a.b.npy", VALUES[0])
    videos = read(tmp_path)
    assert [(video.id, video.where) for video in videos] == [
        ("a.b", f"{tmp_path}/a.b.npy"),
        ("b", f"{tmp_path}/b.npy"),
    ]
    np.testing.assert_array_equal(videos[1].features["features"], [[4, 5, 6, 7]])


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "i2", "i8", "?"])
@pytest.mark.parametrize("convert", [np.ascontiguousarray, np.asfortranarray])
def test_types_and_orders_of_numbers(tmp_path: Path, dtype: str, convert: Callable) -> None:
    values = convert(VALUES.astype(dtype))
    np.save(tmp_path / "x.npy", values)
    videos = read(tmp_path / "x.npy", layout="row")
    assert [(video.id, video.where) for video in videos] == [
        (str(row), f"{tmp_path}/x.npy: row {row}") for row in range(3)
    ]
    np.testing.assert_array_equal(np.concatenate([video.features["features"] for video in videos]), values)
    (video,) = read(tmp_path / "x.npy", layout="file")
    assert video.id == "x"
    np.testing.assert_array_equal(video.features["features"], values)


def test_an_array_that_an_option_names_has_weights(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", v=VALUES, trust=np.array([0.5, 1.0, np.nan]))
    videos = read(tmp_path / "x.npz", layout="row", weight_column="trust")
    assert [(list(video.features), video.weight) for video in videos] == [(["v"], 0.5), (["v"], 1.0), (["v"], None)]
    (video,) = read(tmp_path / "x.npz", layout="file", features=("v",))
    assert video.weight is None
    np.savez(tmp_path / "y.npz", v=VALUES, trust=np.array(3))
    (video,) = read(tmp_path / "y.npz", layout="file", weight_column="trust")
    assert video.weight == 3


def test_bytes_have_two_meanings(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0, 255]], np.uint8))
    with pytest.raises(DataError, match=r"x\.npy: features: bytes .* --uint8 quantized .* --uint8 values"):
        read(tmp_path / "x.npy", layout="file")
    assert read(tmp_path / "x.npy", layout="file", uint8="values")[0].features["features"].tolist() == [[0, 255]]
    # YouTube-8M's formula: byte * 4 / 255 + 4 / 512 - 2.
    quantized = read(tmp_path / "x.npy", layout="file", uint8="quantized")[0].features["features"]
    np.testing.assert_allclose(quantized, [[-1.9921875, 2.0078125]])


def test_two_readings_of_one_array(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", VALUES)
    with pytest.raises(DataError, match=r"--layout row if it has 3 videos .* 4 values .* --layout file .* 3 frames"):
        read(tmp_path / "x.npy")


def test_an_array_per_video(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", clip1=VALUES, clip2=VALUES[:2])
    with pytest.raises(
        DataError, match=r"received clip1 \(3, 4\), clip2 \(2, 4\). If every array is a video, save a file"
    ):
        read(tmp_path / "x.npz")


def test_ids_of_rows_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", VALUES)
    (tmp_path / "ids.txt").write_text("clip b\nclip a\nclip c\n")
    np.save(tmp_path / "ids.npy", np.array([30, 10, 20]))
    assert [video.id for video in read(tmp_path / "x.npy", ids=str(tmp_path / "ids.txt"))] == [
        "clip b",
        "clip a",
        "clip c",
    ]
    assert [video.id for video in read(tmp_path / "x.npy", ids=str(tmp_path / "ids.npy"))] == ["30", "10", "20"]
    (tmp_path / "ids.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"x\.npy: row 2: no id is left in .*ids\.txt"):
        read(tmp_path / "x.npy", ids=str(tmp_path / "ids.txt"))
    (tmp_path / "ids.txt").write_text("a\nb\nc\nd\n")
    with pytest.raises(DataError, match=r"ids\.txt: expected an id for every video, received more: 'd'"):
        read(tmp_path / "x.npy", ids=str(tmp_path / "ids.txt"))


def test_several_stacked_files(tmp_path: Path) -> None:
    for part in (0, 1):
        np.save(tmp_path / f"part{part}.npy", np.stack([VALUES, VALUES + part]))
    videos = read(tmp_path)
    assert [video.id for video in videos] == ["part0:0", "part0:1", "part1:0", "part1:1"]
    np.testing.assert_array_equal(videos[3].features["features"], VALUES + 1)


def test_stacked_labels_and_groups(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "x.npz",
        ids=np.array([7, 8, 9]),
        rgb=VALUES,
        labels=np.array(["a", "b", "a"]),
        group=np.array([1, 1, 2]),
    )
    videos = read(tmp_path / "x.npz")
    assert [(video.id, video.labels, video.group) for video in videos] == [
        ("7", ("a",), "1"), ("8", ("b",), "1"), ("9", ("a",), "2"),
    ]  # fmt: skip


def test_multi_hot_labels(tmp_path: Path) -> None:
    labels = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    np.savez(tmp_path / "x.npz", ids=np.arange(3), rgb=VALUES, labels=labels)
    with pytest.raises(DataError, match=r"row 0: labels: 3 values that are all 0 or 1 .* --label-form multi_hot"):
        read(tmp_path / "x.npz")
    assert [video.labels for video in read(tmp_path / "x.npz", label_form="multi_hot")] == [(0, 2), (), (1,)]
    np.savez(tmp_path / "x.npz", ids=np.arange(3), rgb=VALUES, labels=labels.astype(bool))
    assert [video.labels for video in read(tmp_path / "x.npz")] == [(0, 2), (), (1,)]


def test_offsets(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", ids=np.array(["a", "b"]), rgb=VALUES, offsets=np.array([0, 2, 3]))
    assert [video.features["rgb"].tolist() for video in read(tmp_path / "x.npz")] == [
        VALUES[:2].tolist(),
        VALUES[2:].tolist(),
    ]
    np.savez(tmp_path / "x.npz", ids=np.array(["a", "b"]), rgb=VALUES, offsets=np.array([0, 2, 4]))
    with pytest.raises(DataError, match="rgb: expected 4 entries, the frames of all videos together"):
        read(tmp_path / "x.npz")


def test_batch_axis_of_one(tmp_path: Path) -> None:
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", VALUES[None])
    assert [video.features["features"].shape for video in read(tmp_path)] == [(3, 4), (3, 4)]


def test_hdf5_attributes_and_nested_groups(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for index, name in enumerate(("clip2", "clip1")):
            group = file.create_group(f"{name}/features")
            group["rgb"] = VALUES + index
            group.attrs["label"] = ["dog", "cat"][index]
    videos = read(tmp_path / "x.h5")
    assert [(video.id, video.labels, video.where) for video in videos] == [
        ("clip1", ("cat",), f"{tmp_path}/x.h5: /clip1/features"),
        ("clip2", ("dog",), f"{tmp_path}/x.h5: /clip2/features"),
    ]
    np.testing.assert_array_equal(videos[0].features["rgb"], VALUES + 1)


def test_hdf5_with_names_of_classes_beside_the_videos(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["class_names"] = ["x", "y"]
        for name in ("a", "b"):
            file[f"{name}/rgb"] = VALUES
    assert [video.id for video in read(tmp_path / "x.h5")] == ["a", "b"]


def test_ids_that_do_not_fit(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", ids=np.array(["a", "b"]), rgb=VALUES)
    with pytest.raises(DataError, match=r"x\.npz: ids: expected 3 entries, one for each video, .* shape \(2,\)"):
        read(tmp_path / "x.npz")


def test_features_that_are_chosen(tmp_path: Path) -> None:
    write_npz_files(tmp_path / "npz", some_videos())
    assert list(read(tmp_path / "npz", features=("audio", "rgb"))[0].features) == ["audio", "rgb"]
    assert list(read(tmp_path / "npz", features=("audio",))[0].features) == ["audio"]
    with pytest.raises(DataError, match=r"--feature: no array 'sound'. .*Known: audio, rgb"):
        read(tmp_path / "npz", features=("sound",))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{}, 1], dtype=object), "Python objects .pickle., which are never loaded"),
        (np.zeros((2, 2, 2, 2)), r"float64, shape \(2, 2, 2, 2\)"),
        (np.zeros((2, 2), complex), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.zeros((0, 4)), "no frames"),
        (np.zeros((4, 0)), r"the frames have no values: .* \(4, 0\)"),
        (np.zeros(2, [("x", "f4")]), "records"),
        (np.array([[0, np.nan]]), r"x\.npy: features: value 1 .* received NaN"),
        (np.array([[0, 1], [np.inf, 0]]), r"x\.npy: frame 1 .* features: value 0 .* an infinite one"),
        (np.array([[1e300, 0.0]]), r"received 1e\+300, which is too large for 32-bit floats"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / "x.npy", layout="file")
    assert str(tmp_path / "x.npy") in str(error.value)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.h5", "x.parquet"])
@pytest.mark.parametrize("content", [b"", b"no such format"])
def test_files_that_are_no_such_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}.*cannot be read as"):
        read(tmp_path / name)


def test_truncated_and_damaged_files(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 8)))
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content[:-9])
    with pytest.raises(DataError, match=r"x\.npy: .*The file is truncated"):
        read(tmp_path / "x.npy", layout="row")
    np.savez_compressed(tmp_path / "x.npz", ids=np.arange(90), rgb=np.random.default_rng(0).normal(size=(90, 9)))
    damaged = bytearray((tmp_path / "x.npz").read_bytes())
    damaged[2000:2010] = bytes(10)
    (tmp_path / "x.npz").write_bytes(damaged)
    with pytest.raises(DataError, match=r"x\.npz: rgb: cannot be read"):
        read(tmp_path / "x.npz")


def test_row_of_a_stacked_array(tmp_path: Path) -> None:
    values = np.zeros((5, 3, 2), np.float32)
    values[3, 1, 0] = np.nan
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(DataError, match=r"x\.npy: row 3: frame 1 .counted from 0.: features: value 0"):
        read(tmp_path / "x.npy")


def test_padding_of_a_file_is_left_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", rgb=VALUES, lengths=2)
    np.savez(tmp_path / "b.npz", rgb=VALUES[None], lengths=np.array([1.0]))
    np.savez(tmp_path / "c.npz", rgb=VALUES[0], lengths=1)
    found = {video.id: video.features["rgb"].tolist() for video in read(tmp_path, layout="file")}
    assert found == {"a": VALUES[:2].tolist(), "b": VALUES[:1].tolist(), "c": VALUES[:1].tolist()}


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"lengths": -1}, {"layout": "file"}, "lengths: expected the number of frames of the video, received -1"),
        ({"lengths": np.nan}, {"layout": "file"}, "lengths: expected the number of frames of the video, received nan"),
        ({"lengths": "two"}, {"layout": "file"}, "lengths: expected the number of frames of the video, received 'two'"),
        ({"offsets": ["a", "b"]}, {}, r"offsets: expected increasing offsets, received <U1 of the shape \(2,\)"),
        ({"offsets": [0, 3, 2]}, {}, "offsets: expected increasing offsets, received the length -1 in row 1"),
        ({"lengths": [1, -2]}, {}, "lengths: expected a length for every video, received the length -2 in row 1"),
        (
            {"times": [0, 1, 2]},
            {"layout": "file"},
            r"expected equal .* rgb of the shape \(\d, \d\), times .*--feature rgb",
        ),
        ({"fps": 25.0}, {"features": ("fps",)}, "--feature: expected an array .*, received the single value 'fps'"),
    ],
)
def test_numbers_of_frames_and_features_that_cannot_be_used(
    tmp_path: Path, arrays: dict, options: dict, message: str
) -> None:
    given: Any = {name: np.array(values) for name, values in arrays.items()}
    np.savez(tmp_path / "x.npz", rgb=VALUES, **given)
    with pytest.raises(DataError, match=rf"x\.npz: {message}"):
        read(tmp_path / "x.npz", **options)


def test_file_names_in_other_encodings(tmp_path: Path) -> None:
    np.save(os.fsdecode(bytes(tmp_path) + b"/clip\xff.npy"), VALUES)
    with pytest.raises(DataError, match=r"npy: id: expected text in UTF-8, received 'clip\\udcff'"):
        read(tmp_path, layout="file")
