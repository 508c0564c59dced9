"""The nodes of a compiled pipeline and what depends on what, read from the pipeline itself."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pipelines.graph.order import in_order
from yt8m.errors import ConfigError, suggest

# The pipeline's own DAG, among the names of components.
ROOT = ""

Spec = dict[str, Any]


class SpecNode(NamedTuple):
    """A step of a compiled pipeline.

    Attributes:
        name: The task's name, unique in pipelines of ours.
        title: What the user interface shows.
        dag: The component in whose DAG the task is; `ROOT` for the pipeline's own.
        group: The task of that component; empty in the pipeline's own DAG.
        component: The component it executes.
    """

    name: str
    title: str
    dag: str
    group: str
    component: str


class SpecGraph:
    """The steps of a compiled pipeline, sub-pipelines opened up.

    Pipelines of ours pass only artifacts from step to step; parameters come from the pipeline's own.

    Args:
        spec: A `PipelineSpec` as plain data.

    Raises:
        ConfigError: Two steps have one name: no pipeline of ours.
    """

    def __init__(self, spec: Spec) -> None:
        self.name: str = spec["pipelineInfo"]["name"]
        self._spec = spec
        self._nodes: dict[str, SpecNode] = {}
        self._dependencies: dict[str, frozenset[str]] = {}
        self._walk(ROOT, "", {})
        self.nodes = {name: self._nodes[name] for name in in_order(self._dependencies)}

    def __getitem__(self, name: str) -> SpecNode:
        """The step of this name.

        Raises:
            ConfigError: There is none; names the nearest.
        """
        if name not in self.nodes:
            raise ConfigError(f"{self.name}: no node '{name}'. {suggest(name, self.nodes)}")
        return self.nodes[name]

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """All steps that one of these depends on, directly or not."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            new = self._dependencies[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    def descendants(self, name: str) -> set[str]:
        """All steps that depend on this one, directly or not."""
        return {other for other in self.nodes if name in self.ancestors([other])}

    def task(self, name: str) -> Spec:
        """The task of a step; a part of the pipeline, not a copy."""
        task: Spec = dag_of(self._spec, self[name].dag)["tasks"][name]
        return task

    def constant(self, name: str, parameter: str) -> str:
        """The fixed value of a step's parameter; empty if it has none."""
        value = self.task(name).get("inputs", {}).get("parameters", {}).get(parameter, {})
        return str(value.get("runtimeValue", {}).get("constant", ""))

    def executor(self, name: str) -> Spec:
        """The executor of a step; a part of the pipeline, not a copy."""
        executor: Spec = self._spec["deploymentSpec"]["executors"][self.label(name)]
        return executor

    def label(self, name: str) -> str:
        """The name of a step's executor."""
        return str(self._spec["components"][self[name].component]["executorLabel"])

    def _walk(self, dag: str, group: str, given: Mapping[str, frozenset[str]]) -> None:
        """Take in the steps of a DAG, whose input artifacts are made by the steps `given`."""
        # The order of what comes from a protobuf is none.
        for name, task in sorted(dag_of(self._spec, dag)["tasks"].items()):
            component = task["componentRef"]["name"]
            inputs = {
                key: self._producers_of_input(dag, value, given)
                for key, value in task.get("inputs", {}).get("artifacts", {}).items()
            }
            if "dag" in self._spec["components"][component]:
                self._walk(component, name, inputs)
                continue
            if name in self._nodes:
                raise ConfigError(f"{self.name}: two steps are called {name}. `yt8m compile` makes no such pipeline.")
            before = {other for other in task.get("dependentTasks", []) if not self._is_group(dag, other)}
            title = task.get("taskInfo", {}).get("name", name)
            self._nodes[name] = SpecNode(name, title, dag, group, component)
            self._dependencies[name] = frozenset(before.union(*inputs.values()))

    def _producers_of_input(self, dag: str, value: Spec, given: Mapping[str, frozenset[str]]) -> frozenset[str]:
        if "componentInputArtifact" in value:
            return given[value["componentInputArtifact"]]
        source = value.get("taskOutputArtifact")
        return self._producers(dag, source["producerTask"], source["outputArtifactKey"]) if source else frozenset()

    def _producers(self, dag: str, task: str, output: str) -> frozenset[str]:
        """The steps that make an output of a task, which may be a sub-pipeline."""
        if not self._is_group(dag, task):
            return frozenset({task})
        component = dag_of(self._spec, dag)["tasks"][task]["componentRef"]["name"]
        selectors = dag_of(self._spec, component)["outputs"]["artifacts"][output]["artifactSelectors"]
        made = (self._producers(component, each["producerSubtask"], each["outputArtifactKey"]) for each in selectors)
        return frozenset().union(*made)

    def _is_group(self, dag: str, task: str) -> bool:
        component = dag_of(self._spec, dag)["tasks"][task]["componentRef"]["name"]
        return "dag" in self._spec["components"][component]


def dag_of(spec: Spec, component: str) -> Spec:
    """The DAG of a component, or with `ROOT` the pipeline's own."""
    dag: Spec = spec["components"][component]["dag"] if component else spec["root"]["dag"]
    return dag
