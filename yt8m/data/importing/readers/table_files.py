"""Tables in Parquet and CSV files, read in batches."""

import os
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from yt8m import storage
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
            raise DataError(f"{path}: expected distinct columns, received {', '.join(schema.names)}.")

    def batches(self, columns: Mapping[str, Any]) -> Iterator["pa.RecordBatch"]:
        """Read some columns."""
        metadata = self._file.metadata
        size = sum(metadata.row_group(each).total_byte_size for each in range(metadata.num_row_groups))
        rows = max(1, min(_MOST_ROWS, _BATCH_BYTES * max(metadata.num_rows, 1) // max(size, 1)))
        yield from _guarded(
            self._path, "Parquet", self._file.iter_batches(batch_size=rows, columns=list(columns), use_threads=False)
        )


class CsvTable:
    """A CSV or TSV file, whose first line has the names of the columns."""

    def __init__(self, path: str, local: Path) -> None:
        from pyarrow import csv  # noqa: PLC0415 - loads only when needed

        self._path, self._local = path, local
        self._delimiter = _delimiter(path, local)
        with readable(path, "CSV"):
            reader = self._open(csv.ConvertOptions())
            schema, batch = reader.schema, next(iter(reader), None)
        self.types: Mapping[str, Any] = dict(zip(schema.names, schema.types, strict=True))
        if len(self.types) < len(schema.names):
            raise DataError(f"{path}: expected distinct columns, received {', '.join(schema.names)}.")
        if batch:
            first = batch.slice(0, 1).to_pylist()[0]
            self.types |= {name: kind for name, cell in first.items() if (kind := _list_type(cell))}

    def batches(self, columns: Mapping[str, Any]) -> Iterator["pa.RecordBatch"]:
        """Read some columns, with the given types."""
        import pyarrow as pa  # noqa: PLC0415 - loads only when needed
        from pyarrow import csv  # noqa: PLC0415 - loads only when needed

        convert = csv.ConvertOptions(
            column_types=dict(columns), include_columns=list(columns), strings_can_be_null=False
        )
        with readable(self._path, "CSV"):
            reader = self._open(convert)
        row = 1
        for batch in _guarded(self._path, "CSV", reader):
            _refuse_line_breaks(batch, self._path, row)
            row += len(batch)
            yield from (batch.slice(start, _MOST_ROWS) for start in range(0, len(batch), _MOST_ROWS))

        # PyArrow takes all that follows an open quotation mark as one cell, to the end of the file.
        with readable(self._path, "CSV"), pa.input_stream(str(self._local)) as file:
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
            read_options=csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True),
            convert_options=convert,
        )


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
def readable(path: str, kind: str) -> Iterator[None]:
    """Turn a library's errors on a file into a `DataError` that names it.

    Args:
        path: File.
        kind: Format of the file, for the message.
    """
    try:
        yield
    except _ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        row = _CSV_ROW.search(reason)
        where = f"{path}: row {int(row[1]) - 1}" if row else path  # without the header
        text = _CSV_ROW.sub("", reason).rstrip(".")[:500]
        raise DataError(f"{where}: cannot be read as {kind}: {text}. {_remedy(reason)}") from error


def _remedy(reason: str) -> str:
    if "utf8" in reason.lower() or "utf-8" in reason.lower():
        return "Save the file as UTF-8."
    if "straddling" in reason or "block boundar" in reason or "out of sync" in reason or '"' in reason:
        return "Look for a quotation mark that is opened and never closed."
    if "columns, got" in reason:
        return "Every row needs as many cells as the first line."
    if "conversion error" in reason:
        return "Correct the cell."
    return "The file may be truncated, damaged, or of another format than its name says."


def _refuse_line_breaks(batch: "pa.RecordBatch", path: str, first_row: int) -> None:
    """Refuse cells of text that took the following rows in."""
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed
    from pyarrow import compute  # noqa: PLC0415

    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_string(column.type):
            row = compute.index(compute.match_substring(column, "\n"), True).as_py()
            if row >= 0:
                raise DataError(
                    f"{path}: row {first_row + row}: {name}: a cell with a line break. Look for a quotation mark that "
                    "is opened and never closed."
                )


def _list_type(cell: Any) -> Any:
    """Return the type of a cell such as `[0.5, 1.25]`, or None for other cells."""
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    text = cell.replace(" ", "") if isinstance(cell, str) else ""
    depth = len(text) - len(text.lstrip("["))
    if not depth:
        return None
    return pa.list_(pa.float64()) if depth == 1 else pa.list_(pa.list_(pa.float64()))


def _guarded(path: str, kind: str, batches: Any) -> Iterator["pa.RecordBatch"]:
    iterator = iter(batches)
    while True:
        with readable(path, kind):
            batch = next(iterator, None)
        if batch is None:
            return
        yield batch


def _delimiter(path: str, local: Path) -> str:
    """Return the character between cells: a tab, or the one of `,` and `;` that the first line has."""
    if ".tsv" in os.path.basename(path).lower():  # noqa: PTH119 - may be a URI
        return "\t"
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    with readable(path, "CSV"), pa.input_stream(str(local)) as file:
        line = file.read(1 << 16).partition(b"\n")[0]
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: expected text in UTF-8, received UTF-16. Save the file as UTF-8.")
    return next((each.decode() for each in (b",", b";", b"\t") if each in line), ",")
