"""The table of a run's nodes: once, or again and again until the run ends."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipelines.cli.console import say
from pipelines.cli.run_display import describe_bytes, describe_figures, size_of
from pipelines.runs.state import FINISHED, NodeState
from pipelines.runs.view import RunView
from yt8m.errors import ClusterError
from yt8m.progress import duration

STYLES = {"running": "bold cyan", "failed": "bold red", "stopped": "yellow", "stale": "yellow", "waiting": "dim"}
# For so long a cluster that does not answer any more is asked again: a proxy or a port-forward can break.
PATIENCE_SECONDS = 300.0


def show(console: Console, view: RunView) -> None:
    """Print the table, and what else is to be said."""
    console.print(_table(view))
    for note in view.notes:
        say(console, note)


def follow(console: Console, read: Callable[[], RunView], wait_seconds: float) -> RunView:
    """Show the table until the run ends; where the output is no terminal, a line for every node that changes.

    Args:
        console: Where to.
        read: Looks at the run.
        wait_seconds: Between two looks.

    Returns:
        The run at its end.

    Raises:
        ClusterError: The run cannot be looked at any more.
    """
    view = read()
    if console.is_terminal:
        with Live(_table(view), console=console, auto_refresh=False, transient=True) as live:
            while view.running:
                time.sleep(wait_seconds)
                view = _read_patiently(read, wait_seconds)
                live.update(_table(view), refresh=True)
    while view.running:
        time.sleep(wait_seconds)
        before, view = view, _read_patiently(read, wait_seconds)
        _tell_changes(console, before, view)
    show(console, view)
    return view


def _read_patiently(read: Callable[[], RunView], wait_seconds: float) -> RunView:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return read()
        except ClusterError:
            if time.monotonic() > deadline:
                raise
            time.sleep(wait_seconds)


def _tell_changes(console: Console, before: RunView, view: RunView) -> None:
    for name, node in view.nodes.items():
        if node.state != before.nodes[name].state:
            time_taken = f" in {_time(node)}" if node.state in FINISHED and _time(node) else ""
            line = f"[{view.finished}/{len(view.nodes)}] {name} {node.state}{time_taken}{describe_figures(node)}"
            say(console, line)


def _table(view: RunView) -> Table:
    title = f"{view.pipeline}: {view.finished} of {len(view.nodes)} nodes done, {view.state}"
    table = Table(title=title, title_justify="left", box=None)
    for name in ("node", "part of", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("time", "GAP", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, node in view.nodes.items():
        gap = f"{node.metrics['gap']:.4f}" if "gap" in node.metrics else ""
        size = size_of(node)
        cells = (name, node.group, node.state, _time(node), gap, describe_bytes(size) if size else "")
        table.add_row(*cells, style=STYLES.get(node.state, ""))
    return table


def _time(node: NodeState) -> str:
    if node.state == "running":
        return duration(time.time() - node.started)
    return duration(node.seconds) if node.seconds else ""
