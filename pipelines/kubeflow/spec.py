"""A compiled pipeline as plain data: its steps, their dependencies, and the part of it that some steps need."""

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from pipelines.graph.plan import Graph, in_order
from yt8m.errors import ConfigError
from yt8m.identity import work_name
from yt8m.yaml_files import dump_line, parse_line

# Stands for the pipeline's own DAG where the name of a component with a DAG is expected.
ROOT = ""
# Parameter of the components that distinguishes deliberate repetitions; only reruns set it.
ATTEMPT_PARAMETER = "attempt"
# Parameter with the records that a component reads: `{NODE: WORK}` on one line.
RECORDS_PARAMETER = "records"

Spec = dict[str, Any]


class SpecNode(NamedTuple):
    """A step of a compiled pipeline.

    Attributes:
        name: The task's name, unique in pipelines of this project.
        title: The name in user interfaces.
        group: The sub-pipeline's task; empty in the pipeline's own DAG.
        dag: The component whose DAG contains the task; `ROOT` for the pipeline's own DAG.
        component: The component that the task executes, which equal tasks may share.
        producers: Steps whose artifacts the step reads.
        dependencies: These, and the steps whose records the step reads.
    """

    name: str
    title: str
    group: str
    dag: str
    component: str
    producers: frozenset[str]
    dependencies: frozenset[str]


class SpecGraph(Graph[SpecNode]):
    """Steps of a compiled pipeline, those of sub-pipelines included.

    Steps of this project's pipelines depend on each other by artifacts and by records; parameters are constants or
    the pipeline's own.

    Args:
        spec: A `PipelineSpec` as plain data.

    Raises:
        ConfigError: Two steps have the same name, so the pipeline is not one of this project.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec["pipelineInfo"]["name"])
        self._spec = spec
        self._add_dag(ROOT, "", {})
        for name, node in self.nodes.items():
            recorded = self.nodes.keys() & self.records(name)
            self.nodes[name] = node._replace(dependencies=node.producers | recorded)
        order = in_order({name: node.dependencies for name, node in self.nodes.items()})
        self.nodes = {name: self.nodes[name] for name in order}

    def task(self, name: str) -> Spec:
        """Return a step's task: a part of the pipeline, not a copy."""
        task: Spec = dag_of(self._spec, self[name].dag)["tasks"][name]
        return task

    def constant(self, name: str, parameter: str) -> str:
        """Return the constant value of a step's parameter, or an empty string if it has none."""
        value = self.task(name).get("inputs", {}).get("parameters", {}).get(parameter, {})
        return str(value.get("runtimeValue", {}).get("constant", ""))

    def set_constant(self, name: str, parameter: str, value: str) -> None:
        """Give a step's parameter a constant value."""
        parameters = self.task(name).setdefault("inputs", {}).setdefault("parameters", {})
        parameters[parameter] = {"runtimeValue": {"constant": value}}

    def work(self, name: str) -> str:
        """Return the name of a step's work, which its record has."""
        return work_name(self.constant(name, "key"), self.constant(name, ATTEMPT_PARAMETER))

    def records(self, name: str) -> dict[str, str]:
        """Return the records that a step reads, which need not be of steps in this pipeline: work by node."""
        text = self.constant(name, RECORDS_PARAMETER)
        return parse_line(text, f"{self.name}: {name}: {RECORDS_PARAMETER}") if text else {}

    def update_records(self, names: Collection[str]) -> None:
        """Let some steps read the records of the works that the pipeline's steps do now."""
        for name in names:
            if records := self.records(name):
                current = {node: self.work(node) if node in self.nodes else work for node, work in records.items()}
                self.set_constant(name, RECORDS_PARAMETER, dump_line(current))

    def executor(self, name: str) -> Spec:
        """Return a step's executor: a part of the pipeline, not a copy."""
        executor: Spec = self._spec["deploymentSpec"]["executors"][self.label(name)]
        return executor

    def image(self, name: str) -> str:
        """Return the container image of a step."""
        return str(self.executor(name)["container"]["image"])

    def label(self, name: str) -> str:
        """Return the name of a step's executor."""
        return str(self._spec["components"][self[name].component]["executorLabel"])

    def _add_dag(self, dag: str, group: str, given: Mapping[str, frozenset[str]]) -> None:
        """Add the steps of a DAG, whose input artifacts are outputs of the steps `given`."""
        # Data from a protobuf has no defined order.
        for name, task in sorted(dag_of(self._spec, dag)["tasks"].items()):
            inputs: dict[str, frozenset[str]] = {}
            for key, value in task.get("inputs", {}).get("artifacts", {}).items():
                if "componentInputArtifact" in value:
                    inputs[key] = given[value["componentInputArtifact"]]
                else:
                    source = value["taskOutputArtifact"]
                    inputs[key] = self._producers(dag, source["producerTask"], source["outputArtifactKey"])
            component = task["componentRef"]["name"]
            if _is_group(self._spec, task):
                self._add_dag(component, name, inputs)
                continue
            if name in self.nodes:
                raise ConfigError(
                    f"{self.name}: two steps have the name '{name}', so `yt8m compile` did not make this pipeline. "
                    "Give a pipeline or a run of yt8m."
                )
            title = task.get("taskInfo", {}).get("name", name)
            producers = frozenset[str]().union(*inputs.values())
            self.nodes[name] = SpecNode(name, title, group, dag, component, producers, producers)

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


def all_dags(spec: Spec) -> Iterator[Spec]:
    """Iterate over the pipeline's own DAG and those of its sub-pipelines."""
    return (each["dag"] for each in (spec["root"], *spec["components"].values()) if "dag" in each)


def _is_group(spec: Spec, task: Spec) -> bool:
    return "dag" in spec["components"][task["componentRef"]["name"]]


def prune(spec: Spec, keep: Collection[str]) -> Spec:
    """Return a copy of a pipeline with some of its steps and only the sub-pipelines, ports and executors they need.

    The remaining steps are unchanged, so that KFP's cache knows them. KFP's backend rejects a pipeline with inputs,
    outputs or components that are not used.

    Args:
        spec: A `PipelineSpec` as plain data.
        keep: The steps to keep, including the direct and indirect producers of the artifacts that they read.
    """
    pruned = copy.deepcopy(spec)
    _prune_dag(pruned, pruned["root"]["dag"], keep)
    # The DAGs of removed sub-pipelines have no tasks any more.
    used = {task["componentRef"]["name"] for dag in all_dags(pruned) for task in dag["tasks"].values()}
    _keep(pruned, "components", used)
    _keep(pruned["deploymentSpec"], "executors", executor_labels(pruned))
    return pruned


def prune_platforms(platforms: Spec, spec: Spec) -> Spec:
    """Return a copy of a `PlatformSpec` without the executors that a pipeline does not have."""
    pruned = copy.deepcopy(platforms)
    for platform in pruned.get("platforms", {}).values():
        _keep(platform.get("deploymentSpec", {}), "executors", executor_labels(spec))
    return pruned


def executor_labels(spec: Spec) -> set[str]:
    """Return the names of the executors that a pipeline's components use."""
    return {each["executorLabel"] for each in spec["components"].values() if "executorLabel" in each}


def _prune_dag(spec: Spec, dag: Spec, keep: Collection[str]) -> None:
    tasks = dag["tasks"]
    for name, task in list(tasks.items()):
        is_kept = name in keep
        if _is_group(spec, task):
            inner = spec["components"][task["componentRef"]["name"]]
            _prune_dag(spec, inner["dag"], keep)
            _prune_interface(inner)
            is_kept = bool(inner["dag"]["tasks"])
            for kind in ("artifacts", "parameters"):
                _keep(task.get("inputs", {}), kind, inner.get("inputDefinitions", {}).get(kind, {}))
        if not is_kept:
            del tasks[name]
    for task in tasks.values():
        set_entry(task, "dependentTasks", [name for name in task.get("dependentTasks", []) if name in tasks])


def _prune_interface(component: Spec) -> None:
    """Remove the outputs of a sub-pipeline that no task makes any more, and the inputs that no task reads."""
    dag, tasks = component["dag"], component["dag"]["tasks"]
    outputs = dag.get("outputs", {}).get("artifacts", {})
    made = [name for name, each in outputs.items() if each["artifactSelectors"][0]["producerSubtask"] in tasks]
    for owner, key in ((dag, "outputs"), (component, "outputDefinitions")):
        _keep(owner.get(key, {}), "artifacts", made)
        set_entry(owner, key, owner.get(key))
    for kind, source in (("artifacts", "componentInputArtifact"), ("parameters", "componentInputParameter")):
        read = {each.get(source) for task in tasks.values() for each in task.get("inputs", {}).get(kind, {}).values()}
        _keep(component.get("inputDefinitions", {}), kind, read)


def _keep(target: Spec, key: str, names: Collection[str]) -> None:
    """Keep only the parts of an entry that have these names."""
    set_entry(target, key, {name: each for name, each in target.get(key, {}).items() if name in names})


def set_entry(target: Spec, key: str, value: Any) -> None:
    """Set an entry, or remove it if the value is empty, as KFP's compiler does."""
    target.pop(key, None)
    if value:
        target[key] = value
