"""How far a local run is: one small file in its root, for `yt8m status` and for reruns."""

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from yt8m.config import Config
from yt8m.errors import ConfigError, DataError, StorageError
from yt8m.storage import open_atomic, read_text

STATE_FILE = "nodes.json"

State = Literal["waiting", "running", "done", "unchanged", "failed", "stopped", "stale"]
FINISHED: frozenset[State] = frozenset({"done", "unchanged"})


class NodeState(Config):
    """How far a node is.

    Attributes:
        title: What the node does.
        group: Its sub-pipeline.
        state: `unchanged` if an earlier run did the very same work; `stale` if a node it depends on was executed
            again since.
        started: Seconds since 1970; 0 before.
        seconds: How long the step took; of an unchanged node, when it was executed.
        metrics: The node's figures.
        outputs: Artifact paths by name.
        log: The file that holds what the step printed.
    """

    title: str
    group: str = ""
    state: State = "waiting"
    started: float = 0.0
    seconds: float = 0.0
    metrics: Mapping[str, float] = {}
    outputs: Mapping[str, str] = {}
    log: str = ""


class _StateFile(Config):
    """What the file holds."""

    pipeline: str
    nodes: Mapping[str, NodeState]


class RunState:
    """How far a run is; every change is saved at once.

    Args:
        root: The run's folder.
        pipeline: The pipeline's name.
        nodes: The state of each node, in the plan's order.
    """

    def __init__(self, root: Path, pipeline: str, nodes: Mapping[str, NodeState]) -> None:
        self.root = root
        self.pipeline = pipeline
        self.nodes = dict(nodes)

    @classmethod
    def load(cls, root: Path) -> "RunState":
        """Read the state of the run in a folder.

        Raises:
            DataError: There is none, or its file is damaged.
        """
        path = root / STATE_FILE
        if not path.exists():
            raise DataError(f"{root}: no run here: {STATE_FILE} is missing. Give the --root of a `yt8m run`.")
        try:
            file = _StateFile.parse_json(read_text(path), str(path))
        except (ConfigError, StorageError) as error:
            raise damaged(path, str(error)) from None
        return cls(root, file.pipeline, file.nodes)

    def save(self) -> None:
        """Write the file anew, so that a reader sees the old or the new state."""
        nodes = {name: node.model_dump() for name, node in self.nodes.items()}
        text = json.dumps({"pipeline": self.pipeline, "nodes": nodes}, indent=1)
        with open_atomic(self.root / STATE_FILE) as file:
            file.write(text.encode())

    def start(self, name: str, log: Path) -> None:
        """A node begins."""
        self._change(name, state="running", started=time.time(), log=str(log))

    def end(self, name: str, state: State, outputs: Mapping[str, str]) -> None:
        """A node has ended; its figures come from its record."""
        node = self.nodes[name]
        record = _read_record(outputs.get("metrics", ""))
        executed = node.started and state != "unchanged"
        seconds = time.time() - node.started if executed else record.get("seconds", 0.0)
        metrics = record.get("metrics", {})
        self._change(name, state=state, seconds=seconds, metrics=metrics, outputs=dict(outputs))

    def stop(self) -> None:
        """The run has ended; what was running then is not any more."""
        for name, node in self.nodes.items():
            if node.state == "running":
                self._change(name, state="stopped", seconds=time.time() - node.started)

    def make_stale(self, names: Iterable[str]) -> None:
        """Something that these nodes depend on is not what it was when they were executed."""
        for name in names:
            if self.nodes[name].state in FINISHED:
                self._change(name, state="stale")

    def count(self, *states: State) -> int:
        """How many nodes are in one of these states."""
        return sum(node.state in states for node in self.nodes.values())

    def _change(self, name: str, **changes: object) -> None:
        self.nodes[name] = self.nodes[name].model_copy(update=changes)
        self.save()


def damaged(path: Path, problem: str) -> DataError:
    """The error about a file of a run's root that holds something else, with the remedy."""
    return DataError(
        f"{problem}\n{path} is damaged. `yt8m run RECIPE --root {path.parent}` with the run's recipe writes it anew "
        "and does not repeat what is done."
    )


def _read_record(path: str) -> dict[str, dict[str, float]]:
    """A node's record; empty where the file holds several nodes' records or is gone."""
    if not path or not Path(path).is_file():
        return {}
    data = json.loads(Path(path).read_text())
    return data if isinstance(data, dict) else {}
