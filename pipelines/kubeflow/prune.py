"""A compiled pipeline without some of its steps, and with the consistency that KFP's backend wants."""

import copy
from collections.abc import Set
from typing import Any

from pipelines.kubeflow.spec import ROOT, Spec, dag_of


def prune(spec: Spec, keep: Set[str]) -> Spec:
    """Leave steps out, with everything that only they need: sub-pipelines, their inputs and outputs, executors.

    What is left is unchanged, so that it is found in KFP's cache.

    Args:
        spec: A `PipelineSpec` as plain data.
        keep: The steps to keep, with all that they depend on.

    Returns:
        A pipeline of its own.
    """
    pruned = copy.deepcopy(spec)
    _prune_dag(pruned, ROOT, keep)
    components = _used_components(pruned, ROOT)
    pruned["components"] = {name: each for name, each in pruned["components"].items() if name in components}
    labels = executor_labels(pruned)
    executors = pruned["deploymentSpec"]["executors"]
    pruned["deploymentSpec"]["executors"] = {label: each for label, each in executors.items() if label in labels}
    return pruned


def prune_platforms(platforms: Spec, spec: Spec) -> Spec:
    """Leave out what a `PlatformSpec` says of executors that the pipeline does not have (any more)."""
    pruned = copy.deepcopy(platforms)
    labels = executor_labels(spec)
    for platform in pruned.get("platforms", {}).values():
        deployment = platform.get("deploymentSpec", {})
        executors = deployment.get("executors", {})
        deployment["executors"] = {label: each for label, each in executors.items() if label in labels}
    return pruned


def executor_labels(spec: Spec) -> set[str]:
    """The executors that the pipeline's components use."""
    return {each["executorLabel"] for each in spec["components"].values() if "executorLabel" in each}


def _prune_dag(spec: Spec, component: str, keep: Set[str]) -> None:
    dag = dag_of(spec, component)
    tasks = dag["tasks"]
    for name in list(tasks):
        inner = tasks[name]["componentRef"]["name"]
        if "dag" not in spec["components"][inner]:
            kept = name in keep
        else:
            _prune_dag(spec, inner, keep)
            kept = bool(spec["components"][inner]["dag"]["tasks"])
            _drop_inputs(tasks[name], spec["components"][inner])
        if not kept:
            del tasks[name]
    for task in tasks.values():
        _replace(task, "dependentTasks", [name for name in task.get("dependentTasks", []) if name in tasks])
    if component:
        _drop_outputs(spec, spec["components"][component])
        _drop_definitions(spec["components"][component])


def _drop_outputs(spec: Spec, component: Spec) -> None:
    """Leave out the outputs of a sub-pipeline that none of its tasks makes any more."""
    dag = component["dag"]
    outputs = dag.get("outputs", {}).get("artifacts", {})
    made: Spec = {}
    for name, output in outputs.items():
        selectors = [each for each in output["artifactSelectors"] if _is_made(spec, dag, each)]
        if selectors:
            made[name] = {**output, "artifactSelectors": selectors}
    _replace(dag, "outputs", {"artifacts": made} if made else {})
    definitions = component.get("outputDefinitions", {}).get("artifacts", {})
    kept = {name: each for name, each in definitions.items() if name in made}
    _replace(component, "outputDefinitions", {"artifacts": kept} if kept else {})


def _is_made(spec: Spec, dag: Spec, selector: Spec) -> bool:
    task = dag["tasks"].get(selector["producerSubtask"])
    if task is None:
        return False
    definitions = spec["components"][task["componentRef"]["name"]].get("outputDefinitions", {})
    return selector["outputArtifactKey"] in definitions.get("artifacts", {})


def _drop_definitions(component: Spec) -> None:
    """Leave out the inputs of a sub-pipeline that none of its tasks reads any more."""
    read: dict[str, set[str]] = {"artifacts": set(), "parameters": set()}
    for task in component["dag"]["tasks"].values():
        inputs = task.get("inputs", {})
        for kind, key in (("artifacts", "componentInputArtifact"), ("parameters", "componentInputParameter")):
            read[kind] |= {value[key] for value in inputs.get(kind, {}).values() if key in value}
    definitions = component.get("inputDefinitions", {})
    for kind, names in read.items():
        _replace(definitions, kind, {name: each for name, each in definitions.get(kind, {}).items() if name in names})


def _drop_inputs(task: Spec, component: Spec) -> None:
    """Give a sub-pipeline's task no inputs but those the sub-pipeline has."""
    definitions, inputs = component.get("inputDefinitions", {}), task.get("inputs", {})
    for kind in ("artifacts", "parameters"):
        names = definitions.get(kind, {})
        _replace(inputs, kind, {name: each for name, each in inputs.get(kind, {}).items() if name in names})


def _replace(place: Spec, key: str, value: Any) -> None:
    """Set an entry; an empty one is left out, as KFP's compiler does."""
    place.pop(key, None)
    if value:
        place[key] = value


def _used_components(spec: Spec, component: str) -> set[str]:
    used: set[str] = set()
    for task in dag_of(spec, component)["tasks"].values():
        name = task["componentRef"]["name"]
        used.add(name)
        if "dag" in spec["components"][name]:
            used |= _used_components(spec, name)
    return used
