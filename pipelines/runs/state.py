"""State of a run's nodes, and the file in a local run's folder that holds it."""

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pipelines.graph.plan import Plan
from yt8m.config import Config, ConfigFile
from yt8m.errors import ConfigError, DataError, StorageError

STATE_FILE = "nodes.json"

State = Literal["waiting", "running", "done", "unchanged", "failed", "stopped", "stale", "not known"]
FINISHED: frozenset[State] = frozenset({"done", "unchanged"})


class NodeState(Config):
    """State of a node.

    Attributes:
        title: Short description of the node's work.
        group: Name of the sub-pipeline that contains the node.
        state: State of the node. `unchanged` means that the results come from an earlier run; `stale` means that a
            node it depends on was executed again after it; `not known` means that the cluster does not tell it.
        reason: Why the node failed or waits; empty if there is nothing to say.
        attempts: Number of pods that were started for the node; 2 means that it was repeated once.
        started: Time at which the node started, in seconds since 1970; 0 if it has not started.
        seconds: Duration of the step in seconds. For an unchanged node, the duration of the original execution.
        metrics: Metrics of the node by name.
        part: Part of the hold-out on which its GAP was computed: `report` or `hold-out`; empty if it has none.
        outputs: Paths of the node's artifacts by name, and of its record as `record`.
        log: Path of the file with the step's output.
    """

    title: str
    group: str = ""
    state: State = "waiting"
    reason: str = ""
    attempts: int = 0
    started: float = 0.0
    seconds: float = 0.0
    metrics: Mapping[str, float] = {}
    part: str = ""
    outputs: Mapping[str, str] = {}
    log: str = ""


class _StateFile(ConfigFile):
    """Content of the state file."""

    pipeline: str
    nodes: Mapping[str, NodeState]


class RunState:
    """State of a local run. Every change is written to the run's folder at once.

    Args:
        root: The run's folder.
        pipeline: Name of the pipeline.
        nodes: State of each node by name, in the order of the plan.
    """

    def __init__(self, root: Path, pipeline: str, nodes: Mapping[str, NodeState]) -> None:
        self.root = root
        self.pipeline = pipeline
        self.nodes = dict(nodes)

    @classmethod
    def of_plan(cls, root: Path, plan: Plan) -> "RunState":
        """Return the state of a new run, in which all nodes wait."""
        nodes = {name: NodeState(title=node.title, group=node.group) for name, node in plan.nodes.items()}
        return cls(root, plan.name, nodes)

    @classmethod
    def load(cls, root: Path) -> "RunState":
        """Read the state of the run in a folder.

        Raises:
            DataError: The state file is missing or damaged.
        """
        path = root / STATE_FILE
        try:
            file = _StateFile.load(path)
        except (ConfigError, StorageError) as error:
            raise damaged(path, str(error)) from None
        return cls(root, file.pipeline, file.nodes)

    @property
    def is_finished(self) -> bool:
        """True if all nodes are done."""
        return self.count(*FINISHED) == len(self.nodes)

    def save(self) -> None:
        """Replace the state file atomically."""
        _StateFile(pipeline=self.pipeline, nodes=self.nodes).save(self.root / STATE_FILE)

    def start(self, name: str, log: Path, moment: float) -> None:
        """Mark a node as running since `moment`, in seconds since 1970, with its output in the file `log`."""
        self._change(name, state="running", started=moment, log=str(log))

    def end(self, name: str, state: State, outputs: Mapping[str, str], moment: float) -> None:
        """Store a node's final state, with the metrics of its record.

        Args:
            name: Name of the node.
            state: Final state of the node.
            outputs: Paths of the node's artifacts by name, and of its record as `record`.
            moment: Time of the node's end in seconds since 1970.
        """
        node = self.nodes[name]
        record = _read_record(outputs.get("record", ""))
        executed = node.started and state != "unchanged"
        seconds = moment - node.started if executed else record.get("seconds", 0.0)
        metrics, part = record.get("metrics", {}), record.get("details", {}).get("part", "")
        self._change(name, state=state, seconds=seconds, metrics=metrics, part=part, outputs=dict(outputs))

    def stop(self) -> None:
        """Mark nodes that are still running as stopped, because the run has ended."""
        for name, node in self.nodes.items():
            if node.state == "running":
                self._change(name, state="stopped", seconds=time.time() - node.started)

    def make_stale(self, names: Iterable[str]) -> None:
        """Mark the nodes with these names as stale, except those that are not done."""
        for name in names:
            if self.nodes[name].state in FINISHED:
                self._change(name, state="stale")

    def count(self, *states: State) -> int:
        """Return the number of nodes in one of these states."""
        return sum(node.state in states for node in self.nodes.values())

    def _change(self, name: str, **changes: object) -> None:
        self.nodes[name] = self.nodes[name].model_copy(update=changes)
        self.save()


def damaged(path: Path, problem: str) -> DataError:
    """Return the error for a damaged file in a run's folder, with the remedy."""
    return DataError(
        f"{problem}\n{path} is damaged. `yt8m run RECIPE --root {path.parent}` with the run's recipe writes it again "
        "and keeps all finished work."
    )


def check_inputs(node: str, needed: Iterable[str], states: Mapping[str, NodeState], remedy: str) -> None:
    """Check that the results that a node needs exist, before the node is executed again.

    Args:
        node: Name of the node.
        needed: Names of its direct and indirect dependencies.
        states: State of each node by name.
        remedy: Last sentence of the error message.

    Raises:
        ConfigError: A dependency is not done.
    """
    missing = [f"{name} ({states[name].state})" for name in needed if states[name].state not in FINISHED]
    if missing:
        raise ConfigError(f"{node}: its inputs are missing or stale: {', '.join(missing)}. {remedy}")


def _read_record(path: str) -> dict[str, Any]:
    """Return a node's record, or nothing if it is missing."""
    if not path or not Path(path).is_file():
        return {}
    record: dict[str, Any] = json.loads(Path(path).read_text())
    return record
