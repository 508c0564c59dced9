"""Figures of single classes: the file and the tables that `yt8m evaluate --by-class` writes."""

import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.cli.format import say
from yt8m.data.vocabulary.names import ClassNames
from yt8m.errors import ConfigError
from yt8m.storage import open_atomic
from yt8m.words import count

if TYPE_CHECKING:
    from pathlib import Path

    from yt8m.class_metrics.figures import ClassFigures

# Number of best and of worst classes in the tables.
_LISTED = 5
_WIDEST_NAME = 40
# Figures in the tables, by header: all of them if the terminal has so many columns.
_WIDE = 70
_NARROW_COLUMNS = {"AP": "average_precision", "videos": "videos"}
_COLUMNS = {
    "AP": "average_precision", "precision": "precision", "recall": "recall", "training": "training_videos",
    "videos": "videos",
}  # fmt: skip
# Spaces between columns.
_GAP = 2


def check_file(path: "Path | None") -> None:
    """Check that a file for figures of classes can be written as CSV.

    Raises:
        ConfigError: Its name does not end in `.csv`.
    """
    if path and path.suffix != ".csv":
        raise ConfigError(f"--by-class: expected a file that ends in .csv, received '{path}'.")


def rows_of(
    figures: "Sequence[ClassFigures]", names: ClassNames, training_videos: Sequence[int] | None
) -> list[dict[str, Any]]:
    """Return a row for each class.

    Args:
        figures: Figures of the classes.
        names: Names of the classes.
        training_videos: Number of training videos of each class. None if they are not known.
    """
    return [
        {
            "index": index,
            "name": names.name(index),
            "average_precision": each.average_precision,
            "precision": each.precision,
            "recall": each.recall,
            "threshold": each.threshold,
            "training_videos": None if training_videos is None else training_videos[index],
            "select_videos": each.deciding_videos,
            "videos": each.videos,
            "predicted_videos": each.predicted_videos,
        }
        for index, each in enumerate(figures)
    ]


def write_rows(path: "Path", rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV, with empty cells for what is not known. The file appears when it is complete."""
    with open_atomic(path, "w") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            # Nine digits tell all 32-bit floats apart: a threshold decides as it was computed.
            writer.writerow({key: f"{each:.9g}" if isinstance(each, float) else each for key, each in row.items()})


def show_rows(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """Print the classes with the best and the worst average precision."""
    known = sorted((row for row in rows if row["average_precision"] is not None), key=_order)
    unknown = len(rows) - len(known)
    if 0 < len(known) <= 2 * _LISTED:
        _show(console, "Classes by average precision", known)
    elif known:
        _show(console, "Best classes by average precision", known[:_LISTED])
        _show(console, "Worst classes by average precision", known[-_LISTED:])
    if unknown:
        say(console, f"{count(unknown, 'class', 'classes')} without a video to measure them on.")


def _order(row: dict[str, Any]) -> tuple[float, int]:
    return -row["average_precision"], row["index"]


def _show(console: Console, title: str, rows: Sequence[dict[str, Any]]) -> None:
    columns = _COLUMNS if console.width >= _WIDE else _NARROW_COLUMNS
    cells = [[str(row["index"]), *(_cell(row[key]) for key in columns.values())] for row in rows]
    headers = ("class", *columns)
    widths = [max(len(header), *(len(each[place]) for each in cells)) for place, header in enumerate(headers)]
    # The name takes what the figures leave: it is cut in a narrow terminal, and they stay.
    longest = max(cell_len(row["name"]) for row in rows)
    room = console.width - sum(widths) - _GAP * len(headers)
    table = Table(title=title, title_justify="left", box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    table.add_column(headers[0], justify="right", no_wrap=True)
    if longest:
        table.add_column("name", no_wrap=True, overflow="ellipsis", width=max(4, min(longest, room, _WIDEST_NAME)))
    for header in columns:
        table.add_column(header, justify="right", no_wrap=True)
    for row, (index, *figures) in zip(rows, cells, strict=True):
        table.add_row(index, *([Text(row["name"])] if longest else []), *figures)
    console.print(table)


def _cell(figure: float | None) -> str:
    if figure is None:
        return ""
    return f"{figure:.3f}" if isinstance(figure, float) else f"{figure:,}"
