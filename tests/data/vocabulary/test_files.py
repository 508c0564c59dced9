import gzip
import logging
import re

import pytest

from yt8m.data.vocabulary.files import read_classes, write_vocabulary
from yt8m.data.vocabulary.names import read_vocabulary
from yt8m.errors import DataError, StorageError


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
    "content",
    [
        "index,mid,display_name\n0,/m/00,Game\n1,/m/01,Car, new\n",
        "Index;Name\r\n0;Game\r\n1;Car, new\r\n",
        "LABEL\tNAME\n1\tCar, new\n0\tGame\n",
        'Name,Index\n\n"Car, new",1\nGame,0\n',
        "Index|Name\n0|Game\n1|Car, new\n",
        'Index, Name\n0, "Game"\n1, "Car, new"\n',
        'class,label\r0,Game\r1,"Car, new"\r',
        "Game\nCar, new\n",
        "name\nGame\nCar, new\n\n",
        'Index,Name,Text\n0,Game,"two\nlines"\n1,"Car, new",x\n',
    ],
)
def test_other_columns_and_lists_of_names_are_read(vocabulary, content):
    assert read_vocabulary(vocabulary(content), 2) == {0: "Game", 1: "Car, new"}


def test_a_text_file_has_a_name_per_line_whatever_is_in_it(tmp_path):
    (tmp_path / "names.txt").write_text("Male speech, man\n5; 6\n")
    assert read_vocabulary(str(tmp_path / "names.txt"), 2) == {0: "Male speech, man", 1: "5; 6"}


def test_a_file_in_utf_16_is_read(tmp_path):
    (tmp_path / "classes.csv").write_bytes("Index\tName\r\n0\täöü\r\n".encode("utf-16"))
    assert read_vocabulary(str(tmp_path / "classes.csv"), 1) == {0: "äöü"}


def test_a_compressed_file_is_read(tmp_path):
    path = tmp_path / "classes.csv.gz"
    content = gzip.compress(b"Index,Name\n0,Game\n")
    path.write_bytes(content)
    assert read_vocabulary(str(path), 1) == {0: "Game"}
    path.write_bytes(content[:-9])
    with pytest.raises(DataError, match=r"classes\.csv\.gz: cannot be decompressed"):
        read_vocabulary(str(path), 1)


def test_machine_ids_of_audioset_are_aliases(vocabulary):
    uri = vocabulary("index,mid,display_name\n1,/m/01,Car\n0,/m/00,Game\n2,,Dog\n")
    assert [(each.number, each.name, each.alias) for each in read_classes(uri)] == [
        (1, "Car", "/m/01"),
        (0, "Game", "/m/00"),
        (2, "Dog", ""),
    ]


def test_the_number_of_classes_need_not_be_known(vocabulary):
    assert [each.number for each in read_classes(vocabulary("Index,Name\n70000,Game\n"))] == [70000]


def test_names_that_were_written_are_read(tmp_path):
    names = {5: 'say "c"', 0: "a, b", 2: "", 3: "äöü", 1: "7;8\t9", 4: "4"}
    write_vocabulary(tmp_path / "classes.csv", names)
    assert read_vocabulary(str(tmp_path / "classes.csv"), 6) == names


OPEN = "Index,Name,Text\n0,Game,x\n1,Car,{}\n2,Dog,y\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty. Expected a CSV file"),
        ("Index,Name\n", "no class in it. Expected a CSV file"),
        ("Id,Count\n0,5\n", "the first line is 'Id,Count'. Expected a CSV file"),
        ("Index:Name\n0:Game\n1:Car\n", "the first line is 'Index:Name'. Expected a CSV file"),
        ("0,Game\n1,Car\n", "the first line is '0,Game'. Expected a CSV file"),
        ("Index,Name\n0,Game\n1\n", "line 3: the name is missing"),
        ("Name,Index\nGame\n", "line 2: expected a class number, received ''"),
        (f"Index,Name\n{'9' * 5000},Game\n", f"line 2: expected a class number, received '{'9' * 80}'"),
        ("Index,Name\n-1,Game\n", "line 2: expected a class number, received '-1'"),
        ("Index,Name\n0,Game\n3,Car\n", "line 3: class 3, but there are 3 classes"),
        ("Game\nCar\nDog\nCat\n", "line 4: class 3, but there are 3 classes"),
        ("Index,Name\n0,Game\n0,Car\n", "line 3: class 0 occurs twice"),
        ("Index,Name,Text\n0,Car, new,x\n", "line 2: 4 cells, but the first line has 3"),
        ("Index,Name\n0,G\0\n", "line 2: a NUL byte"),
        (OPEN.format('"open'), "line 3: a quotation mark is opened and never closed"),
        (OPEN.format('"' + "x" * 200_000), "line 3: a quotation mark is opened and never closed"),
        (OPEN.format('"open') + '3,Cat,closed"\n', "line 3: Text: a quotation mark is opened, and closed only 2 lines"),
        (OPEN.format('"open') + '3,Cat,"b"\n', "line 3: a quotation mark is opened, and the next one, 2 lines later"),
        ('Index,Name\n0,"Game\n1,Car"\n', "line 2: Name: a quotation mark is opened, and closed only 1 line later"),
        ('Index,Name\n0,"Ga"me\n', "line 2: ',' expected after '\"'"),
    ],
)
def test_an_invalid_file_is_named_with_line_and_problem(vocabulary, content, problem):
    with pytest.raises(DataError, match=rf"classes\.csv: {re.escape(problem)}"):
        read_vocabulary(vocabulary(content), 3)


def test_a_file_in_another_encoding_is_named_with_the_line(tmp_path):
    (tmp_path / "classes.csv").write_bytes("Index,Name\n0,Spiel\n1,ä\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"classes\.csv: line 3: not UTF-8 \(byte 0xe4\)\. Save the file as UTF-8"):
        read_vocabulary(str(tmp_path / "classes.csv"), 2)


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(DataError, match="a folder, not a vocabulary"):
        read_vocabulary(str(tmp_path), 2)
    with pytest.raises(StorageError, match=r"missing\.csv: there is no such file"):
        read_vocabulary(str(tmp_path / "missing.csv"), 2)


def test_names_that_occur_twice_are_counted_in_a_warning(vocabulary, caplog):
    read_vocabulary(vocabulary("Index,Name\n0,Game\n1,Car\n2,Game\n"), 3)
    assert "classes that have the name of another one: 1, for instance 'Game' of 0 and 2" in caplog.text


def test_an_empty_name_is_none_as_in_the_vocabulary_of_youtube_8m(vocabulary, caplog):
    assert read_vocabulary(vocabulary("Index,Name\n0,\n1,Car\n"), 2) == {0: "", 1: "Car"}
    assert "1 of 2 classes have no name" in caplog.text


def test_classes_without_a_name_are_counted_in_a_warning(vocabulary, caplog):
    with caplog.at_level(logging.WARNING):
        read_vocabulary(vocabulary("Index,Name\n0,Game\n1,\n2,Car\n"), 3)
        assert "1 of 3 classes have no name" in caplog.text
        caplog.clear()
        read_vocabulary(vocabulary("Index,Name\n0,Game\n"), 1)
        assert not caplog.records


@pytest.mark.parametrize(
    "content",
    [
        "- Game\n- Car\n",
        "0: Game\n1: Car\n",
        "names:\n  0: Game\n",
        '["Game",\n"Car"]',
        '{\n "0": "Game"\n}',
        '{"id": 0, "name": "Game"}\n{"id": 1, "name": "Car"}\n',
        "{0: 'Game', 1: 'Car'}\n",
        "NAMES = [\n  'Game',\n  'Car',\n]\n",
        '# labels\nitem {\n  id: 1\n  name: "Game"\n}\n',
        "item { id: 1 name: 'Game' }\n",
        "<?xml version='1.0'?>\n<names/>\n",
    ],
)
def test_yaml_json_label_maps_and_code_are_no_list_of_names(vocabulary, content):
    with pytest.raises(DataError, match=r"classes\.csv: names cannot be read from YAML, JSON, label maps"):
        read_classes(vocabulary(content))


def test_a_zip_archive_is_named(tmp_path):
    (tmp_path / "classes.csv").write_bytes(b"PK\x03\x04\x14\x00")
    with pytest.raises(DataError, match=r"classes\.csv: a ZIP archive or Excel workbook"):
        read_classes(str(tmp_path / "classes.csv"))


def test_an_empty_line_in_a_list_is_named(vocabulary, caplog):
    assert read_vocabulary(vocabulary("[Game]\n\nSport: Tennis\n"), 3) == {0: "[Game]", 1: "", 2: "Sport: Tennis"}
    assert "line 2 is empty, so that class 1 has no name" in caplog.text


def test_a_long_first_line_is_no_table(vocabulary):
    with pytest.raises(DataError, match=r"the first line is 'xxx"):
        read_classes(vocabulary("x" * 200_000 + ",y\n"))
