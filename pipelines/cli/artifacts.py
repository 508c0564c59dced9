"""Artifacts of the nodes of a run, local or in a cluster, for commands that copy or use them."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from pipelines.cli.options import local_root
from pipelines.cli.watch import RECORDS_DEADLINE_SECONDS
from pipelines.cluster.access import ClusterAccess
from pipelines.local.folder import view_folder
from pipelines.runs.state import FINISHED, NodeState
from yt8m import storage
from yt8m.errors import DataError
from yt8m.records.record import NodeRecord
from yt8m.storage.interface import MissingObjectError
from yt8m.storage.retry import DEADLINE_VARIABLE

# Copies an artifact by name to a path that does not exist. Returns whether its content was verified.
Copy = Callable[[str, Path], bool]


class NodeArtifacts(NamedTuple):
    """The artifacts of a node, by names that `copy` knows."""

    names: tuple[str, ...]
    copy: Copy


class RunArtifacts:
    """The nodes of a run, and their artifacts.

    Args:
        run: Root of a local run, or id of a run in a cluster.
        access: Access to the cluster.

    Attributes:
        run: The run, as given.
        title: What to call it in messages.
        name: Name of the run.
        nodes: Names of its nodes.

    Raises:
        DataError: There is no such run.
    """

    def __init__(self, run: str, access: ClusterAccess) -> None:
        self.run = run
        self._folder = local_root(run, access)
        self.title = str(self._folder) if self._folder else f"run {run}"
        if self._folder:
            self._states: Mapping[str, NodeState] = view_folder(self._folder).nodes
            self.name, self.nodes = self._folder.absolute().name, tuple(self._states)
            return
        from pipelines.cluster.client import Cluster
        from pipelines.cluster.run import ClusterRun

        os.environ.setdefault(DEADLINE_VARIABLE, RECORDS_DEADLINE_SECONDS)
        self._run = ClusterRun(Cluster(access), run)
        name = re.sub(r"[^\w.-]+", "-", str(self._run.run.display_name or self._run.graph.name)).strip("-.")
        self.name, self.nodes = name or "run", tuple(self._run.graph.nodes)

    def of(self, node: str) -> NodeArtifacts:
        """Return the artifacts of a node.

        Raises:
            DataError: It has none yet.
        """
        if self._folder:
            return self._here(node)
        from pipelines.cluster.fetch import StepArtifacts

        artifacts = StepArtifacts(self._run, node)
        return NodeArtifacts(tuple(artifacts.uris), artifacts.fetch)

    def record(self, node: str) -> NodeRecord | None:
        """Return the record of a node, if there is one."""
        if not self._folder:
            from pipelines.cluster.fetch import StepArtifacts

            return StepArtifacts(self._run, node).record
        path = Path(self._states[node].outputs.get("record", ""))
        return NodeRecord.parse_json(storage.read_text(path), str(path)) if path.is_file() else None

    def place(self, node: str, name: str, folder: Path) -> Path:
        """Return the path of an artifact on this machine, for reading.

        Args:
            node: Name of a node, which must have ended well.
            name: Name of the artifact.
            folder: Folder for the copy of an artifact that is not on this machine.

        Raises:
            DataError: The node has not finished, or the artifact is gone.
        """
        if self._folder:
            state = self._states[node].state
            if state not in FINISHED:
                remedy = {
                    "running": "Wait until it has ended.",
                    "stale": "A node that it depends on was executed again. Execute it, too: `yt8m rerun`.",
                }.get(state, "`yt8m run` with the run's recipe continues the run.")
                raise DataError(f"{self.title}: node {node} has no result to use; it is {state}. {remedy}")
        artifacts = self.of(node)
        path = Path(self._states[node].outputs.get(name, "")) if self._folder else folder / f"{node}-{name}"
        if name not in artifacts.names:
            raise DataError(f"{self.title}: node {node} has no artifact {name}. It has: {', '.join(artifacts.names)}.")
        if not self._folder:
            artifacts.copy(name, path)
        elif not path.exists():
            raise DataError(
                f"{path}: gone, although node {node} of {self.title} wrote it. If the folder of the run was moved, "
                "move it back. Otherwise `yt8m run` with the run's recipe writes it again."
            )
        return path

    def _here(self, node: str) -> NodeArtifacts:
        outputs = {name: path for name, path in self._states[node].outputs.items() if name != "record"}
        if not outputs:
            raise DataError(f"{self.title}: node {node} has no artifacts; it is {self._states[node].state}.")

        def copy(name: str, target: Path) -> bool:
            source = Path(outputs[name])
            if not source.exists():
                raise MissingObjectError(f"{source}: there is no such file.")
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copyfile(source, target)
            return True

        return NodeArtifacts(tuple(outputs), copy)
