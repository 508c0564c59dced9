"""Tables in Parquet and CSV files, read in batches."""

import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from yt8m import storage
from yt8m.data.importing.readers.csv_header import NUMBER, clean_names, number_like, read_start, some
from yt8m.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Bytes of a batch of rows in memory.
_BATCH_BYTES = 8 << 20
_MOST_ROWS = 1024
# A row of a CSV file must fit in a block.
_CSV_BLOCK_BYTES = 4 << 20


_ERRORS = (
    OSError, ValueError, KeyError, RuntimeError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip
# Rows in messages of pyarrow, which count the header.
_CSV_ROW = re.compile(r"Row #(\d+): ")
_CSV_CELL = re.compile(r"In CSV column #(\d+): .*conversion error.*?: invalid value (.*)")


class TableFile(Protocol):
    """A table that can be read once.

    Attributes:
        types: Type by column. For a CSV file, the types that its first rows suggest; a column whose first cell is a
            list in brackets is a column of lists.
    """

    types: Mapping[str, Any]

    def batches(self, columns: Mapping[str, Any]) -> Iterator["pa.RecordBatch"]:
        """Read some columns from the first to the last row.

        Args:
            columns: Columns in the order wanted, with the types to which a CSV file's cells are converted.
        """
        ...


class ParquetTable:
    """A Parquet file."""

    def __init__(self, path: str, local: Path) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - loads only when needed

        self._path = path
        with readable(path, "Parquet"):
            # Without pre-buffering, pages are read when they are needed, not whole row groups.
            self._file = pq.ParquetFile(local, pre_buffer=False, buffer_size=1 << 16)
            schema = self._file.schema_arrow
        self.types: Mapping[str, Any] = dict(zip(schema.names, schema.types, strict=True))
        if len(self.types) < len(schema.names):
            raise DataError(f"{path}: expected distinct columns, received {some(schema.names)}.")

    def batches(self, columns: Mapping[str, Any]) -> Iterator["pa.RecordBatch"]:
        """Read some columns."""
        metadata = self._file.metadata
        size = sum(metadata.row_group(each).total_byte_size for each in range(metadata.num_row_groups))
        rows = max(1, min(_MOST_ROWS, _BATCH_BYTES * max(metadata.num_rows, 1) // max(size, 1)))
        yield from _guarded(
            lambda: readable(self._path, "Parquet"),
            self._file.iter_batches(batch_size=rows, columns=list(columns), use_threads=False),
        )


class CsvTable:
    """A CSV or TSV file, whose first line has the names of the columns."""

    def __init__(self, path: str, local: Path) -> None:
        from pyarrow import csv  # noqa: PLC0415 - loads only when needed

        self._path, self._local = path, local
        with readable(path, "CSV"):
            self._start = read_start(path, local)
            reader = self._open(csv.ConvertOptions())
            schema, batch = reader.schema, next(iter(reader), None)
        self._names = dict(zip(clean_names(schema.names, path), schema.names, strict=True))
        self.types: Mapping[str, Any] = dict(zip(self._names, schema.types, strict=True))
        if batch:
            rows = batch.slice(0, _MOST_ROWS)
            self.types |= {
                name: kind for name, column in zip(self._names, rows, strict=True) if (kind := _type_of_text(column))
            }

    def batches(self, columns: Mapping[str, Any]) -> Iterator["pa.RecordBatch"]:
        """Read some columns, with the given types."""
        import pyarrow as pa  # noqa: PLC0415 - loads only when needed
        from pyarrow import csv  # noqa: PLC0415 - loads only when needed

        types = {self._names[name]: kind for name, kind in columns.items()}
        convert = csv.ConvertOptions(column_types=types, include_columns=list(types), strings_can_be_null=False)
        with self._readable():
            reader = self._open(convert)
        row = 1
        for each in _guarded(self._readable, reader):
            batch = each.rename_columns(list(columns))
            _refuse_line_breaks(batch, self._path, row)
            row += len(batch)
            yield from (batch.slice(start, _MOST_ROWS) for start in range(0, len(batch), _MOST_ROWS))

        # PyArrow takes all that follows an open quotation mark as one cell, to the end of the file.
        with self._readable(), pa.input_stream(str(self._local)) as file:
            marks = sum(block.count(b'"') for block in iter(lambda: file.read(1 << 20), b""))
        if marks % 2:
            raise DataError(
                f"{self._path}: expected quotation marks in pairs, received {marks}: one is opened and never closed. "
                "Write a quotation mark in a cell twice, and put the cell in quotation marks."
            )

    def _open(self, convert: Any) -> Any:
        from pyarrow import csv  # noqa: PLC0415 - loads only when needed

        return csv.open_csv(
            self._local,
            read_options=csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False, skip_rows=self._start.skipped),
            parse_options=csv.ParseOptions(delimiter=self._start.delimiter, newlines_in_values=True),
            convert_options=convert,
        )

    def _readable(self) -> AbstractContextManager[None]:
        return readable(self._path, "CSV", self.types, self._start.skipped + 1)


def open_table(path: str, format_name: str) -> TableFile:
    """Open a file as a table.

    Args:
        path: Path or URI.
        format_name: `parquet` or `csv`.

    Raises:
        DataError: The file cannot be read.
        StorageError: The file does not exist.
    """
    local = storage.stage_in(path)
    return ParquetTable(path, local) if format_name == "parquet" else CsvTable(path, local)


def find_column(names: Collection[str], known: Sequence[str]) -> str:
    """Return the column with one of some names, in upper or lower case, or an empty text."""
    folded = {name.strip().casefold(): name for name in names}
    return next((folded[each] for each in known if each in folded), "")


@contextmanager
def readable(path: str, kind: str, columns: Mapping[str, Any] | None = None, first_lines: int = 1) -> Iterator[None]:
    """Turn a library's errors on a file into a `DataError` that names it.

    Args:
        path: File.
        kind: Format of the file, for the message.
        columns: Types by column of a CSV file.
        first_lines: Number of lines of a CSV file before its first row.
    """
    try:
        yield
    except _ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        row, cell = _CSV_ROW.search(reason), _CSV_CELL.search(reason)
        where = f"{path}: row {int(row[1]) - first_lines}" if row else path
        if cell and columns:
            name = list(columns)[int(cell[1])]
            remedy = _remedy_of_cell(cell[2], columns[name])
            raise DataError(f"{where}: {name}: expected a number, received {cell[2][:80]}. {remedy}") from error
        text = _CSV_ROW.sub("", reason).rstrip(".")[:500]
        raise DataError(f"{where}: cannot be read as {kind}: {text}. {_remedy(reason)}") from error


def _remedy(reason: str) -> str:
    if "utf8" in reason.lower() or "utf-8" in reason.lower():
        return "Save the file as UTF-8."
    if "straddling" in reason or "block boundar" in reason or "out of sync" in reason or '"' in reason:
        return "Look for a quotation mark that is opened and never closed."
    if "columns, got" in reason:
        return "Every row needs as many cells as the first line."
    return "The file may be truncated, damaged, or of another format than its name says."


def _remedy_of_cell(cell: str, kind: Any) -> str:
    """Return what to do about a cell that is no number.

    Args:
        cell: The cell in quotation marks.
        kind: Type of its column.
    """
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    if re.fullmatch(NUMBER, cell.strip("'")) and "," in cell:
        return "It has a decimal comma. Write a decimal point, for instance 0.5 in place of 0,5."
    if pa.types.is_temporal(kind):
        return "The column has times. Write them as numbers, for instance in seconds, or name another column."
    if pa.types.is_string(kind):
        return "The column has text. Write numbers, or name another column."
    return "Correct the cell."


def _refuse_line_breaks(batch: "pa.RecordBatch", path: str, first_row: int) -> None:
    """Refuse cells of text that took the following rows in."""
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed
    from pyarrow import compute  # noqa: PLC0415

    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_string(column.type):
            row = compute.index(compute.match_substring(column, "\n"), True).as_py()
            if row >= 0 and column[row].as_py().lstrip().startswith("["):
                raise DataError(
                    f"{path}: row {first_row + row}: {name}: expected a list such as [0.5, 1.25], received "
                    f"{column[row].as_py()[:60]!r}. An array of NumPy becomes such a list by its method tolist()."
                )
            if row >= 0:
                raise DataError(
                    f"{path}: row {first_row + row}: {name}: a cell with a line break. Look for a quotation mark that "
                    "is opened and never closed."
                )


def _type_of_text(column: "pa.Array") -> Any:
    """Return the type of a column of text whose cells should be numbers or lists, or None for others.

    A cell such as `[0.5, 1.25]` in the first row makes it a column of lists. If half of the cells are numbers, the
    others are mistakes, which are told when they are converted.
    """
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    if not pa.types.is_string(column.type) or not len(column):
        return None
    cell = column[0].as_py()
    text = cell.replace(" ", "") if isinstance(cell, str) else ""
    depth = len(text) - len(text.lstrip("["))
    if not depth:
        return pa.float64() if number_like(column) else None
    return pa.list_(pa.float64()) if depth == 1 else pa.list_(pa.list_(pa.float64()))


def _guarded(guard: Callable[[], AbstractContextManager[None]], batches: Any) -> Iterator["pa.RecordBatch"]:
    iterator = iter(batches)
    while True:
        with guard():
            batch = next(iterator, None)
        if batch is None:
            return
        yield batch
