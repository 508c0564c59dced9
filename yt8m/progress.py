"""Progress of long work with the time left: a live bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

# Seconds between two lines where the output is not a terminal (a log, a pod, a pipe).
SECONDS_BETWEEN_LINES = 5.0
# The time that speed and time left are taken from.
SECONDS_OF_SPEED = 30.0


class Advance(Protocol):
    """Tells the progress display that work was done."""

    def __call__(self, amount: int = 1, note: str = "") -> None:
        """Add `amount` units; `note` (loss, rate, ...) is shown beside the bar."""


@contextmanager
def progress(description: str, total: int, unit: str = "videos", done: int = 0) -> Iterator[Advance]:
    """Show how far a piece of work is and how long it will still take.

    Args:
        description: What is being done.
        total: Units of work in all.
        unit: What is counted.
        done: Units that were done before (resumed work); they do not count in the rate.

    Yields:
        A function to call whenever units were done.
    """
    show = _bar if sys.stderr.isatty() else _lines
    with show(description, total, unit, done) as advance:
        yield advance


def duration(seconds: float) -> str:
    """Seconds as `42s`, `3m05s` or `2h07m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


class _Speed:
    """How fast the work went lately.

    The first step only starts the clock: it takes as long as what is compiled or opened in it.
    """

    def __init__(self) -> None:
        self._steps: deque[tuple[float, int]] = deque()

    def add(self, completed: int) -> None:
        """Note that a step ended now, and how much is completed."""
        now = time.monotonic()
        while len(self._steps) > 1 and self._steps[1][0] <= now - SECONDS_OF_SPEED:
            self._steps.popleft()
        self._steps.append((now, completed))

    def rate(self) -> float:
        """Units per second; 0 as long as it is not known."""
        if not self._steps:
            return 0.0
        (start, before), (end, completed) = self._steps[0], self._steps[-1]
        return (completed - before) / (end - start) if end > start else 0.0

    def left(self, units: int) -> str:
        """The time that so many units will take; empty as long as it is not known."""
        rate = self.rate()
        return f"{duration(units / rate)} left" if rate and units else ""


class _SpeedColumn(ProgressColumn):
    """Units per second and the time left."""

    def __init__(self, speed: _Speed) -> None:
        super().__init__()
        self._speed = speed

    def render(self, task: Task) -> Text:
        rate, left = self._speed.rate(), self._speed.left(int(task.remaining or 0))
        return Text(f"{rate:.1f}/s {left}" if rate else "")


@contextmanager
def _bar(description: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    speed = _Speed()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        _SpeedColumn(speed),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(description, total=total, completed=done, note="")

        def advance(amount: int = 1, note: str = "") -> None:
            display.advance(task, amount)
            speed.add(int(display.tasks[0].completed))
            if note:
                display.update(task, note=note)

        yield advance


@contextmanager
def _lines(description: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    last = time.monotonic()
    completed = done
    speed = _Speed()

    def line(note: str) -> str:
        rate = speed.rate()
        share = f" ({completed / total:.0%})" if total else ""
        parts = (f"{rate:.1f}/s" if rate else "", speed.left(total - completed), note)
        return ", ".join([f"{description}: {completed}/{total} {unit}{share}", *filter(None, parts)])

    def advance(amount: int = 1, note: str = "") -> None:
        nonlocal completed, last
        completed += amount
        speed.add(completed)
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES or completed == total:
            last = now
            sys.stderr.write(line(note) + "\n")
            sys.stderr.flush()

    yield advance
