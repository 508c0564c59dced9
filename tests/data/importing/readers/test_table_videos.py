"""Videos in Parquet and CSV files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.support.sources import read, some_videos, write_csv_frames, write_parquet
from yt8m.errors import DataError

TWO = [[1.0, 2.0], [3.0, 4.0]]


def parquet(folder: Path, **columns: object) -> Path:
    pa.parquet.write_table(pa.table(columns), folder / "x.parquet")
    return folder / "x.parquet"


def text(folder: Path, content: str, name: str = "x.csv") -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def test_labels_and_groups(tmp_path: Path) -> None:
    labels = [["a", "b"], None, [], ["a", "a"]]
    path = write_parquet(tmp_path / "x.parquet", some_videos(), labels=labels, group=["x", "x", "", None])
    assert [(video.labels, video.group, video.where) for video in read(path)] == [
        (("a", "b"), "x", f"{path}: row 1"),
        ((), "x", f"{path}: row 2"),
        ((), "", f"{path}: row 3"),
        (("a", "a"), "", f"{path}: row 4"),
    ]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.list_(pa.float16()), pa.large_list(pa.float64()), pa.list_(pa.int32(), 2)]
)
def test_types_of_lists(tmp_path: Path, kind: pa.DataType) -> None:
    path = parquet(tmp_path, id=[1.0, 2.0], v=pa.array([[1, 2], [3, 4]]).cast(pa.list_(pa.float32())).cast(kind))
    videos = read(path)
    assert [video.id for video in videos] == ["1", "2"]
    assert [video.features["v"].tolist() for video in videos] == [[each] for each in TWO]


def test_tensors(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    videos = read(parquet(tmp_path, id=["a", "b"], v=pa.FixedShapeTensorArray.from_numpy_ndarray(values)))
    np.testing.assert_array_equal(np.stack([video.features["v"] for video in videos]), values)


def test_numbered_columns(tmp_path: Path) -> None:
    path = parquet(
        tmp_path, **{"id": ["a"], "0": [1.0], "1": [2.0], "rgb_2": [5.0], "rgb_1": [4.0], "mp3": [1], "mp4": [2]}
    )
    (video,) = read(path)
    assert {name: values.tolist() for name, values in video.features.items()} == {"features": [[1, 2]], "rgb": [[4, 5]]}


def test_options_name_the_columns(tmp_path: Path) -> None:
    path = parquet(
        tmp_path, clip=["a", "a", "b"], at=[0.5, 1.0, 0.5], v=[*TWO, TWO[0]], w=[*TWO, TWO[0]], tag=["x", "x", "y"]
    )
    videos = read(path, id_column="clip", frame_column="at", features=("w",), labels_column="tag", group_column="tag")
    assert [(video.id, video.features["w"].tolist(), video.labels, video.group) for video in videos] == [
        ("a", TWO, ("x",), "x"),
        ("b", [TWO[0]], ("y",), "y"),
    ]


def test_a_column_that_an_option_names_has_weights(tmp_path: Path) -> None:
    path = text(tmp_path, "id,f0,f1,weight\na,1,2,0.5\nb,3,4,\nc,5,6,0\n")
    assert [video.weight for video in read(path, weight_column="weight")] == [0.5, None, 0.0]
    # The name of a column alone makes it no weight.
    assert [video.weight for video in read(path)] == [None] * 3
    frames = parquet(tmp_path, id=["a", "a", "b"], v=[*TWO, TWO[0]], trust=[2.0, 2.0, 1.0])
    assert [video.weight for video in read(frames, weight_column="trust", layout="frame")] == [2.0, 1.0]


@pytest.mark.parametrize("weight", ["-1", "inf", "high"])
def test_weights_that_are_no_factors_are_refused(tmp_path: Path, weight: str) -> None:
    path = text(tmp_path, f"id,f0,f1,weight\na,1,2,0.5\nb,3,4,{weight}\n")
    with pytest.raises(DataError, match=rf"row 2: weight: expected a number that is at least 0, received '{weight}'"):
        read(path, weight_column="weight")


def test_weights_that_differ_within_a_video_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, id=["a", "a"], v=TWO, trust=[2.0, 1.0])
    with pytest.raises(DataError, match=r"row 2: weight: expected the same in all rows of video 'a'"):
        read(path, weight_column="trust", layout="frame")


def test_columns_in_the_names_of_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "split=a").mkdir()
    parquet(tmp_path / "split=a", id=["a"], v=TWO[:1])
    with pytest.raises(
        DataError, match=r"no column 'split'\. .*Names of folders are not read: write split as a column"
    ):
        read(tmp_path, group_column="split")


def test_frames_without_numbers(tmp_path: Path) -> None:
    videos = read(parquet(tmp_path, id=["a", "a", "b", "b"], v=TWO + TWO))
    assert [(video.id, video.features["v"].tolist()) for video in videos] == [("a", TWO), ("b", TWO)]


def test_a_file_per_video(tmp_path: Path) -> None:
    for name in ("b", "a"):
        text(tmp_path, "f0,f1\n1,2\n3,4\n", f"{name}.csv")
    assert [(video.id, video.features["f"].tolist()) for video in read(tmp_path, layout="file")] == [
        ("a", TWO),
        ("b", TWO),
    ]


def test_video_that_spans_batches(tmp_path: Path) -> None:
    rows = "".join(f"{'ab'[index >= 3000]},{index},{index / 8},1\n" for index in range(4000))
    videos = read(text(tmp_path, "id,frame,f0,f1\n" + rows))
    assert [(video.id, video.features["f"].shape, video.features["f"][-1, 0]) for video in videos] == [
        ("a", (3000, 2), 2999 / 8),
        ("b", (1000, 2), 3999 / 8),
    ]


@pytest.mark.parametrize("content", ["id;f0;f1\n007;1;2\n", "id\tf0\tf1\n007\t1\t2\n", "\ufeffid,f0,f1\r\n007,1,2\r\n"])
def test_delimiters_and_ids_as_text(tmp_path: Path, content: str) -> None:
    (video,) = read(text(tmp_path, content))
    assert (video.id, video.features["f"].tolist()) == ("007", [[1, 2]])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"id": ["a", "b", "a"], "v": TWO + TWO[:1]},
            "row 3: id 'a' occurs twice, first in .*: row 1. .*--layout frame",
        ),
        (
            {"id": ["a", "b", "c"], "v": [*TWO, [1.0]]},
            "row 3: v: expected 2 values per frame, as in .* row 1, received 1",
        ),
        ({"id": ["a", "b"], "v": [TWO[0], None]}, "row 2: v: no value"),
        ({"id": ["a", "b"], "v": [TWO[0], [None, 1.0]]}, "row 2: v: value 0 .* received NaN or nothing"),
        ({"id": ["a", None], "v": TWO}, "row 2: the id is empty"),
        ({"id": ["a", " "], "v": TWO}, "row 2: the id is empty"),
        ({"id": [1.5, 2.0], "v": TWO}, "row 1: id: expected text or a whole number, received 1.5"),
        ({"name": ["a"], "v": TWO[:1]}, "expected a column with the videos' ids, .* name, v. .*--id-column"),
        ({"id": ["a"], "x": [1]}, "expected features .* received the columns id, x. .*--feature"),
        (
            {"id": ["a", "a", "b", "b", "a"], "v": [*TWO, *TWO, TWO[0]]},
            "row 5: id 'a' comes back .* begin in row 1. .*Sort",
        ),
        (
            {"id": ["a", "a"], "frame": [1, 0], "v": TWO},
            "row 2: expected increasing frame numbers .* received 0 after 1",
        ),
        ({"id": ["a", "a"], "frame": [0, 1], "v": [[1.0], [1.0, 2.0]]}, "row 2: v: expected 1 values, .* received 2"),
        ({"id": ["a", "a"], "frame": [0, 1], "v": [[1.0], [float("nan")]]}, "row 2: v: value 0 .* NaN"),
        ({"id": ["a", "a"], "frame": [0, 1], "v": TWO, "group": ["x", "y"]}, "row 2: group: expected the same"),
        ({"id": ["a", "b", "c", "c"], "v": TWO + TWO}, "row 4: id 'c' occurs twice, .* --layout frame .* --layout row"),
        ({"id": ["a", "b"], "v": [[TWO[0]], [TWO[0], [1.0]]]}, "row 2: v: frame 1 .* expected 2 values, .* received 1"),
        ({"id": ["a", "b"], "v": [[TWO[0]], []]}, "row 2: v: the video has no frames"),
        ({"id": ["a"], "v": [["x"]]}, "row 1: v: expected numbers, received values of type string"),
        (
            {"id": ["a"], "f0": [1.0], "f1": [1.0], "f3": [1.0]},
            "f: expected 4 columns, .* received 3: number 2 is missing",
        ),
        (
            {"id": pa.array([], pa.string()), "v": pa.array([], pa.list_(pa.float32()))},
            "no videos: the source is empty",
        ),
        (
            {"id": ["a", "b"], "v": TWO, "labels": ["x", 1 and "1"]},
            "row 2: labels: '1' is a number, but 'x' .* --label-form",
        ),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, columns: dict, message: str) -> None:
    path = parquet(tmp_path, **columns)
    with pytest.raises(DataError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,f0,f1\na,1,2\nb,3,x\n", "row 2: f1: expected a number, received 'x'. Correct the cell"),
        ("id,f0,f1\na,1,2\nb,3,\n", "row 2: f: value 1 .* received NaN or nothing"),
        ("id,f0,f1\na,1,2\nb,3\n", "row 2: .*Expected 3 columns, got 2"),
        ("id,f0,f1\na,1,1e400\n", "row 1: f: value 1 .* an infinite one"),
        ("id,f0,f1\n", "no videos: the source is empty"),
        ("", "Empty CSV file"),
        ("id,id,f0,f1\na,a,1,2\n", "expected distinct columns"),
        ('id,v\na,"[1, 2]"\nb,"[1, 2"\n', "row 2: v: expected a list such as"),
        ('id,f0,f1,note\na,1,2,"x\nb,1,2,y\n', "expected quotation marks in pairs"),
        ('id,f0,f1,group\na,1,2,"x\nb,1,2,y"\n', "row 1: group: a cell with a line break"),
    ],
)
def test_text_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    path = text(tmp_path, content)
    with pytest.raises(DataError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(("encoding", "message"), [("utf-16", "received UTF-16"), ("latin-1", "row 1: .*as UTF-8")])
def test_text_in_other_encodings(tmp_path: Path, encoding: str, message: str) -> None:
    (tmp_path / "x.csv").write_bytes("id,f0,f1\nä,1,2\n".encode(encoding))
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.csv")


def test_row_of_a_long_file(tmp_path: Path) -> None:
    path = write_csv_frames(tmp_path / "x.csv", some_videos(1500))
    lines = path.read_text().splitlines()
    cells = lines[2500].split(",")
    lines[2500] = ",".join([*cells[:-1], "nan"])
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"x\.csv: row 2500: audio: value 1"):
        read(path)


def test_lists_in_cells_of_text(tmp_path: Path) -> None:
    assert read(parquet(tmp_path, id=["a"], v=["[1, 2]"]), features=("v",))[0].features["v"].tolist() == [[1, 2]]
    for cell, message in ((None, "no value"), ("[1" + "0" * 400 + "]", "expected a list such as")):
        path = parquet(tmp_path, id=["a", "b"], v=["[1, 2]", cell])
        with pytest.raises(DataError, match=f"row 2: v: {message}"):
            read(path, features=("v",))


@pytest.mark.parametrize("numbers", [[{"x": 1}, {"x": 2}], [2, 2], [1, None]])
def test_frames_that_have_no_order_are_refused(tmp_path: Path, numbers: list[object]) -> None:
    path = parquet(tmp_path, id=["a", "a"], frame=numbers, v=TWO)
    with pytest.raises(DataError, match="row 2: expected increasing frame numbers within video 'a'"):
        read(path)
