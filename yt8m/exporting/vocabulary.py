"""Names of classes."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from yt8m.errors import DataError
from yt8m.storage import read_text


def read_vocabulary(uri: str) -> dict[int, str]:
    """Reads class names from a CSV file with columns `Index` and `Name`, such as YouTube-8M's `vocabulary.csv`.

    Rows are found by their `Index`: most of YouTube-8M's are not at that place in the file.

    Args:
        uri: The file.

    Returns:
        Name by class.

    Raises:
        DataError: A column is missing, or an index is no number or occurs twice.
        StorageError: There is no such file.
    """
    rows = csv.DictReader(io.StringIO(read_text(uri)))
    columns = rows.fieldnames or []
    for column in ("Index", "Name"):
        if column not in columns:
            raise DataError(f"{uri}: expected a column '{column}', received {', '.join(columns) or 'nothing'}.")
    names: dict[int, str] = {}
    for row in rows:
        place = f"{uri}: line {rows.line_num}: Index"
        index = row["Index"] or ""  # None in a short row
        if not index.isdecimal():
            raise DataError(f"{place}: expected a class number, received '{index}'.")
        if int(index) in names:
            raise DataError(f"{place}: class {index} occurs twice.")
        names[int(index)] = row["Name"]
    return names


def write_vocabulary(path: Path, names: Mapping[int, str]) -> None:
    """Writes names of classes such that `read_vocabulary` reads them; YouTube-8M's other columns take megabytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("Index", "Name"))
        rows.writerows(names.items())
