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
        ("Index,Title\n0,a\n", "the first line is 'Index,Title'. Expected a CSV file"),
        ("Index,Name\n0,a\n0,b\n", "line 3: class 0 occurs twice"),
        ("Index,Name\nx,a\n", "line 2: expected a class number, received 'x'"),
        ("Index,Name\n", "no class in it"),
        ('Index,Name\n0,"a\n1,b\n', "never closed"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "vocabulary.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        Vocabulary.read(str(path))


def test_classes_without_a_name_have_their_number(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.csv"
    path.write_text("Index,Name\n0,\n1,\n2,b\n")
    vocabulary = Vocabulary.read(str(path))
    assert vocabulary.numbers_of((1, "b"), "here") == (1, 2)
    assert not vocabulary.has("")


def test_name_of_two_classes(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.csv"
    path.write_text("Index,Name\n0,a\n1,a\n2,b\n")
    vocabulary = Vocabulary.read(str(path))
    assert vocabulary.numbers_of(("b", 1), "here") == (1, 2)
    with pytest.raises(DataError, match=r"here: label 'a': .* two classes of this name, 0 and 1"):
        vocabulary.numbers_of(("a",), "here")


@pytest.mark.parametrize(
    "content",
    [
        "index,mid,display_name\n0,/m/00,Game\n1,/m/01,Car, new\n",
        "Index;Name\r\n0;Game\r\n1;Car, new\r\n",
        "Game\nCar, new\n",
        'Index,Name,Text\n0,Game,"two\nlines"\n1,"Car, new",x\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_all_forms_of_vocabularies_are_read(tmp_path: Path, content: str, encoding: str) -> None:
    path = tmp_path / "classes.csv"
    path.write_bytes(content.encode(encoding))
    vocabulary = Vocabulary.read(str(path))
    assert vocabulary.names == {0: "Game", 1: "Car, new"}
    assert vocabulary.numbers_of(("Car, new", 0), "here") == (0, 1)


def test_machine_ids_of_audioset_are_names_too(tmp_path: Path) -> None:
    path = tmp_path / "class_labels_indices.csv"
    path.write_text("index,mid,display_name\n1,/m/04rlf,Music\n0,/m/09x0r,Speech\n")
    vocabulary = Vocabulary.read(str(path))
    assert vocabulary.names == {0: "Speech", 1: "Music"}
    assert vocabulary.numbers_of(("/m/04rlf",), "here") == vocabulary.numbers_of(("Music",), "here") == (1,)
    assert vocabulary.has("/m/09x0r")
