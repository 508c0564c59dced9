"""Progress of long work on standard error: a live bar in a terminal, otherwise a plain line every few seconds."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeElapsedColumn

# Seconds between two lines where standard error is not a terminal.
SECONDS_BETWEEN_LINES = 5.0
# `train dbof1: 3/10 steps (30%), 5.2/s, 2s left, loss 1.2`, as `_line` writes it.
_LINE = re.compile(r".+: \d+/\d+ \S+")


class Advance(Protocol):
    """Function that reports finished work to a progress display."""

    def __call__(self, amount: int = 1, note: str = "", *, total: int | None = None) -> None:
        """Add `amount` finished units, and show `note` (loss, rate, ...) beside them.

        Args:
            amount: Number of units that are finished.
            note: What to show beside them. Empty leaves what is shown.
            total: New number of units to do, for work that turns out to be shorter or longer. None changes nothing.
        """


@contextmanager
def progress(description: str, total: int | None, unit: str = "videos", done: int = 0) -> Iterator[Advance]:
    """Show how much work is done, how fast it goes and how long the rest will take.

    The first call of the yielded function only starts the clock, because compiling a model or opening files takes
    much longer than a usual step.

    Args:
        description: Name of the work.
        total: Number of units to do, including `done`; None if it is not known.
        unit: Name of the units, in the plural.
        done: Number of units that an earlier process did. They do not count in the rate.

    Yields:
        A function to call whenever units are finished.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[pace]}"),
        TextColumn("{task.fields[note]}"),
    )
    live = sys.stderr.isatty()
    display = Progress(*columns, console=Console(stderr=True), get_time=time.monotonic)
    identifier = display.add_task(description, total=total, completed=done, unit=unit, pace="", note="")
    task = display.tasks[0]
    last_line = time.monotonic()
    first_step: tuple[float, float] | None = None

    def advance(amount: int = 1, note: str = "", *, total: int | None = None) -> None:
        nonlocal first_step, last_line
        if total is not None:
            display.update(identifier, total=total)
        display.advance(identifier, amount)
        now = time.monotonic()
        first_step = first_step or (now, task.completed)
        if live:
            display.update(identifier, pace=" ".join(_pace(task, *first_step)), note=note or task.fields["note"])
        elif now - last_line >= SECONDS_BETWEEN_LINES or task.completed == task.total:
            last_line = now
            sys.stderr.write(_line(task, [*_pace(task, *first_step), note]) + "\n")
            sys.stderr.flush()

    with display if live else nullcontext():
        yield advance


def is_progress_line(text: str) -> bool:
    """Return whether a line of a log was written by `progress`."""
    return bool(_LINE.match(text))


def duration(seconds: float) -> str:
    """Format seconds as `42s`, `3m05s` or `2h07m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def _line(task: Task, details: list[str]) -> str:
    share = f" ({task.percentage:.0f}%)" if task.total else ""
    of_total = "" if task.total is None else f"/{task.total:.0f}"
    start = f"{task.description}: {task.completed:.0f}{of_total} {task.fields['unit']}{share}"
    return ", ".join([start, *filter(None, details)])


def _pace(task: Task, first_time: float, first_completed: float) -> list[str]:
    """Return the rate and the time left, or an empty list while no rate is known.

    Rich measures the rate over the last half minute. If no step ended in that time, use the mean since the first step.
    """
    seconds = task.get_time() - first_time
    rate = task.speed or ((task.completed - first_completed) / seconds if seconds else 0.0)
    if not rate:
        return []
    left = [f"{duration(task.remaining / rate)} left"] if task.remaining else []
    return [f"{rate:.1f}/s", *left]
