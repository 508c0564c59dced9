"""Vocabularies: files with the names of classes, which are text files or CSV files."""

import codecs
import csv
import gzip
import io
import logging
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from yt8m.errors import DataError
from yt8m.storage import read_bytes

_LOGGER = logging.getLogger("yt8m.data")

# Name of a vocabulary beside shards and in an exported model.
VOCABULARY_NAME = "vocabulary.csv"

# Names of columns in lower case, the most specific first: a table may have a number in `label` and a name in `name`.
_INDEX_COLUMNS = ("index", "class_index", "label_index", "class_id", "label_id", "id", "class", "label")
_NAME_COLUMNS = ("name", "display_name", "class_name", "label_name", "label", "class")
# Further names of the classes, which AudioSet has.
_ALIAS_COLUMN = "mid"
_MOST_DIGITS = 9
_DELIMITERS = ",;\t|"
_EXPECTED = (
    "Expected a CSV file whose first line names a column of class numbers, 'Index', and one of class names, 'Name', or "
    "a text file with one name per line, in the order of the classes"
)
OTHER_CLASSES = "Give the vocabulary of this data, or correct the number of classes (data.spec.num_classes)."
_QUOTES = "Close it, or write it twice and put the whole cell in quotation marks."
# Byte order marks and the encodings that they stand for. Excel writes all of them.
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
# Lines of YAML: `- cat`, `0: cat`, `names:`.
_YAML = re.compile(r"\s*(-\s|['\"]?\d+['\"]?\s*:\s|\w+:\s*$)")
# First lines of label maps, JSON and Python (`item {`, `{0: 'cat'`, `names = [`, `["cat"`), and of XML.
_CODE = re.compile(r"""\s*((\w+\s*[:=]?\s*)?\{(\s*$|.*:)|(\w+\s*[:=]\s*)?\[\s*(['"\[{]|$)|\w+\s*=\s*[(\[{]|<[!?])""")
_ENDINGS = (".yaml", ".yml", ".json", ".jsonl", ".pbtxt", ".xml", ".py")


class ClassName(NamedTuple):
    """A class of a vocabulary.

    Attributes:
        number: Number of the class.
        name: Its name; empty if it has none.
        alias: Its machine id in AudioSet's vocabulary, otherwise empty.
        where: File and line, for error messages.
    """

    number: int
    name: str
    alias: str
    where: str


class _Columns(NamedTuple):
    """Positions of columns of a table; None where there is no column."""

    number: int
    name: int
    alias: int | None


class _Row(NamedTuple):
    """The cells of a class, with the line of the file on which they begin."""

    line: int
    number: str
    name: str | None
    alias: str = ""


def read_classes(uri: str, num_classes: int | None = None) -> list[ClassName]:
    """Read classes from a CSV file such as YouTube-8M's or AudioSet's, or from a text file with a name per line.

    The columns may be `Index` and `Name`, `index` and `display_name`, and other usual names, in any case; commas,
    semicolons, tabs or bars separate them. Rows are identified by their class number, since YouTube-8M's vocabulary is
    not sorted by it.

    Args:
        uri: URI of the file, in UTF-8 with or without a byte order mark, or in UTF-16 with one. It may be compressed by
            gzip.
        num_classes: Number of classes that there are. None means that the file decides it.

    Returns:
        The classes in the order of the file.

    Raises:
        DataError: The file is not text, a quotation mark is not closed, columns or cells are missing, or a class number
            is not a number, not one of the classes, or a duplicate.
        StorageError: The file does not exist or cannot be read.
    """
    classes: dict[int, ClassName] = {}
    if "://" not in uri and Path(uri).is_dir():
        raise DataError(f"{uri}: a folder, not a vocabulary. Give the file in it. {_EXPECTED}.")
    for row in _rows(uri, _decode(uri, read_bytes(uri))):
        line = f"{uri}: line {row.line}"
        if not (row.number.isascii() and row.number.isdecimal() and len(row.number) <= _MOST_DIGITS):
            raise DataError(f"{line}: expected a class number, received '{row.number[:80]}'.")
        index = int(row.number)
        if num_classes is not None and index >= num_classes:
            raise DataError(f"{line}: class {index}, but there are {num_classes} classes, from 0. {OTHER_CLASSES}")
        if index in classes:
            raise DataError(f"{line}: class {index} occurs twice. Remove one of the rows.")
        if row.name is None:
            raise DataError(f"{line}: the name is missing: the row has fewer cells than the first line.")
        classes[index] = ClassName(index, row.name, row.alias, line)
    if not classes:
        raise DataError(f"{uri}: no class in it. {_EXPECTED}.")
    return list(classes.values())


def write_vocabulary(path: Path, names: Mapping[int, str]) -> None:
    """Write class names for `read_classes`, without YouTube-8M's other columns, which take megabytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("Index", "Name"))
        rows.writerows(names.items())


def _decode(uri: str, content: bytes) -> str:
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{uri}: cannot be decompressed: {error}. Copy or download the file again.") from None
    if content.startswith(_ZIP):
        raise DataError(f"{uri}: a ZIP archive or Excel workbook. Unpack it, or save the table as CSV. {_EXPECTED}.")
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = content[error.start : error.start + 1].hex()
        raise DataError(f"{uri}: line {line}: not UTF-8 (byte 0x{byte}). Save the file as UTF-8.") from None
    if "\0" in text:
        line = text.partition("\0")[0].count("\n") + 1
        raise DataError(f"{uri}: line {line}: a NUL byte, so this is no text file in UTF-8. {_EXPECTED}, in UTF-8.")
    if not text.strip():
        raise DataError(f"{uri}: the file is empty. {_EXPECTED}.")
    # Lines end in \n, \r\n or \r.
    return io.StringIO(text, newline=None).read()


def _rows(uri: str, text: str) -> Iterator[_Row]:
    """Read a table, or one name per line."""
    lines = text.split("\n")
    written = [line for line in lines if line.strip()]
    header = written[0]
    first = next((line for line in written if not line.lstrip().startswith("#")), header)
    if all(map(_YAML.match, written)) or _CODE.match(first) or uri.endswith(_ENDINGS):
        raise DataError(f"{uri}: names cannot be read from YAML, JSON, label maps (pbtxt), XML or code. {_EXPECTED}.")
    for delimiter in _DELIMITERS:
        columns = [cell.strip().casefold() for cell in _cells(header, delimiter)]
        index = next((name for name in _INDEX_COLUMNS if name in columns), None)
        name = next((name for name in _NAME_COLUMNS if name in columns and name != index), None)
        if index and name:
            alias = columns.index(_ALIAS_COLUMN) if _ALIAS_COLUMN in columns else None
            yield from _table(uri, text, delimiter, _Columns(columns.index(index), columns.index(name), alias))
            return
    names = {*_NAME_COLUMNS, *_INDEX_COLUMNS}
    words = re.findall(r"\w+", header.casefold())
    is_list = uri.endswith(".txt") or not any(delimiter in header for delimiter in _DELIMITERS if delimiter != "|")
    if not is_list or (len(words) > 1 and names.issuperset(words)):
        raise DataError(f"{uri}: the first line is '{header[:200]}'. {_EXPECTED}.")
    has_header = header.strip().strip('"').casefold() in names
    yield from _list(uri, lines, has_header=has_header)


def _cells(line: str, delimiter: str) -> list[str]:
    """Split a line into cells; return none if it is not a line of a table."""
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # a cell is too long
        return []


def _list(uri: str, lines: Sequence[str], *, has_header: bool) -> Iterator[_Row]:
    last = max(number for number, line in enumerate(lines) if line.strip())
    names = [(number, line.strip()) for number, line in enumerate(lines[: last + 1], 1)]
    for index, (number, name) in enumerate(names[1:] if has_header else names):
        if not name:
            _LOGGER.warning("%s: line %d is empty, so that class %d has no name.", uri, number, index)
        yield _Row(number, str(index), name)


def _table(uri: str, text: str, delimiter: str, columns: _Columns) -> Iterator[_Row]:
    """Read the rows of a table.

    Args:
        uri: URI of the file, for messages.
        text: Content of the file.
        delimiter: Character between the cells.
        columns: Positions of the columns to read.
    """
    lines = io.StringIO(text).readlines()
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    header: list[str] = []
    while True:
        start = rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise DataError(f"{uri}: line {start}: {_reason(str(error), rows.line_num - start)}") from None
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = cells
            continue
        _refuse_swallowed_rows(f"{uri}: line {start}", cells, header, delimiter, {columns.number, columns.name})
        while len(cells) > len(header) and not cells[-1].strip():
            cells.pop()
        if len(cells) > len(header) and columns.name == len(header) - 1:
            # A name with commas and without quotation marks, in which spaces count.
            row = next(csv.reader(lines[start - 1 : rows.line_num], delimiter=delimiter))
            cells[columns.name :] = [delimiter.join(row[columns.name :])]
        if len(cells) > len(header):
            raise DataError(
                f"{uri}: line {start}: {len(cells)} cells, but the first line has {len(header)}. Put cells that "
                f"contain '{delimiter}' in quotation marks."
            )
        found = {column: cell.strip() for column, cell in enumerate(cells)}
        alias = "" if columns.alias is None else found.get(columns.alias, "")
        yield _Row(start, found.get(columns.number, ""), found.get(columns.name), alias)


def _reason(error: str, lines: int) -> str:
    """Explain an error of the parser, a number of lines behind the beginning of the row."""
    if "unexpected end of data" in error or "field larger" in error:
        return f"a quotation mark is opened and never closed. {_QUOTES}"
    if lines:
        return f"a quotation mark is opened, and the next one, {_later(lines)}, does not end a cell. {_QUOTES}"
    return f"{error}. Put cells with quotation marks in quotation marks, and write those inside twice."


def _later(lines: int) -> str:
    return f"{lines} line{'s' * (lines > 1)} later"


def _refuse_swallowed_rows(
    place: str, cells: Sequence[str], header: Sequence[str], delimiter: str, one_line: set[int]
) -> None:
    """Refuse a cell that took the following rows in, because its quotation mark was meant to be a character.

    Cells of other columns than those for numbers and names may have line breaks, but no line that looks like a row.
    """
    for number, cell in enumerate(cells):
        _, *others = cell.split("\n")
        if not others:
            continue
        column = header[number] if number < len(header) else f"column {number + 1}"
        looks_like_rows = any(line.partition(delimiter)[0].strip().isdecimal() and delimiter in line for line in others)
        if number in one_line or looks_like_rows:
            raise DataError(
                f"{place}: {column}: a quotation mark is opened, and closed only {_later(len(others))}, so that the "
                f"rows between are part of one cell. {_QUOTES}"
            )
