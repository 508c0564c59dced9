"""Labels of videos from files."""

import csv
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from yt8m.data.importing.labels import LabelForm, LabelTable, read_labels
from yt8m.data.importing.vocabulary import Vocabulary
from yt8m.errors import DataError, StorageError

LABELS = {"clip1": ("dog", "cat"), "clip2": ("cat",), "clip3": ()}


def check(table: LabelTable) -> None:
    assert len(table) == 3
    assert table.is_named
    assert table.names == ("cat", "dog")
    assert {video: table.get(video) for video in LABELS} == LABELS
    assert table.get("clip4") is None


def test_csv_with_separators(tmp_path: Path) -> None:
    for separator in "|;":
        path = tmp_path / f"{ord(separator)}.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(
                [("id", "labels"), *((video, separator.join(each)) for video, each in LABELS.items())]
            )
        check(read_labels(str(path)))


def test_csv_with_a_row_per_pair(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("\ufeffvideo_id,label\nclip1,dog\nclip2,cat\nclip1,cat\nclip2,cat\nclip3,\n", encoding="utf-8")
    table = read_labels(str(path))
    check(table)
    assert table.merged == 1
    assert table.where("clip2") == f"{path}: row 2"


def test_tsv(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("id\tlabels\nclip1\tdog|cat\nclip2\tcat\nclip3\t\n")
    check(read_labels(str(path)))


def test_parquet_with_lists(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    pa.parquet.write_table(pa.table({"id": list(LABELS), "labels": [["dog", "cat"], ["cat"], None]}), path)
    check(read_labels(str(path)))


@pytest.mark.parametrize("form", ["object", "list", "lines"])
def test_json(tmp_path: Path, form: str) -> None:
    entries = [{"id": video, "labels": list(labels)} for video, labels in LABELS.items()]
    texts = {"object": json.dumps(LABELS), "list": json.dumps(entries), "lines": "\n".join(map(json.dumps, entries))}
    path = tmp_path / "labels.json"
    path.write_text(texts[form])
    check(read_labels(str(path)))


def test_numpy_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", np.array([[1, 0, 1], [0, 0, 0]]))
    table = read_labels(str(tmp_path / "labels.npy"), "multi_hot")
    assert (table.get("0"), table.get("1"), table.get("2")) == ((0, 2), (), None)


@pytest.mark.parametrize(
    ("cells", "form", "expected"),
    [
        (["3", "5 7", '"2,4"'], "auto", [(3,), (5, 7), (2, 4)]),
        (["3.0", "", "4"], "auto", [(3,), (), (4,)]),
        (["007", "008", "x"], "auto", [("007",), ("008",), ("x",)]),
        (["1", "x", "2"], "names", [("1",), ("x",), ("2",)]),
        (["007", "1", "2"], "numbers", [(7,), (1,), (2,)]),
        (["0 1 1", "1 0 0", "0 0 0"], "multi_hot", [(1, 2), (0,), ()]),
        (["playing guitar", 'a "b"', "Ünïcode"], "auto", [("playing guitar",), ('a "b"',), ("Ünïcode",)]),
        (["\"['a', 'b, c']\"", "a", "a"], "auto", [("a", "b, c"), ("a",), ("a",)]),
    ],
)
def test_forms_of_labels(tmp_path: Path, cells: list[str], form: LabelForm, expected: list[tuple]) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id,labels\n" + "".join(f"{index},{cell}\n" for index, cell in enumerate(cells)), encoding="utf-8")
    table = read_labels(str(path), form)
    assert [table.get(str(index)) for index in range(3)] == expected
    assert table.is_named == isinstance(expected[0][0], str)


def test_separator_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text('id,labels\n1,"Guitar, acoustic"\n')
    assert read_labels(str(path), separator=",").get("1") == ("Guitar", "acoustic")
    assert read_labels(str(path), separator="|").get("1") == ("Guitar, acoustic",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,labels\na,1\nb,dog\n", "row 2: labels: 'dog' is a name, but 1 in .* row 1 is a number. Say --label-form"),
        ("id,labels\na,007\nb,12\n", "row 2: labels: '12' is a number, but '007'"),
        ('id,labels\na,"x, y"\n', "row 1: labels: 'x, y' can be read in two ways"),
        ("id,labels\na,0 1 0 0\n", "row 1: labels: 4 values that are all 0 or 1 .* --label-form multi_hot"),
        ("id,labels\na,-1\n", "row 1: labels: expected a class number from 0 to 65535, received -1"),
        ("id,labels\na,1\nb,65536\n", "row 2: labels: expected a class number from 0 to 65535, received 65536"),
        ("id,labels\na,99999999999\n", "row 1: labels: expected .* received 99999999999. .*--label-form names"),
        pytest.param(f"id,labels\na,{'9' * 400}\n", "row 1: labels: expected a whole class number", id="400 digits"),
        ("id,labels\na,1.5\n", "row 1: labels: expected a whole class number, received '1.5'"),
        ("id,labels\na,1\n,2\n", "row 2: the id is empty"),
        ("clip1,3\nclip2,4\n", "first line, received numbers: clip1, 3. .* for instance id,labels"),
        ("id,labels\n", "received no row"),
        ("", "Empty CSV file"),
        ('id,labels\n"a,1\nb,2\n', "Look for a quotation mark that is opened and never closed"),
        (
            'id,labels\na,1\nb,"2\nc,3\n',
            "row 2: labels: a cell with a line break. Look for a quotation mark that",
        ),
        ('id,labels,text\na,1,x\nb,2,"y\nc,3,z\n', "expected quotation marks in pairs, received 1"),
        ("id,labels\na,1\nb\n", "row 2: .*Every row needs as many cells as the first line"),
    ],
)
def test_csv_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as error:
        read_labels(str(path))
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": [1], "b" [2]}', "cannot be read as JSON: Expecting ':'"),
        ('{"a": [1]}\n{"b": [2]}', "cannot be read as JSON: Extra data: line 2"),
        pytest.param("[" * 100_000, "cannot be read as JSON: maximum recursion depth", id="nested"),
        ("[]\n[]", "cannot be read as JSON: Extra data: line 2"),
        ('{"\\ud800": [1]}', r"row 1: id: expected text in UTF-8, received '\\ud800'"),
        ('{"a": [1] "b": [2]}', "cannot be read as JSON: Expecting ',' or '}'"),
        ('"a"', r"cannot be read as JSON: Expecting '{' or '\['"),
        ("", "cannot be read as JSON"),
        ("{}", "received no row"),
        ('{"a": [1', "cannot be read as JSON"),
        ("[1, 2]", "row 1: expected an object with id and labels, received 1"),
        ('{"a": [1, "x"]}', "row 1: labels: 'x' is a name"),
        ('{"a": {"b": 1}}', "row 1: labels: expected names or class numbers, received {'b': 1}"),
        ('{"columns": ["id", "label"], "index": [0], "data": [["a", "x"]]}', "received a table, .*orient='records'"),
        ('{"a": {"label": "x"}}', "row 1: labels: .*orient='records'"),
        ('{"videos": [{"id": "a", "labels": 1}]}', "row 1: labels: .*orient='records'"),
        pytest.param('{"id": {"0": "' + "a" * 9000 + '"}}', r"^.{0,400}orient='records'\.$", id="long"),
        ('{"id": "a", "labels": 1}\n{"id": "b"', "line 2: cannot be read as JSON"),
    ],
)
def test_json_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_labels(str(tmp_path / "labels.json"))


@pytest.mark.parametrize("name", ["dog\ncat", "dog\0cat", "dog\ud800"])
@pytest.mark.parametrize("form", ["auto", "names"])
def test_names_that_a_vocabulary_cannot_hold(tmp_path: Path, name: str, form: LabelForm) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"a": ["cat"], "b": [name]}))
    with pytest.raises(DataError, match=r"labels\.json: row 2: labels: expected names of classes, received 'dog"):
        read_labels(str(path), form)


def test_space_around_names_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"a": [" dog "], "b": ["dog", "cat\n"]}))
    table = read_labels(str(path))
    assert (table.get("a"), table.get("b")) == (("dog",), ("dog", "cat"))


def test_files_that_are_missing_or_of_other_formats(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        read_labels(str(tmp_path / "none.csv"))
    with pytest.raises(DataError, match=r"unknown format '\.txt'\. .*Known formats: .*\.jsonl"):
        read_labels(str(tmp_path / "labels.txt"))
    with pytest.raises(DataError, match=r"received a folder\. .*Known formats: .*\.jsonl"):
        read_labels(str(tmp_path))


@pytest.fixture
def vocabulary(tmp_path: Path) -> Vocabulary:
    path = tmp_path / "class_labels_indices.csv"
    path.write_text('index,mid,display_name\n0,/m/09x0r,"Speech, male"\n1,/m/04rlf,Music\n2,/m/2,2\n')
    return Vocabulary.read(str(path))


def test_names_of_a_vocabulary_may_have_commas(tmp_path: Path, vocabulary: Vocabulary) -> None:
    path = tmp_path / "labels.csv"
    path.write_text('id,labels\na,"Speech, male"\nb,"/m/04rlf,/m/09x0r"\nc,"Music|Speech, male"\n')
    table = read_labels(str(path), vocabulary=vocabulary)
    assert [vocabulary.numbers_of(table.get(video), "") for video in "abc"] == [(0,), (0, 1), (0, 1)]


def test_labels_that_a_vocabulary_lacks(tmp_path: Path, vocabulary: Vocabulary) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id,labels\na,Music\nb,Musik\n")
    with pytest.raises(DataError, match=r"labels\.csv: row 2: unknown label 'Musik': .* Did you mean 'Music'\?"):
        read_labels(str(path), vocabulary=vocabulary)
    path.write_text("id,labels\na,7\n")
    with pytest.raises(DataError, match=r"labels\.csv: row 1: unknown label 7: .* 3 classes"):
        read_labels(str(path), vocabulary=vocabulary)


@pytest.mark.parametrize(
    "name",
    [
        "labels.csv",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("object.json", "list.json", "labels.jsonl")),
    ],
)
def test_tables_need_little_memory(tmp_path: Path, name: str) -> None:
    few, many = 2000, 8000
    peaks = []
    for count in (few, many):
        rows = {f"v{index:06}": [index % 7, index % 5 + 7] for index in range(count)}
        entries = [{"id": video, "labels": labels} for video, labels in rows.items()]
        texts = {
            "labels.csv": "id,labels\n"
            + "".join(f"{video},{first}|{second}\n" for video, (first, second) in rows.items()),
            "object.json": json.dumps(rows, indent=1),
            "list.json": json.dumps(entries),
            "labels.jsonl": "\n".join(map(json.dumps, entries)),
        }
        path = tmp_path / name
        path.write_text(texts[name])
        tracemalloc.start()
        table = read_labels(str(path))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(table) == count
        assert table.get("v001999") == (1999 % 7, 1999 % 5 + 7)
    assert (peaks[1] - peaks[0]) / (many - few) < 160


def test_brackets_of_names(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id,labels\na,[music]\nb,[music]|[1]\n")
    with pytest.raises(DataError, match=r"row 1: .*say --label-form names --label-separator '\|'"):
        read_labels(str(path))
    table = read_labels(str(path), "names", separator="|")
    assert (table.get("a"), table.get("b")) == (("[music]",), ("[music]", "[1]"))


def test_json_lines_in_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"id": "a", "labels": ["x"]}\n{"id": "b", "labels": ["\xe4"]}\n')
    with pytest.raises(DataError, match=r"labels\.jsonl: line 2: cannot be read as JSON: 'utf-8'"):
        read_labels(str(path))
