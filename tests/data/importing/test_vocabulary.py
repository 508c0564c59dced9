"""Names of classes and their numbers."""

from pathlib import Path

import pytest

from yt8m.data.importing.vocabulary import Vocabulary
from yt8m.errors import DataError


def test_names_are_numbered_in_sorted_order() -> None:
    vocabulary = Vocabulary.of(["b", "a", "c", "a"])
    assert vocabulary.names == {0: "a", 1: "b", 2: "c"}
    assert vocabulary.numbers_of(("c", "a", "c"), "here") == (0, 2)


def test_file_in_any_order_and_with_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.csv"
    path.write_text('\ufeffIndex,TrainVideoCount,Name\n5,1,"a, b"\n0,2,"say ""c"""\n', encoding="utf-8")
    vocabulary = Vocabulary.read(str(path))
    assert vocabulary.names == {5: "a, b", 0: 'say "c"'}
    assert vocabulary.numbers_of(("a, b", 0), "here") == (0, 5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Index,Title\n0,a\n", "expected a column 'name', received Index, Title"),
        ("Index,Name\n0,a\n0,b\n", "row 2: Index: class 0 occurs twice"),
        ("Index,Name\nx,a\n", "row 1: Index: expected a class number, received 'x'"),
        ("Index,Name\n0,\n", "row 1: Name: the name of class 0 is empty"),
        ("Index,Name\n", "received no row"),
        ('Index,Name\n0,"a\n1,b\n', "never closed"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "vocabulary.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        Vocabulary.read(str(path))


def test_name_of_two_classes(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.csv"
    path.write_text("Index,Name\n0,a\n1,a\n2,b\n")
    vocabulary = Vocabulary.read(str(path))
    assert vocabulary.numbers_of(("b", 1), "here") == (1, 2)
    with pytest.raises(DataError, match=r"here: label 'a': .* two classes of this name, 0 and 1"):
        vocabulary.numbers_of(("a",), "here")
