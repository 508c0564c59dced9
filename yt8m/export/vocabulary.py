"""Vocabularies: class names from and to CSV files."""

import csv
import io
import logging
from collections.abc import Mapping
from pathlib import Path

from yt8m.errors import DataError
from yt8m.storage import read_text

_LOGGER = logging.getLogger("yt8m.export")


def read_vocabulary(uri: str, num_classes: int) -> dict[int, str]:
    """Read class names from a CSV file with columns `Index` and `Name`, such as YouTube-8M's `vocabulary.csv`.

    Rows are identified by `Index`, since YouTube-8M's vocabulary is not sorted by it. Logs a warning with the number of
    classes that have no row.

    Args:
        uri: URI of the file, in UTF-8 with or without a byte order mark (Excel writes one).
        num_classes: Number of classes of the model.

    Returns:
        Names by class.

    Raises:
        DataError: A column or cell is missing, or an index is not a number, not a class of the model, or a duplicate.
        StorageError: The file does not exist.
    """
    rows = csv.DictReader(io.StringIO(read_text(uri).removeprefix("\ufeff")))
    columns = rows.fieldnames or []
    for column in ("Index", "Name"):
        if column not in columns:
            raise DataError(f"{uri}: expected a column '{column}', received {', '.join(columns) or 'nothing'}.")
    names: dict[int, str] = {}
    for row in rows:
        line = f"{uri}: line {rows.line_num}"
        # Missing cells of a short row are None.
        index, name = row["Index"] or "", row["Name"]
        if not index.isdecimal():
            raise DataError(f"{line}: Index: expected a class number, received '{index}'.")
        if int(index) >= num_classes:
            raise DataError(f"{line}: Index: expected one of {num_classes} classes from 0, received {index}.")
        if int(index) in names:
            raise DataError(f"{line}: Index: class {index} occurs twice.")
        if name is None:
            raise DataError(f"{line}: Name: missing; the row has fewer cells than the header.")
        names[int(index)] = name
    if missing := num_classes - len(names):
        _LOGGER.warning("%s: %d of %d classes have no name.", uri, missing, num_classes)
    return names


def write_vocabulary(path: Path, names: Mapping[int, str]) -> None:
    """Write class names for `read_vocabulary`, without YouTube-8M's other columns, which take megabytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("Index", "Name"))
        rows.writerows(names.items())
