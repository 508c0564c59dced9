"""Progress of long work with the time left: a live bar on a terminal, a line now and then elsewhere."""

import sys
import time
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
    TimeRemainingColumn,
)
from rich.text import Text

# Seconds between two lines where the output is not a terminal (a log, a pod, a pipe).
SECONDS_BETWEEN_LINES = 5.0


class Advance(Protocol):
    """Tells the progress display that work was done."""

    def __call__(self, amount: int = 1, note: str = "") -> None:
        """Adds `amount` units; `note` (loss, rate, ...) is shown beside the bar."""


@contextmanager
def progress(description: str, total: int, unit: str = "videos", done: int = 0) -> Iterator[Advance]:
    """Shows how far a piece of work is and how long it will still take.

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


class _RateColumn(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


@contextmanager
def _bar(description: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        _RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(description, total=total, completed=done, note="")

        def advance(amount: int = 1, note: str = "") -> None:
            display.advance(task, amount)
            if note:
                display.update(task, note=note)

        yield advance


@contextmanager
def _lines(description: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    start = last = time.monotonic()
    completed = done

    def line(note: str) -> str:
        elapsed = time.monotonic() - start
        rate = (completed - done) / elapsed if elapsed > 0 else 0.0
        left = f", {duration((total - completed) / rate)} left" if rate > 0 and completed < total else ""
        share = f" ({completed / total:.0%})" if total else ""
        tail = f", {note}" if note else ""
        return f"{description}: {completed}/{total} {unit}{share}, {rate:.1f}/s{left}{tail}"

    def advance(amount: int = 1, note: str = "") -> None:
        nonlocal completed, last
        completed += amount
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES or completed == total:
            last = now
            sys.stderr.write(line(note) + "\n")
            sys.stderr.flush()

    yield advance
