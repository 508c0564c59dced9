"""A view of a run at one moment, the same for local runs and runs in a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.runs.state import FINISHED, NodeState


@dataclass(frozen=True)
class RunView:
    """A run at one moment.

    Attributes:
        pipeline: Name of the pipeline.
        nodes: State of each node by name.
        state: State of the run as a whole: `running`, `finished`, `not running`, `failed`, `terminated`, ...
        running: Whether the run can still change.
        notes: Lines to print below the table, such as addresses and errors.
    """

    pipeline: str
    nodes: Mapping[str, NodeState]
    state: str
    running: bool
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> int:
        """Number of nodes that are done."""
        return sum(node.state in FINISHED for node in self.nodes.values())
