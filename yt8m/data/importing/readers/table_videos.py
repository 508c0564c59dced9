"""Videos in tables: one row per video or per frame."""

import logging
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from yt8m.data.importing.options import SourceOptions
from yt8m.data.importing.readers.columns import (
    Columns,
    feature_values,
    find_columns,
    has_usual_names,
    hint_at_names,
    is_nested,
)
from yt8m.data.importing.readers.csv_header import refuse_doubtful, refuse_numbers, some
from yt8m.data.importing.readers.paths import PathList, stem
from yt8m.data.importing.readers.rows import Block, videos_of_frames, videos_of_rows
from yt8m.data.importing.readers.table_files import TableFile, open_table
from yt8m.data.importing.video import RawVideo
from yt8m.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_LOGGER = logging.getLogger("yt8m.data")


class TableVideos:
    """Videos in Parquet or CSV files.

    Args:
        files: Files.
        format_name: `parquet` or `csv`.
        options: Options of the source.
    """

    def __init__(self, files: PathList, format_name: str, options: SourceOptions) -> None:
        self._files, self._format, self._options = files, format_name, options
        self._layout: str = options.layout
        table = open_table(files[0], format_name)
        columns = self._columns(table, files[0])
        if self._layout == "auto":
            self._layout = self._guess(table, columns)
        if columns.unused:
            _LOGGER.warning("%s: columns that are not used: %s", files[0], some(columns.unused))

    def __iter__(self) -> Iterator[RawVideo]:
        blocks = (block for path in self._files for block in self._blocks(path))
        return videos_of_rows(blocks) if self._layout == "row" else videos_of_frames(blocks)

    def _blocks(self, path: str) -> Iterator[Block]:
        table = open_table(path, self._format)
        columns = self._columns(table, path)
        if self._layout != "file" and not columns.id:
            raise _no_ids(path, table)
        row = 1
        for batch in table.batches(columns.types(table.types)):
            if len(batch):
                yield self._block(batch, columns, path, row)
            row += len(batch)

    def _block(self, batch: "pa.RecordBatch", columns: Columns, path: str, row: int) -> Block:
        labels = _cells(batch, columns.labels)
        return Block(
            file=path,
            first_row=row,
            ids=[stem(path)] * len(batch) if self._layout == "file" else batch.column(columns.id).to_pylist(),
            arrays={
                name: feature_values(batch, parts, _places(path, row, name)) for name, parts in columns.features.items()
            },
            labels=None if labels is None else [() if each is None else each for each in labels],
            groups=_cells(batch, columns.group),
            weights=_cells(batch, columns.weight),
            frames=None if self._layout == "row" else _cells(batch, columns.frame),
        )

    def _columns(self, table: TableFile, path: str) -> Columns:
        if self._format == "csv" and not has_usual_names(table.types):
            refuse_numbers(list(table.types), path)
            refuse_doubtful(table.types, path)
        return find_columns(table.types, self._options, path)

    def _guess(self, table: TableFile, columns: Columns) -> str:
        """Return the layout of the first file.

        Raises:
            DataError: There are two readings.
        """
        path = self._files[0]
        if not columns.id:
            raise _no_ids(path, table)
        if any(is_nested(table.types[parts[0]]) for parts in columns.features.values()):
            return "row"
        if columns.frame:
            return "frame"
        batch = next((each for each in table.batches(columns.types(table.types)) if len(each)), None)
        ids = batch.column(columns.id).to_pylist() if batch is not None else []
        runs = [(identity, len(list(rows))) for identity, rows in groupby(ids)]
        repeated = [identity for identity, count in runs if count > 1]
        if not repeated:
            return "row"
        if 2 * len(repeated) > len(runs):
            return "frame"
        row = next(index for index in range(1, len(ids)) if ids[index] == ids[index - 1]) + 1
        raise DataError(
            f"{path}: row {row}: id '{repeated[0]}' occurs twice, first in row {row - 1}, and most other ids once: "
            "this can be read in two ways. Say --layout frame if a row is a frame. If a row is a video, ids must be "
            "distinct: remove one of both rows, or say --layout row to see all checks."
        )


def _places(path: str, first_row: int, feature: str) -> Callable[[int], str]:
    return lambda index: f"{path}: row {first_row + index}: {feature}"


def _cells(batch: "pa.RecordBatch", column: str) -> list[Any] | None:
    return batch.column(column).to_pylist() if column else None


def _no_ids(path: str, table: TableFile) -> DataError:
    return DataError(
        f"{path}: expected a column with the videos' ids, received the columns {some(table.types)}. Name it with "
        f"--id-column.{hint_at_names(table.types, path)} If every file is one video and its rows are frames, say "
        "--layout file; the files' names are the ids then."
    )
