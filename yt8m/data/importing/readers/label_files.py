"""Files of `id, labels` in every format: their columns, and the cells as they are."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from yt8m import storage
from yt8m.data.importing.label_forms import LIST_OF_OBJECTS, shown
from yt8m.data.importing.readers.array_files import NpyRows
from yt8m.data.importing.readers.columns import ID_COLUMNS
from yt8m.data.importing.readers.csv_header import refuse_numbers, some
from yt8m.data.importing.readers.paths import extension_of, format_of
from yt8m.data.importing.readers.table_files import TableFile, find_column, open_table
from yt8m.errors import DataError, suggest

_LABELS = ("labels", "label", "class", "classes")
_JSON = (".json", ".jsonl", ".ndjson")
_EXTENSIONS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".pq", ".npy")
# Characters of the first of many JSON lines.
_LONGEST_LINE = 1 << 14
# Punctuation between the entries of a JSON object or list.
_PUNCTUATION = re.compile(r"\s*([,:\[\]{}])\s*")


def read_cells(uri: str, id_column: str, labels_column: str) -> Iterator[tuple[Any, Any]]:
    """Read id and labels of every row.

    Args:
        uri: File; see `read_labels`.
        id_column: Column of the ids. Empty to find it.
        labels_column: Column of the labels. Empty to find it.

    Raises:
        DataError: The file or its columns cannot be used.
        StorageError: The file does not exist.
    """
    name = uri.lower()
    if name.endswith(_JSON):
        yield from _from_json(uri, id_column, labels_column)
        return
    format_name = _format_of(uri)
    if format_name == "npy":
        with storage.stage_in(uri).open("rb") as file:
            array = NpyRows(file, uri)
            if len(array.shape) not in (1, 2):
                raise DataError(f"{uri}: expected an array of labels for every row, received the shape {array.shape}.")
            for row in range(array.shape[0]):
                yield str(row), array.read(1)[0]
        return
    table = open_table(uri, format_name)
    try:
        ids, labels = _columns(list(table.types), id_column, labels_column, uri)
    except DataError:
        if not labels_column:
            _refuse_one_hot(table, uri)
        if format_name == "csv" and not id_column and not labels_column:
            refuse_numbers(list(table.types), uri, example="id,labels")
        raise
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    for batch in table.batches({ids: pa.string(), labels: pa.string()}):
        yield from zip(batch.column(ids).to_pylist(), batch.column(labels).to_pylist(), strict=True)


def _format_of(uri: str) -> str:
    """Return the format of a file of labels: `csv`, `parquet` or `npy`."""
    extension = extension_of(uri)
    if "://" not in uri and Path(uri).is_dir():
        problem = "received a folder"
    elif extension in _EXTENSIONS:
        return format_of(uri)
    else:
        ending = extension or Path(uri).suffix
        problem = f"unknown format '{ending}'" if ending else "the name has no ending, which would tell the format"
    known = ", ".join([*_EXTENSIONS, *_JSON])
    raise DataError(f"{uri}: {problem}. Labels are in one file with id and labels. Known formats: {known}.")


def _columns(names: Sequence[str], id_column: str, labels_column: str, where: str) -> tuple[str, str]:
    """Return the columns of ids and labels; of two columns, the other one needs no known name."""
    for name in (id_column, labels_column):
        if name and name not in names:
            raise DataError(f"{where}: no column '{name}'. {suggest(name, names)}")
    ids, labels = id_column or find_column(names, ID_COLUMNS), labels_column or find_column(names, _LABELS)
    if len(names) == 2:
        ids = ids or next((each for each in names if labels and each != labels), "")
        labels = labels or next((each for each in names if ids and each != ids), "")
    if not ids or not labels or ids == labels:
        raise DataError(
            f"{where}: expected the columns 'id' and 'labels', received {some(names)}. "
            + _naming(names, ids, labels)
            + "If the file begins with a row, put a line with the names of the columns before it."
        )
    return ids, labels


def _naming(names: Sequence[str], ids: str, labels: str) -> str:
    """Return a sentence that names the options for the columns that were not found."""
    rest = [name for name in names if name not in (ids, labels)]
    options = [f"--{kind}-column" for kind, name in (("id", ids), ("labels", labels)) if not name]
    if not options or len(rest) < len(options):
        return ""
    example = " ".join(f'{option} "{name}"' for option, name in zip(options, rest, strict=False))
    return f"Name the columns, for instance {example}. "


def _refuse_one_hot(table: TableFile, uri: str) -> None:
    """Raise an error if a table without a column of labels has a column of zeros and ones for every class."""
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    classes = [name for name, kind in table.types.items() if pa.types.is_integer(kind) or pa.types.is_boolean(kind)]
    classes = [name for name in classes if name not in ID_COLUMNS]
    if len(classes) < 2:
        return
    batch = next(table.batches({name: table.types[name] for name in classes}), None)
    if batch is not None and all(set(batch.column(name).to_pylist()) <= {0, 1} for name in classes):
        raise DataError(
            f"{uri}: expected one column of labels, received a column of zeros and ones for every class: "
            f"{some(classes)}. "
            "Write a column 'labels' with the names of each video's classes, separated by '|', or in Parquet or JSON "
            "lists of zeros and ones with --label-form multi_hot."
        )


def columns_of(uri: str, id_column: str = "", labels_column: str = "") -> list[str]:
    """Return the columns of a file of labels, or the keys of its first row; none if its ids are keys or row numbers.

    Args:
        uri: File.
        id_column: Column of the ids, if it is known.
        labels_column: Column of the labels, if it is known.
    """
    if uri.lower().endswith(_JSON):
        key, entry = next(_json_entries(uri, id_column, labels_column), (None, None))
        return list(entry) if key is None and isinstance(entry, Mapping) else []
    format_name = _format_of(uri)
    return list(open_table(uri, format_name).types) if format_name in ("csv", "parquet") else []


def _from_json(uri: str, id_column: str, labels_column: str) -> Iterator[tuple[Any, Any]]:
    for row, (key, entry) in enumerate(_json_entries(uri, id_column, labels_column), start=1):
        if key is not None:
            if key == "columns" and isinstance(entry, list) and find_column([*map(str, entry)], ID_COLUMNS):
                raise DataError(
                    f"{uri}: expected objects with id and labels, received a table, with the names of its columns "
                    f"apart. {LIST_OF_OBJECTS}"
                )
            yield key, entry
            continue
        if not isinstance(entry, Mapping):
            raise DataError(
                f"{uri}: row {row}: expected an object with id and labels, received {shown(entry)}. {LIST_OF_OBJECTS}"
            )
        ids, labels = _columns(list(entry), id_column, labels_column, f"{uri}: row {row}")
        yield entry[ids], entry[labels]


def _json_entries(uri: str, id_column: str, labels_column: str) -> Iterator[tuple[str | None, Any]]:
    """Read the entries of a list or of lines, or those of an object with their keys."""
    if uri.lower().endswith(_JSON[1:]):
        yield from _lines(uri)
        return
    text = storage.read_text(uri).removeprefix("\ufeff")
    if _is_lines(text, id_column, labels_column):
        del text
        yield from _lines(uri)
    else:
        yield from _entries(text, uri)


def _is_lines(text: str, id_column: str, labels_column: str) -> bool:
    """Return whether the first line is an object with id and labels."""
    try:
        first = json.loads(text[:_LONGEST_LINE].partition("\n")[0])
    except (ValueError, RecursionError):
        return False
    if not isinstance(first, Mapping):
        return False
    ids, labels = id_column or find_column(first, ID_COLUMNS), labels_column or find_column(first, _LABELS)
    return ids in first and labels in first


def _lines(uri: str) -> Iterator[tuple[None, Any]]:
    with storage.stage_in(uri).open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                if line.strip():
                    yield None, json.loads(line.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                raise DataError(f"{uri}: line {number}: cannot be read as JSON: {error}.") from None


def _entries(text: str, uri: str) -> Iterator[tuple[str | None, Any]]:
    """Decode an object or list entry by entry, because all of them together need much memory."""
    decode = json.JSONDecoder().raw_decode
    end = 0

    def step(position: int, expected: str) -> str:
        nonlocal end
        match = _PUNCTUATION.match(text, position)
        if not match or match[1] not in expected:
            raise json.JSONDecodeError(f"Expecting {' or '.join(map(repr, expected))}", text, position)
        end = match.end()
        return match[1]

    try:
        closing = {"{": "}", "[": "]"}[step(0, "{[")]
        is_done = text.startswith(closing, end)
        if is_done:
            step(end, closing)
        while not is_done:
            key: str | None = None
            if closing == "}":
                key, end = decode(text, end)
                step(end, ":")
            entry, end = decode(text, end)
            yield key, entry
            is_done = step(end, f",{closing}") == closing
        if end < len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{uri}: cannot be read as JSON: {error}.") from None
