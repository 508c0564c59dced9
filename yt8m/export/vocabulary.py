"""Names of classes."""

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

    Rows are found by their `Index`: most of YouTube-8M's are not at that place in the file. A warning tells how many
    classes have no row.

    Args:
        uri: The file; UTF-8, with or without a byte order mark, as Excel writes one.
        num_classes: Classes of the model.

    Returns:
        Name by class.

    Raises:
        DataError: A column or a cell is missing, or an index is no number, no class of the model or occurs twice.
        StorageError: There is no such file.
    """
    rows = csv.DictReader(io.StringIO(read_text(uri).removeprefix("\ufeff")))
    columns = rows.fieldnames or []
    for column in ("Index", "Name"):
        if column not in columns:
            raise DataError(f"{uri}: expected a column '{column}', received {', '.join(columns) or 'nothing'}.")
    names: dict[int, str] = {}
    for row in rows:
        place = f"{uri}: line {rows.line_num}"
        # Cells that a short row lacks are None.
        index, name = row["Index"] or "", row["Name"]
        if not index.isdecimal():
            raise DataError(f"{place}: Index: expected a class number, received '{index}'.")
        if int(index) >= num_classes:
            raise DataError(f"{place}: Index: expected one of {num_classes} classes from 0, received {index}.")
        if int(index) in names:
            raise DataError(f"{place}: Index: class {index} occurs twice.")
        if name is None:
            raise DataError(f"{place}: Name: missing; the row has fewer cells than the first line names columns.")
        names[int(index)] = name
    if missing := num_classes - len(names):
        _LOGGER.warning("%s: %d of %d classes have no name.", uri, missing, num_classes)
    return names


def write_vocabulary(path: Path, names: Mapping[int, str]) -> None:
    """Write names of classes such that `read_vocabulary` reads them; YouTube-8M's other columns take megabytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("Index", "Name"))
        rows.writerows(names.items())
