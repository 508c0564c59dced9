"""Live views of runs: progress of a run in this process, and the table of any run's nodes."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pipelines.cli.format import describe_figures, figures_of, list_names, say
from pipelines.local.events import Event
from pipelines.runs.state import FINISHED, NodeState, RunState
from pipelines.runs.view import RunView
from yt8m.errors import ClusterError
from yt8m.progress import duration, is_progress_line
from yt8m.storage.retry import DEADLINE_VARIABLE
from yt8m.words import count

if TYPE_CHECKING:
    from pipelines.cluster.client import Cluster

# Style of a row by the state of its node.
STYLES = {
    "running": "bold cyan",
    "failed": "bold red",
    "stopped": "yellow",
    "stale": "yellow",
    "waiting": "dim",
    "not known": "dim",
}
# Columns of the table of nodes, and those with figures.
_COLUMNS = ("node", "part of", "state", "time", "GAP", "size", "reason")
_FIGURES = frozenset({"time", "GAP", "size"})
# Seconds between two requests to a cluster.
SECONDS_BETWEEN_REQUESTS = 5.0
# Seconds to keep asking a cluster that stopped answering. Proxies and port forwards can break and come back.
PATIENCE_SECONDS = 300.0
# Seconds to try to read records from an object store. A slow store must not hold up the table of states.
RECORDS_DEADLINE_SECONDS = "10"


class RunDisplay:
    """Shows the events of a local run: lines, and on a terminal a live display below them.

    Args:
        console: Console to print to.
        state: State of the run, which changes while it goes on.
    """

    def __init__(self, console: Console, state: RunState) -> None:
        self.console = console
        self.state = state
        self._progress: dict[str, str] = {}
        self._unchanged = 0
        columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("nodes"), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task("", total=len(state.nodes))
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "RunDisplay":
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._show_unchanged()
        self._live.stop()

    def __call__(self, event: Event, state: RunState) -> None:
        """Show an event, given the state after it."""
        if event.kind == "printed":
            if is_progress_line(event.text):
                self._progress[event.node] = event.text
                if not self._live.is_started:
                    say(self.console, f"          {event.text}")
            return
        if event.kind == "unchanged":
            self._unchanged += 1
            return
        self._show_unchanged()
        if event.kind == "started":
            if not self._live.is_started:
                say(self.console, f"{self._count()} {event.node} ...")
            return
        node, done = state.nodes[event.node], event.kind == "done"
        mark = "done" if done else "FAILED"
        line = f"{self._count()} {event.node} {mark} in {duration(node.seconds)}{describe_figures(node)}"
        say(self.console, line, style="" if done else "bold red")

    def _show_unchanged(self) -> None:
        """Print one line for all unchanged nodes since the last line."""
        if self._unchanged:
            say(self.console, f"{self._count()} {count(self._unchanged, 'node')} unchanged since an earlier run")
        self._unchanged = 0

    def _count(self) -> str:
        total = len(self.state.nodes)
        return f"[{self.state.count(*FINISHED):>{len(str(total))}}/{total}]"

    def _render(self) -> Group:
        """Draw the live display: running nodes with their progress, waiting nodes, a bar for the whole run."""
        lines = []
        for name, node in self.state.nodes.items():
            if node.state == "running":
                lines.append(Text(f"{name}  {duration(time.time() - node.started)}", style="bold"))
                lines.append(_dim(f"    {self._progress.get(name, '')}"))
        waiting = [name for name, node in self.state.nodes.items() if node.state == "waiting"]
        if waiting:
            lines.append(_dim(f"to come: {list_names(waiting)}"))
        self._bar.update(self._task, completed=self.state.count(*FINISHED))
        return Group(*lines, self._bar)


def _dim(line: str) -> Text:
    return Text(line, style="dim", overflow="ellipsis", no_wrap=True)


def show_run(console: Console, read: Callable[[], RunView], wait_seconds: float, *, follow: bool) -> None:
    """Print a table of a run's nodes.

    With `follow`, update it until the run ends, and exit with code 1 if the run did not finish. Without a terminal,
    print a line for every node that changes instead, and the table at the end.

    Args:
        console: Console to print to.
        read: Returns the current view of the run.
        wait_seconds: Seconds to wait between two calls of `read`.
        follow: Whether to wait for the end of the run.

    Raises:
        ClusterError: The cluster did not answer for `PATIENCE_SECONDS`.
    """
    view = read()
    is_live = follow and console.is_terminal
    live = Live(_table(view), console=console, auto_refresh=False, transient=True) if is_live else None
    with live or nullcontext():
        while follow and view.running:
            time.sleep(wait_seconds)
            before, view = view, _read_patiently(read, wait_seconds)
            if live:
                live.update(_table(view), refresh=True)
            else:
                _print_changes(console, before, view)
    console.print(_table(view))
    for note in view.notes:
        say(console, note)
    if follow and view.state != "finished":
        sys.exit(1)


def cluster_reader(cluster: "Cluster", run_id: str) -> Callable[[], RunView]:
    """Return a function that fetches the current view of a cluster run."""
    from pipelines.cluster.run import ClusterRun

    os.environ.setdefault(DEADLINE_VARIABLE, RECORDS_DEADLINE_SECONDS)
    run: ClusterRun | None = None

    def read() -> RunView:
        nonlocal run
        if run:
            run.refresh()
        else:
            run = ClusterRun(cluster, run_id)
        return run.view()

    return read


def announce(console: Console, cluster: "Cluster", run_id: str, *, wait: bool) -> None:
    """Print where to find a new cluster run. With `wait`, follow it and exit with code 1 if it fails."""
    say(console, f"Run:      {run_id}")
    say(console, f"Page:     {cluster.address(run_id)}")
    if wait:
        show_run(console, cluster_reader(cluster, run_id), SECONDS_BETWEEN_REQUESTS, follow=True)
    else:
        say(console, f"Follow:   yt8m status {run_id} --host {cluster.access.host} --follow")


def _read_patiently(read: Callable[[], RunView], wait_seconds: float) -> RunView:
    deadline = time.monotonic() + PATIENCE_SECONDS
    is_told = False
    while True:
        try:
            return read()
        except ClusterError as error:
            if time.monotonic() > deadline:
                raise
            if not is_told:
                click.echo(f"{error}\nStill trying, for {duration(PATIENCE_SECONDS)}.", err=True)
            is_told = True
            time.sleep(wait_seconds)


def _print_changes(console: Console, before: RunView, view: RunView) -> None:
    for name, node in view.nodes.items():
        if _state(node) != _state(before.nodes[name]):
            taken = f" in {duration(node.seconds)}" if node.state in FINISHED and node.seconds else ""
            reason = f": {node.reason}" if node.reason else ""
            count = f"[{view.finished}/{len(view.nodes)}]"
            say(console, f"{count} {name} {_state(node)}{taken}{reason}{describe_figures(node)}")


def _table(view: RunView) -> Group:
    """Draw the nodes, without columns that would be empty, below a line about the run."""
    unknown = sum(node.state == "not known" for node in view.nodes.values())
    parts = [
        f"{view.finished} of {len(view.nodes)} nodes done",
        *([f"{unknown} not known"] if unknown else []),
        view.state,
    ]
    rows = [
        (name, node.group, _state(node), _time(node), *figures_of(node), node.reason)
        for name, node in view.nodes.items()
    ]
    columns = [number for number in range(len(_COLUMNS)) if any(row[number] for row in rows)]
    measured = {node.part for node in view.nodes.values() if node.part and "gap" in node.metrics}
    table = Table(box=None)
    for number in columns:
        title = _COLUMNS[number]
        shown = f"GAP ({', '.join(sorted(measured))})" if title == "GAP" and measured else title
        table.add_column(shown, justify="right" if title in _FIGURES else "left", no_wrap=title != "reason")
    for row, node in zip(rows, view.nodes.values(), strict=True):
        table.add_row(*(row[number] for number in columns), style=STYLES.get(node.state, ""))
    return Group(Text(f"{view.pipeline}: {', '.join(parts)}", style="italic"), table)


def _state(node: NodeState) -> str:
    return f"{node.state} (attempt {node.attempts})" if node.attempts > 1 else node.state


def _time(node: NodeState) -> str:
    if node.state == "running":
        return duration(time.time() - node.started)
    return duration(node.seconds) if node.seconds else ""
