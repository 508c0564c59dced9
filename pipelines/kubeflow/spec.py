"""A compiled pipeline as plain data: its steps, their dependencies, and the part of it that some steps need."""

import copy
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from pipelines.graph.plan import in_order
from yt8m.errors import ConfigError, suggest

# Name under which the pipeline's own DAG stands among those of the components.
ROOT = ""

Spec = dict[str, Any]


class SpecNode(NamedTuple):
    """A step of a compiled pipeline.

    Attributes:
        name: The task's name, unique in pipelines of this project.
        title: The name in user interfaces.
        dag: The component whose DAG contains the task; `ROOT` for the pipeline's own DAG.
        group: The sub-pipeline's task; empty in the pipeline's own DAG.
        component: The component that the task executes.
    """

    name: str
    title: str
    dag: str
    group: str
    component: str


class SpecGraph:
    """Steps of a compiled pipeline, those of sub-pipelines included.

    Pipelines of this project pass only artifacts between steps; parameters are constants or the pipeline's own.

    Args:
        spec: A `PipelineSpec` as plain data.

    Attributes:
        name: The pipeline's name.
        nodes: Steps by name, each after those it depends on.

    Raises:
        ConfigError: Two steps have the same name, so the pipeline is not one of this project.
    """

    def __init__(self, spec: Spec) -> None:
        self.name: str = spec["pipelineInfo"]["name"]
        self._spec = spec
        self._found: dict[str, SpecNode] = {}
        self._dependencies: dict[str, frozenset[str]] = {}
        self._add_dag(ROOT, "", {})
        self.nodes = {name: self._found[name] for name in in_order(self._dependencies)}

    def __getitem__(self, name: str) -> SpecNode:
        """Return the step of this name.

        Raises:
            ConfigError: No step has this name; the message names the nearest one.
        """
        if name not in self.nodes:
            raise ConfigError(f"{self.name}: no node '{name}'. {suggest(name, self.nodes)}")
        return self.nodes[name]

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """Return all direct and indirect dependencies of some steps."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            new = self._dependencies[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    def descendants(self, name: str) -> set[str]:
        """Return all steps that depend on a step, directly or indirectly."""
        return {other for other in self.nodes if name in self.ancestors([other])}

    def task(self, name: str) -> Spec:
        """Return a step's task: a part of the pipeline, not a copy."""
        task: Spec = dag_of(self._spec, self[name].dag)["tasks"][name]
        return task

    def constant(self, name: str, parameter: str) -> str:
        """Return the constant value of a step's parameter, or an empty string if it has none."""
        value = self.task(name).get("inputs", {}).get("parameters", {}).get(parameter, {})
        return str(value.get("runtimeValue", {}).get("constant", ""))

    def executor(self, name: str) -> Spec:
        """Return a step's executor: a part of the pipeline, not a copy."""
        executor: Spec = self._spec["deploymentSpec"]["executors"][self.label(name)]
        return executor

    def label(self, name: str) -> str:
        """Return the name of a step's executor."""
        return str(self._spec["components"][self[name].component]["executorLabel"])

    def _add_dag(self, dag: str, group: str, given: Mapping[str, frozenset[str]]) -> None:
        """Add the steps of a DAG, whose input artifacts are outputs of the steps `given`."""
        # Data from a protobuf has no defined order.
        for name, task in sorted(dag_of(self._spec, dag)["tasks"].items()):
            inputs = {
                key: self._producers_of_input(dag, value, given)
                for key, value in task.get("inputs", {}).get("artifacts", {}).items()
            }
            if _is_group(self._spec, task):
                self._add_dag(task["componentRef"]["name"], name, inputs)
                continue
            if name in self._found:
                raise ConfigError(
                    f"{self.name}: two steps have the name '{name}', so `yt8m compile` did not make this pipeline. "
                    "Give a pipeline or a run of yt8m."
                )
            tasks = dag_of(self._spec, dag)["tasks"]
            before = {other for other in task.get("dependentTasks", []) if not _is_group(self._spec, tasks[other])}
            title = task.get("taskInfo", {}).get("name", name)
            self._found[name] = SpecNode(name, title, dag, group, task["componentRef"]["name"])
            self._dependencies[name] = frozenset(before.union(*inputs.values()))

    def _producers_of_input(self, dag: str, value: Spec, given: Mapping[str, frozenset[str]]) -> frozenset[str]:
        if "componentInputArtifact" in value:
            return given[value["componentInputArtifact"]]
        source = value.get("taskOutputArtifact")
        return self._producers(dag, source["producerTask"], source["outputArtifactKey"]) if source else frozenset()

    def _producers(self, dag: str, name: str, output: str) -> frozenset[str]:
        """Return the steps that produce an output of a task, which may be a sub-pipeline."""
        task = dag_of(self._spec, dag)["tasks"][name]
        if not _is_group(self._spec, task):
            return frozenset({name})
        inner = task["componentRef"]["name"]
        selectors = dag_of(self._spec, inner)["outputs"]["artifacts"][output]["artifactSelectors"]
        made = (self._producers(inner, each["producerSubtask"], each["outputArtifactKey"]) for each in selectors)
        return frozenset().union(*made)


def dag_of(spec: Spec, component: str) -> Spec:
    """Return the DAG of a component, or the pipeline's own DAG for `ROOT`."""
    dag: Spec = spec["components"][component]["dag"] if component else spec["root"]["dag"]
    return dag


def _is_group(spec: Spec, task: Spec) -> bool:
    return "dag" in spec["components"][task["componentRef"]["name"]]


def prune(spec: Spec, keep: Collection[str]) -> Spec:
    """Return a copy of a pipeline with some of its steps and only the sub-pipelines, ports and executors they need.

    The remaining steps are unchanged, so that KFP's cache knows them. KFP's backend rejects a pipeline with inputs,
    outputs or components that are not used.

    Args:
        spec: A `PipelineSpec` as plain data.
        keep: The steps to keep, including all their dependencies.
    """
    pruned = copy.deepcopy(spec)
    _prune_dag(pruned, ROOT, keep)
    pruned["components"] = _only(pruned["components"], _used_components(pruned, ROOT))
    pruned["deploymentSpec"]["executors"] = _only(pruned["deploymentSpec"]["executors"], executor_labels(pruned))
    return pruned


def prune_platforms(platforms: Spec, spec: Spec) -> Spec:
    """Return a copy of a `PlatformSpec` without the executors that a pipeline does not have."""
    pruned = copy.deepcopy(platforms)
    for platform in pruned.get("platforms", {}).values():
        deployment = platform.get("deploymentSpec", {})
        deployment["executors"] = _only(deployment.get("executors", {}), executor_labels(spec))
    return pruned


def executor_labels(spec: Spec) -> set[str]:
    """Return the names of the executors that a pipeline's components use."""
    return {each["executorLabel"] for each in spec["components"].values() if "executorLabel" in each}


def _prune_dag(spec: Spec, component: str, keep: Collection[str]) -> None:
    tasks = dag_of(spec, component)["tasks"]
    for name, task in list(tasks.items()):
        kept = name in keep
        if _is_group(spec, task):
            inner = spec["components"][task["componentRef"]["name"]]
            _prune_dag(spec, task["componentRef"]["name"], keep)
            kept = bool(inner["dag"]["tasks"])
            inputs = task.get("inputs", {})
            for kind in ("artifacts", "parameters"):
                _set(inputs, kind, _only(inputs.get(kind, {}), inner.get("inputDefinitions", {}).get(kind, {})))
        if not kept:
            del tasks[name]
    for task in tasks.values():
        _set(task, "dependentTasks", [name for name in task.get("dependentTasks", []) if name in tasks])
    if component:
        _drop_unproduced_outputs(spec, spec["components"][component])
        _drop_unread_inputs(spec["components"][component])


def _drop_unproduced_outputs(spec: Spec, component: Spec) -> None:
    """Remove the outputs of a sub-pipeline that none of its remaining tasks produces."""
    dag = component["dag"]
    made: Spec = {}
    for name, output in dag.get("outputs", {}).get("artifacts", {}).items():
        selectors = [each for each in output["artifactSelectors"] if _is_produced(spec, dag, each)]
        if selectors:
            made[name] = {**output, "artifactSelectors": selectors}
    definitions = _only(component.get("outputDefinitions", {}).get("artifacts", {}), made)
    _set(dag, "outputs", {"artifacts": made} if made else {})
    _set(component, "outputDefinitions", {"artifacts": definitions} if definitions else {})


def _is_produced(spec: Spec, dag: Spec, selector: Spec) -> bool:
    task = dag["tasks"].get(selector["producerSubtask"])
    if task is None:
        return False
    definitions = spec["components"][task["componentRef"]["name"]].get("outputDefinitions", {})
    return selector["outputArtifactKey"] in definitions.get("artifacts", {})


def _drop_unread_inputs(component: Spec) -> None:
    """Remove the inputs of a sub-pipeline that none of its remaining tasks reads."""
    definitions = component.get("inputDefinitions", {})
    for kind, key in (("artifacts", "componentInputArtifact"), ("parameters", "componentInputParameter")):
        values = (
            value
            for task in component["dag"]["tasks"].values()
            for value in task.get("inputs", {}).get(kind, {}).values()
        )
        _set(definitions, kind, _only(definitions.get(kind, {}), {value[key] for value in values if key in value}))


def _used_components(spec: Spec, component: str) -> set[str]:
    used: set[str] = set()
    for task in dag_of(spec, component)["tasks"].values():
        name = task["componentRef"]["name"]
        used |= {name, *(_used_components(spec, name) if _is_group(spec, task) else ())}
    return used


def _only(entries: Spec, names: Collection[str]) -> Spec:
    return {name: each for name, each in entries.items() if name in names}


def _set(target: Spec, key: str, value: Any) -> None:
    """Set an entry, or remove it if the value is empty, as KFP's compiler does."""
    target.pop(key, None)
    if value:
        target[key] = value
