"""Reruns of nodes in a local run's folder."""

import secrets
from collections.abc import Sequence
from pathlib import Path

import yaml

from pipelines.kubeflow.component import PROCESS_IMAGE
from pipelines.kubeflow.rerun import (
    bypass_cache,
    choose_nodes,
    compile_with_settings,
    copy_parameters,
    records_of_others,
)
from pipelines.kubeflow.spec import Spec, SpecGraph, prune
from pipelines.local.attempts import keep_attempts, save_attempts
from pipelines.local.containers import find_containers
from pipelines.local.explain import keep_accounts
from pipelines.local.folder import PIPELINE_FILE, RECIPE_FILE, publish_results
from pipelines.local.runner import Listener, LocalRun
from pipelines.runs.state import FINISHED, NodeState, RunState, check_inputs, damaged
from yt8m.errors import StorageError
from yt8m.records.record import read_records
from yt8m.storage import open_atomic, read_text
from yt8m.yaml_files import FASTEST_DUMPER, FASTEST_LOADER

# The pruned pipeline of the last rerun.
RERUN_FILE = "rerun.yaml"
# Last key of a compiled pipeline, because the keys are sorted. A file without it was cut off.
_LAST_KEY = "sdkVersion"


class LocalRerun:
    """A rerun of a node in an existing run, with the same inputs.

    Args:
        root: The run's folder, locked by the caller.
        lock: File descriptor of the folder's lock.
        node: Name of the node.
        settings: Changes of the run's recipe, each as `key=value`.
        downstream: Whether to execute all nodes that depend on the node as well.

    Raises:
        ConfigError: The run has no such node, an input is missing, or the settings affect other nodes.
        DataError: A file of the run is missing or damaged.
    """

    def __init__(self, root: Path, lock: int, node: str, settings: Sequence[str], *, downstream: bool) -> None:
        self.state = RunState.load(root)
        spec = load_spec(root / PIPELINE_FILE)
        graph = SpecGraph(spec)
        self.nodes = choose_nodes(graph, node, downstream=downstream)
        remedy = f"`yt8m run {root / RECIPE_FILE} --root {root}` executes these nodes first."
        check_inputs(node, [*self.nodes.needed, *self.nodes.recorded], self.state.nodes, remedy)
        self._compilation = compile_with_settings(spec, settings, self.nodes, read_data=True)
        compiled = copy_parameters(spec, self._compilation.build(form="local").specs[0], self.nodes.executed, code=True)
        self.spec = self._repeat(compiled, node)
        read_records(str(root), records_of_others(SpecGraph(self.spec), self.nodes.executed))
        self._image = graph.executor(node)["container"]["image"]
        containers = None if self._image == PROCESS_IMAGE else find_containers(self._compilation.recipe, self._image)
        self.execution = LocalRun(self.state, lock, containers)

    def _repeat(self, spec: Spec, node: str) -> Spec:
        """Mark the steps to execute as a new repetition, unless the node failed: it continues what it was doing."""
        if self.state.nodes[node].state in FINISHED | {"stale"}:
            return bypass_cache(spec, self.nodes.executed, attempt=secrets.token_hex(4))
        return keep_attempts(self.state.root, spec, self.nodes.executed)

    def execute(self, listener: Listener) -> bool:
        """Execute the nodes, and mark the nodes that depend on them and were not executed as stale.

        Args:
            listener: See `LocalRun.execute`.

        Returns:
            Whether all nodes are done. If not, the run's pipeline and recipe stay as they were.
        """
        root = self.state.root
        for name in self.nodes.executed:
            before = self.state.nodes[name]
            self.state.nodes[name] = NodeState(title=before.title, group=before.group)
        work = {name: self._compilation.work[name] for name in self.nodes.executed}
        save_attempts(root, self.spec, self.nodes.executed)
        save_spec(root / RERUN_FILE, prune(self.spec, {*self.nodes.executed, *self.nodes.needed}))
        if not self.execution.execute(root / RERUN_FILE, keep_accounts(listener, work, self._image)):
            return False
        self.state.make_stale(self.nodes.stale)
        save_spec(root / PIPELINE_FILE, self.spec)
        self._compilation.save_recipe(root / RECIPE_FILE)
        if self.state.is_finished:
            publish_results(self.state)
        return True


def load_spec(path: Path) -> Spec:
    """Read a compiled pipeline. Its second document, which only Kubernetes needs, is ignored.

    Raises:
        DataError: The file is missing or damaged.
    """
    try:
        spec = next(yaml.load_all(read_text(path), Loader=FASTEST_LOADER), None)
    except (StorageError, yaml.YAMLError) as error:
        raise damaged(path, f"{path}: not a compiled pipeline: {' '.join(str(error).split())}") from None
    if not (isinstance(spec, dict) and _LAST_KEY in spec):
        raise damaged(path, f"{path}: not a compiled pipeline, or cut off.")
    return spec


def save_spec(path: Path, spec: Spec) -> None:
    """Write a compiled pipeline."""
    with open_atomic(path, "w") as file:
        yaml.dump(spec, file, Dumper=FASTEST_DUMPER)
