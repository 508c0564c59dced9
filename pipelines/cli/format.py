"""Formats of lines, tables and figures in the output of commands."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from pipelines.runs.state import NodeState
from yt8m.report.parts import name_videos

# Columns to use where the output is not a terminal, so that no table cell is cut off.
WIDTH = 120
# Number of names to print before "and N more".
_NAMED = 5


def table_console() -> Console:
    """Return a console for tables: as wide as the terminal, or `WIDTH` columns in files and pipes."""
    return Console(width=None if Console().is_terminal else WIDTH)


def say(console: Console, line: str, style: str = "") -> None:
    """Print a line literally: no markup, no highlighting, no line breaks added."""
    console.print(line, markup=False, highlight=False, style=style, soft_wrap=True)


def list_names(names: Sequence[str]) -> str:
    """Join names, but count those after the first few: `a, b, c, d, e and 3 more`."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def make_table(
    names: tuple[str, ...], figures: tuple[str, ...], rows: Iterable[Sequence[str]] = (), title: str | None = None
) -> Table:
    """Return a table.

    Args:
        names: Headers of the left-aligned columns, which come first.
        figures: Headers of the right-aligned columns, which follow.
        rows: Cells of each row.
        title: Line above the table.
    """
    table = Table(title=title, title_justify="left", box=None)
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def describe_bytes(size: float) -> str:
    """Format a size in decimal units, as the paper does: `58.7 MB`."""
    return decimal(round(size)).replace("bytes", "B")


def figures_of(node: NodeState) -> tuple[str, str]:
    """Return a node's GAP and the size of what it wrote or measured; empty strings for missing figures."""
    gap = f"{node.metrics['gap']:.4f}" if "gap" in node.metrics else ""
    size = next((node.metrics[key] for key in ("bytes_after", "size_bytes", "bytes") if key in node.metrics), 0)
    return gap, describe_bytes(size) if size else ""


def describe_figures(node: NodeState) -> str:
    """Format a node's figures for the end of a line: `  (GAP 0.8724 on 1,050 report videos, 117.0 MB)`, or nothing."""
    gap, size = figures_of(node)
    videos = f" on {name_videos(node.part, node.metrics.get('videos'))}" if node.part else ""
    parts = [f"GAP {gap}{videos}"] if gap else []
    parts += [size] if size else []
    return f"  ({', '.join(parts)})" if parts else ""
