"""How far a run is, the same for folders here and for clusters: what `yt8m status` shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.runs.lock import is_locked
from pipelines.runs.results import EXPORT_FOLDER, REPORT_FILE
from pipelines.runs.state import FINISHED, NodeState, RunState


@dataclass(frozen=True)
class RunView:
    """A run at one moment.

    Attributes:
        pipeline: The pipeline's name.
        nodes: The state of each node.
        state: What the run as a whole does: `running`, `finished`, `not running`, `failed`, ...
        running: Whether anything can still change.
        notes: What else is to be said.
    """

    pipeline: str
    nodes: Mapping[str, NodeState]
    state: str
    running: bool
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> int:
        """How many nodes are done."""
        return sum(node.state in FINISHED for node in self.nodes.values())


def view_folder(root: Path) -> RunView:
    """The run in a folder.

    Raises:
        DataError: There is none.
    """
    running = is_locked(root)
    state = RunState.load(root)
    nodes = {
        name: node.model_copy(update={"state": "stopped"}) if node.state == "running" and not running else node
        for name, node in state.nodes.items()
    }
    stale = sum(node.state == "stale" for node in nodes.values())
    ended = "finished" if state.count(*FINISHED) == len(nodes) else "not running"
    notes = [f"Report: {root / REPORT_FILE}", f"Model: {root / EXPORT_FOLDER}"] if ended == "finished" else []
    if stale:
        notes.append(f"{stale} nodes are stale: something they depend on was executed again since.")
    return RunView(state.pipeline, nodes, "running" if running else ended, running, tuple(notes))
