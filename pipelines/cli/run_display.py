"""Shows a run while it goes on: what is done, what is running, what is to come."""

import re
import time

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from pipelines.cli.console import say
from pipelines.local.events import Event
from pipelines.runs.state import FINISHED, NodeState, RunState
from yt8m.progress import duration

# A line of `yt8m.progress`: `train dbof1: 3/10 steps (30%), 5.2/s, 2s left, loss 1.2`.
_PROGRESS = re.compile(r".+: \d+/\d+ \S+")
# Nodes to come that are named in the terminal.
_NAMED = 4


class RunDisplay:
    """Listens to a run and prints; on a terminal with a live part below.

    Args:
        console: Where to.
        state: The run.
    """

    def __init__(self, console: Console, state: RunState) -> None:
        self.console = console
        self.state = state
        self._progress = ""
        self._unchanged = 0
        self._live = Live(self, console=console, refresh_per_second=4, transient=True) if console.is_terminal else None

    def __enter__(self) -> "RunDisplay":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._show_unchanged()
        if self._live:
            self._live.stop()

    def __call__(self, event: Event, state: RunState) -> None:
        """Take in an event."""
        if event.kind == "printed":
            if _PROGRESS.match(event.text):
                self._progress = event.text
                if not self._live:
                    say(self.console, f"          {event.text}")
            return
        if event.kind == "other" or event.node not in state.nodes:
            return
        if event.kind == "unchanged":
            self._unchanged += 1
            return
        self._show_unchanged()
        self._progress = ""
        node = state.nodes[event.node]
        if event.kind == "started":
            if not self._live:
                self.console.print(f"{self._count()} {event.node} ...", markup=False, highlight=False)
        else:
            mark = "done" if event.kind == "done" else "FAILED"
            line = f"{self._count()} {event.node} {mark} in {duration(node.seconds)}{describe_figures(node)}"
            self.console.print(line, markup=False, highlight=False, style="" if event.kind == "done" else "bold red")

    def _show_unchanged(self) -> None:
        if self._unchanged:
            line = f"{self._count()} {self._unchanged} nodes unchanged since an earlier run"
            self.console.print(line, markup=False, highlight=False)
        self._unchanged = 0

    def _count(self) -> str:
        total = len(self.state.nodes)
        return f"[{self.state.count(*FINISHED):>{len(str(total))}}/{total}]"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The live part: the running node with its progress, and the next ones."""
        running = [(name, node) for name, node in self.state.nodes.items() if node.state == "running"]
        for name, node in running:
            yield Text(f"{self._count()} {name}  {duration(time.time() - node.started)}", style="bold")
            yield Text(f"        {self._progress}", style="dim", overflow="ellipsis", no_wrap=True)
        waiting = [name for name, node in self.state.nodes.items() if node.state == "waiting"]
        more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
        if waiting:
            yield Text(f"to come: {', '.join(waiting[:_NAMED])}{more}", style="dim", overflow="ellipsis", no_wrap=True)


def describe_figures(node: NodeState) -> str:
    """A node's most telling figures, for the end of a line."""
    metrics = node.metrics
    parts = [f"GAP {metrics['gap']:.4f}"] if "gap" in metrics else []
    size = size_of(node)
    parts += [describe_bytes(size)] if size else []
    return f"  ({', '.join(parts)})" if parts else ""


def size_of(node: NodeState) -> float | None:
    """The bytes of what a node made or measured, if it says."""
    return next((node.metrics[key] for key in ("bytes_after", "size_bytes", "bytes") if key in node.metrics), None)


def describe_bytes(size: float) -> str:
    """A size in units of 1000, as the paper gives them: `58.7 MB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError
