import logging

import pytest

from yt8m.errors import DataError
from yt8m.export.vocabulary import read_vocabulary


@pytest.fixture
def vocabulary(tmp_path):
    """Return a function that writes a vocabulary and returns its URI."""

    def write(content: str) -> str:
        (tmp_path / "classes.csv").write_bytes(content.encode())
        return str(tmp_path / "classes.csv")

    return write


def test_a_file_written_by_excel_is_read(vocabulary):
    assert read_vocabulary(vocabulary('\ufeffIndex,Name\r\n1,"Car, new"\r\n0,Spiel äöü\r\n'), 2) == {
        0: "Spiel äöü",
        1: "Car, new",
    }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "expected a column 'Index', received nothing"),
        ("index,name\n0,Game\n", "expected a column 'Index', received index, name"),
        ("Index,Name\n0,Game\n1\n", "line 3: Name: missing"),
        ("Name,Index\nGame\n", "line 2: Index: expected a class number, received ''"),
        ("Index,Name\n-1,Game\n", "line 2: Index: expected a class number, received '-1'"),
        ("Index,Name\n0,Game\n3,Car\n", "line 3: Index: expected one of 3 classes from 0, received 3"),
        ("Index,Name\n0,Game\n0,Car\n", "line 3: Index: class 0 occurs twice"),
    ],
)
def test_an_invalid_file_is_named_with_line_and_problem(vocabulary, content, problem):
    with pytest.raises(DataError, match=rf"classes\.csv: {problem}"):
        read_vocabulary(vocabulary(content), 3)


def test_classes_without_a_name_are_counted_in_a_warning(vocabulary, caplog):
    with caplog.at_level(logging.WARNING):
        read_vocabulary(vocabulary("Index,Name\n0,Game\n2,Car\n"), 3)
        assert "1 of 3 classes have no name" in caplog.text
        caplog.clear()
        read_vocabulary(vocabulary("Index,Name\n0,Game\n"), 1)
        assert not caplog.records
