"""Files in a local run's folder that its present run does not need."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.kubeflow.spec import SpecGraph
from pipelines.local.folder import ARTIFACTS_FOLDER, CACHE_FOLDER, LOGS_FOLDER, PIPELINE_FILE, PIPELINE_LOG, WORK_FOLDER
from pipelines.local.rerun import load_spec
from pipelines.runs.prune import Needs, Pruning, look_through
from pipelines.runs.state import NodeState, RunState
from yt8m import storage
from yt8m.storage import ListedFile


def look_through_folder(root: Path) -> Pruning:
    """Look through the folder of a local run, which the caller has locked.

    Raises:
        DataError: The folder is not that of a run, or a file of the run is damaged.
    """
    root = root.resolve()
    graph = SpecGraph(load_spec(root / PIPELINE_FILE))
    # A node whose artifacts are not all there is executed again.
    states = {name: node for name, node in RunState.load(root).nodes.items() if _has_artifacts(root, node)}
    needs = Needs.of_run(graph, states, ended=False)
    found = look_through(str(root), needs, changed_before=float("inf"))
    outputs = {path for node in states.values() for name, path in node.outputs.items() if name != "record"}
    present = frozenset(Path(path).resolve().parent for path in outputs | found.artifacts)
    own = _OwnFiles(root, frozenset(graph.nodes), needs.unfinished, present)
    kinds, kept = dict(found.superfluous), list(found.kept)
    cached = storage.list_files(root / CACHE_FOLDER)
    artifacts = [file for file in storage.list_files(root / ARTIFACTS_FOLDER) if file not in cached]
    for kind, files, is_needed in (
        ("cache entries", cached, own.needs_cache_entry),
        ("artifacts", artifacts, own.needs_artifact),
        ("logs", storage.list_files(root / LOGS_FOLDER), own.needs_log),
        ("accounts", storage.list_files(root / WORK_FOLDER), own.needs_log),
    ):
        kinds[kind] = tuple(file for file in files if not is_needed(file))
        kept += [file for file in files if is_needed(file)]
    return replace(found, superfluous=kinds, kept=tuple(kept))


@dataclass(frozen=True)
class _OwnFiles:
    """Files that only local runs have.

    Attributes:
        root: The run's folder.
        nodes: Names of the run's nodes.
        unfinished: Names of nodes of which everything stays.
        present: Folders of the executions whose artifacts the run has, or a record that it needs.
    """

    root: Path
    nodes: Collection[str]
    unfinished: Collection[str]
    present: Collection[Path]

    def needs_artifact(self, file: ListedFile) -> bool:
        """Return whether an artifact stays, or a file that is none."""
        parts = Path(file.uri).relative_to(self.root).parts
        return len(parts) <= 3 or self._needs_execution(self.root.joinpath(*parts[:3]))

    def needs_cache_entry(self, file: ListedFile) -> bool:
        """Return whether an entry of KFP's cache stays."""
        try:
            entry = json.loads(storage.read_text(file.uri))
        except ValueError:
            return True
        uris = [value["uri"] for value in entry.values() if isinstance(value, dict) and "uri" in value]
        return not uris or any(self._needs_execution(Path(uri).parent) for uri in uris)

    def needs_log(self, file: ListedFile) -> bool:
        """Return whether a file named after a node stays."""
        path = Path(file.uri)
        return path.stem in self.nodes or path.name == PIPELINE_LOG

    def _needs_execution(self, folder: Path) -> bool:
        return folder in self.present or folder.name in self.unfinished


def _has_artifacts(root: Path, node: NodeState) -> bool:
    """Return whether a node's artifacts and record are in this folder. In a copy of a folder they are elsewhere."""
    paths = [Path(path).resolve() for path in node.outputs.values()]
    return bool(paths) and all(path.is_relative_to(root) and path.exists() for path in paths)
