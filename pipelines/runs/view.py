"""A view of a run at one moment, the same for local runs and runs in a cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.runs.state import FINISHED, NodeState
from yt8m.words import count

# Number of warnings to print before "and N more".
_SHOWN_WARNINGS = 5


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


def warning_lines(warnings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Describe the warnings of a run in lines for the terminal, the first ones in full; none if there are none.

    Args:
        warnings: Entries of `warnings` in the run's summary.
    """
    if not warnings:
        return []
    shown = [f"  {each['node']}: {each['title']}. {each['text']}" for each in warnings[:_SHOWN_WARNINGS]]
    more = len(warnings) - len(shown)
    return [
        f"{count(len(warnings), 'warning')}; the report names causes and the settings to change:",
        *shown,
        *([f"  and {more} more"] if more else []),
    ]
