"""Formats of lines, tables and figures in the output of commands."""

from rich.console import Console
from rich.table import Table

from pipelines.runs.state import NodeState

# Columns to use where the output is not a terminal, so that no table cell is cut off.
WIDTH = 120


def table_console() -> Console:
    """Return a console for tables: as wide as the terminal, or `WIDTH` columns in files and pipes."""
    return Console(width=None if Console().is_terminal else WIDTH)


def say(console: Console, line: str, style: str = "") -> None:
    """Print a line literally: no markup, no highlighting, no line breaks added."""
    console.print(line, markup=False, highlight=False, style=style, soft_wrap=True)


def make_table(names: tuple[str, ...], figures: tuple[str, ...], title: str | None = None) -> Table:
    """Return an empty table.

    Args:
        names: Headers of the left-aligned columns, which come first.
        figures: Headers of the right-aligned columns, which follow.
        title: Line above the table.
    """
    table = Table(title=title, title_justify="left", box=None)
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def describe_bytes(size: float) -> str:
    """Format a size in decimal units, as the paper does: `58.7 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def describe_figures(node: NodeState) -> str:
    """Format a node's GAP and size for the end of a line: `  (GAP 0.8724, 117.0 MB)`, or nothing."""
    parts = [f"GAP {node.metrics['gap']:.4f}"] if "gap" in node.metrics else []
    size = size_of(node)
    parts += [describe_bytes(size)] if size else []
    return f"  ({', '.join(parts)})" if parts else ""


def size_of(node: NodeState) -> float | None:
    """Return the size in bytes of what a node wrote or measured, if its metrics have one."""
    return next((node.metrics[key] for key in ("bytes_after", "size_bytes", "bytes") if key in node.metrics), None)
