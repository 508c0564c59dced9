import io
import time

import pytest
from rich.console import Console

from pipelines.cli.watch import RunDisplay
from pipelines.local.events import Event
from pipelines.runs.state import NodeState, RunState


def shown(events: list[Event], tmp_path_factory: pytest.TempPathFactory, *, terminal: bool = False) -> str:
    """Return the output for events in a run of two nodes."""
    state = RunState(tmp_path_factory.mktemp("root"), "run", {name: NodeState(title=name) for name in ("a", "b")})
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, _environ={})
    with RunDisplay(console, state) as display:
        for event in events:
            if event.kind == "started":
                state.start(event.node, state.root / "log", time.time())
            elif event.kind != "printed":
                state.end(event.node, event.kind, {}, time.time())
            display(event, state)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_nodes_are_counted_as_they_start_and_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    events = [Event("started", "a"), Event("done", "a"), Event("started", "b"), Event("failed", "b")]
    lines = shown(events, tmp_path_factory).splitlines()
    assert lines == ["[0/2] a ...", "[1/2] a done in 0s", "[1/2] b ...", "[1/2] b FAILED in 0s"]


def test_progress_lines_are_shown_and_other_output_is_not(tmp_path_factory: pytest.TempPathFactory) -> None:
    events = [
        Event("started", "a"),
        Event("printed", "a", "Training: 3/10 videos (30%), loss 2"),
        Event("printed", "a", "some library says something"),
    ]
    assert shown(events, tmp_path_factory).splitlines()[1:] == ["          Training: 3/10 videos (30%), loss 2"]


def test_unchanged_nodes_are_one_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    text = shown([Event("unchanged", "a"), Event("unchanged", "b")], tmp_path_factory)
    assert text.splitlines() == ["[2/2] 2 nodes unchanged since an earlier run"]


def test_a_terminal_shows_running_and_waiting_nodes(tmp_path_factory: pytest.TempPathFactory) -> None:
    events = [Event("started", "a"), Event("printed", "a", "Training: 3/10 videos (30%), loss 2")]
    text = shown(events, tmp_path_factory, terminal=True)
    assert "to come: b" in text
