"""A node of a local run, executed again; what it reads stays as it is."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from pipelines.kubeflow.pipeline import PROCESS_IMAGE
from pipelines.kubeflow.rerun import RerunNodes, choose_nodes, compile_with_settings, copy_parameters
from pipelines.kubeflow.spec import Spec, SpecGraph, prune
from pipelines.local.containers import find_containers
from pipelines.local.folder import PIPELINE_FILE, RECIPE_FILE, publish_results
from pipelines.local.runner import Listener, LocalRun
from pipelines.recipe.yaml_file import FASTEST_DUMPER, FASTEST_LOADER
from pipelines.runs.state import FINISHED, NodeState, RunState, damaged
from yt8m.errors import ConfigError, DataError, StorageError
from yt8m.storage import open_atomic, read_text

# The part of the pipeline that the last rerun executed.
RERUN_FILE = "rerun.yaml"
# Where nodes keep by key what a repetition must not continue from.
CONTINUED_FOLDERS = ("checkpoints", "soft-targets", "tensorboard")
# Of a compiled pipeline, whose keys are sorted: without it, the file was cut off.
_LAST_KEY = "sdkVersion"


class LocalRerun:
    """One rerun in a run's folder.

    Args:
        root: The run's folder, locked by the caller.
        lock: File descriptor of the root's lock.
        node: The node to execute.
        settings: `key=value` each: entries of the run's recipe that change for it.
        downstream: Whether what depends on it is executed, too.

    Raises:
        ConfigError: There is no such node, what it reads is not there, or the settings concern other nodes.
        DataError: There is no run in this folder.
    """

    def __init__(self, root: Path, lock: int, node: str, settings: Sequence[str], *, downstream: bool) -> None:
        self.root = root
        self.state = RunState.load(root)
        spec = load_spec(root / PIPELINE_FILE)
        graph = SpecGraph(spec)
        self.nodes: RerunNodes = choose_nodes(graph, node, downstream=downstream)
        self._check_needed()
        self._compilation = compile_with_settings(spec, settings, self.nodes, read_data=True)
        self.spec = copy_parameters(spec, self._compilation.specs()[0], self.nodes.executed, code=True)
        image = graph.executor(node)["container"]["image"]
        containers = None if image == PROCESS_IMAGE else find_containers(self._compilation.recipe, image)
        self.execution = LocalRun(self.state, root, lock, containers, forced=[node])

    def execute(self, listener: Listener) -> bool:
        """Execute the nodes; see `LocalRun.execute`. What depends on them and was not executed is stale then."""
        node = self.nodes.executed[0]
        if self.state.nodes[node].state in FINISHED | {"stale"}:
            self._forget(node)
        for name in self.nodes.executed:
            before = self.state.nodes[name]
            self.state.nodes[name] = NodeState(title=before.title, group=before.group)
        save_spec(self.root / RERUN_FILE, prune(self.spec, {*self.nodes.executed, *self.nodes.needed}))
        if not self.execution.execute(self.root / RERUN_FILE, listener):
            return False
        self.state.make_stale(self.nodes.stale)
        save_spec(self.root / PIPELINE_FILE, self.spec)
        self._compilation.save_recipe(self.root / RECIPE_FILE)
        if self.state.is_finished:
            publish_results(self.state)
        return True

    def _check_needed(self) -> None:
        missing = [name for name in self.nodes.needed if self.state.nodes[name].state not in FINISHED]
        if missing:
            states = ", ".join(f"{name} ({self.state.nodes[name].state})" for name in missing)
            raise ConfigError(
                f"{self.nodes.executed[0]}: what it reads is not there or not up to date: {states}. "
                f"`yt8m run {self.root / RECIPE_FILE} --root {self.root}` executes all that is missing."
            )

    def _forget(self, node: str) -> None:
        """Remove what a finished node would be continued from: it would be at its end at once."""
        key = SpecGraph(self.spec).constant(node, "key")
        for folder in CONTINUED_FOLDERS:
            shutil.rmtree(self.root / folder / node / key, ignore_errors=True)


def load_spec(path: Path) -> Spec:
    """Read a compiled pipeline, without the second document, which only Kubernetes needs.

    Raises:
        DataError: There is none, or the file is damaged.
    """
    if not path.exists():
        raise DataError(f"{path.parent}: no run here: {path.name} is missing. Give the --root of a `yt8m run`.")
    try:
        spec = next(yaml.load_all(read_text(path), Loader=FASTEST_LOADER), None)
    except (StorageError, yaml.YAMLError) as error:
        raise damaged(path, f"{path}: no compiled pipeline: {' '.join(str(error).split())}") from None
    if not (isinstance(spec, dict) and _LAST_KEY in spec):
        raise damaged(path, f"{path}: no compiled pipeline, or cut off.")
    return spec


def save_spec(path: Path, spec: Spec) -> None:
    """Write a compiled pipeline."""
    with open_atomic(path, "w") as file:
        yaml.dump(spec, file, Dumper=FASTEST_DUMPER)
