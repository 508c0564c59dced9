"""What commands print to."""

from rich.console import Console

# Columns where the output is no terminal: no cell of a table is cut.
WIDTH = 120


def table_console() -> Console:
    """Where tables are printed."""
    return Console(width=None if Console().is_terminal else WIDTH)


def say(console: Console, line: str, style: str = "") -> None:
    """Print a line as it is, however long."""
    console.print(line, markup=False, highlight=False, style=style, soft_wrap=True)
