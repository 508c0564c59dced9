"""First lines of CSV files: names of the columns, or numbers in their place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.sources import read
from yt8m.errors import DataError


def text(folder: Path, content: str) -> Path:
    (folder / "x.csv").write_text(content, encoding="utf-8")
    return folder / "x.csv"


FILE: dict[str, Any] = {"layout": "file"}


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("v0,0.8,0.3,-1.3\nv1,1.0,2.0,3.0\n", {}, "first line, received numbers: v0, .* id,rgb_0,rgb_1,rgb_2"),
        ("v0,0.8,0.3\nv1,1.0,2.0\n", {"id_column": "v0", "features": ("0.8",)}, "received numbers: v0, 0.8, 0.3"),
        ("v0,cat,0.8\nv1,dog,1.0\n", {"id_column": "v0", "features": ("0.8",)}, "received numbers: v0, cat, 0.8"),
        ("0.0e+00,0.0e+00\n1.0e+00,2.0e+00\n", FILE, r"received numbers: .* for instance rgb_0,rgb_1\."),
        ("0.5 1.5\n1.0 2.0\n", FILE, "received spaces between numbers"),
        ("v0;0,25;0,5\nv1;0,25;0,5\n", {}, "received numbers: v0, 0,25, 0,5"),
        ("0,1,2\n4,5,6\n", FILE, "can be read in two ways: 0, 1, 2 may be the names"),
        ("v0,1,2\nv1,5,6\n", {"id_column": "v0"}, "can be read in two ways: v0, 1, 2 may be"),
        ("3,1,2\n4,5,6\n", FILE, "received numbers: 3, 1, 2"),
    ],
)
def test_rows_in_place_of_names_are_refused(
    tmp_path: Path, content: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(text(tmp_path, content), **options)


def test_the_mark_of_a_header_of_numpy_is_no_name(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "x.csv", [[1.0, 2.5]], delimiter=",", header="f_0,f_1")
    assert read(tmp_path / "x.csv", layout="file")[0].features["f"].tolist() == [[1.0, 2.5]]


def test_numbers_in_a_row_above_fractions_are_names(tmp_path: Path) -> None:
    (video,) = read(text(tmp_path, "0,1\n1.0,2.5\n"), layout="file")
    assert video.features["features"].tolist() == [[1.0, 2.5]]


@pytest.mark.parametrize(
    "content",
    ["id, f0, f1\nv, 1, 2.5\n", ",0,1\nv,1,2.5\n", "sep=;\nid;f0;f1\nv;1;2.5\n", '\ufeff"sep=,"\nid,f0,f1\nv,1,2.5\n'],
)
def test_spaces_columns_without_a_name_and_lines_of_excel(tmp_path: Path, content: str) -> None:
    (video,) = read(text(tmp_path, content))
    assert (video.id, [each.tolist() for each in video.features.values()]) == ("v", [[[1.0, 2.5]]])
    assert set(video.features) <= {"f", "features"}


def test_a_numbered_index_is_no_id(tmp_path: Path) -> None:
    path = text(tmp_path, ",f0,f1\n0,1,2.5\n")
    with pytest.raises(DataError, match=r"ids, received the columns \(column 1\), f0, f1"):
        read(path)
    assert read(path, id_column="(column 1)")[0].id == "0"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id;f0;f1\na;1,5;2,5\n", r"row 1: f0: expected a number, received '1,5'\. It has a decimal comma"),
        ("sep=;\nid;f0;f1\na;1;2\nb;1;2,5\n", "row 2: f1: .*received '2,5'"),
        ("id,frame,f0,f1\na,00:00:01,1,2\n", "row 1: frame: expected a number, .* The column has times"),
        ('id,v\na,"[0.5\n 1.5]"\n', r"row 1: v: expected a list such as \[0.5, 1.25\], .*tolist"),
    ],
)
def test_cells_that_are_no_numbers(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(text(tmp_path, content))
