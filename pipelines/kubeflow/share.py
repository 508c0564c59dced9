"""Equal components, executors and platform settings of steps: stored once in a compiled pipeline, or apart again."""

import copy
import json
from collections.abc import Collection
from itertools import chain, count

from pipelines.kubeflow.spec import Spec, SpecGraph, all_dags


def share(spec: Spec, platforms: Spec) -> tuple[Spec, Spec]:
    """Return a copy of a pipeline in which equal steps share a component, an executor and its platform settings.

    A cluster's runs keep all of them in one object of limited size. KFP's local runners name folders and entries of
    their cache after components, so local runs need one for each step.

    Args:
        spec: A `PipelineSpec` as plain data.
        platforms: Its `PlatformSpec` as plain data.
    """
    spec, platforms = copy.deepcopy((spec, platforms))
    _unite_inputs(spec)
    deployments = [spec["deploymentSpec"]]
    deployments += [each["deploymentSpec"] for each in platforms.get("platforms", {}).values()]
    components: Spec = {name: each for name, each in spec["components"].items() if "executorLabel" not in each}
    shared: dict[str, str] = {}
    renamed: dict[str, str] = {}
    executors: list[Spec] = [{} for _ in deployments]
    for name, component in sorted(spec["components"].items()):
        if name in components:
            continue
        label = component["executorLabel"]
        settings = [each["executors"].get(label) for each in deployments]
        content = json.dumps([component | {"executorLabel": ""}, settings], sort_keys=True)
        if content not in shared:
            taken = {*components, *shared.values()}
            shared[content] = own = _free_name(_stage(settings[0]) or name.removeprefix("comp-"), taken)
            components[own] = component | {"executorLabel": own.replace("comp", "exec", 1)}
            for target, setting in zip(executors, settings, strict=True):
                if setting:
                    target[components[own]["executorLabel"]] = setting
        renamed[name] = shared[content]
    for dag in all_dags(spec):
        for task in dag["tasks"].values():
            reference = task["componentRef"]
            reference["name"] = renamed.get(reference["name"], reference["name"])
    for deployment, each in zip(deployments, executors, strict=True):
        deployment["executors"] = each
    return spec | {"components": components}, platforms


def separate(spec: Spec, platforms: Spec, nodes: Collection[str]) -> None:
    """Give some steps of a pipeline components, executors and platform settings that they share with no other step.

    Args:
        spec: The pipeline, which is changed.
        platforms: Its `PlatformSpec`, which is changed.
        nodes: The steps.
    """
    graph, components = SpecGraph(spec), spec["components"]
    for name in nodes:
        own, label = _free_name(name, components), graph.label(name)
        own_label = own.replace("comp", "exec", 1)
        components[own] = copy.deepcopy(components[graph[name].component]) | {"executorLabel": own_label}
        graph.task(name)["componentRef"] = {"name": own}
        for deployment in (spec, *platforms.get("platforms", {}).values()):
            executors = deployment.get("deploymentSpec", {}).get("executors", {})
            if label in executors:
                executors[own_label] = copy.deepcopy(executors[label])


def _unite_inputs(spec: Spec) -> None:
    """Give components with equal executors the optional inputs of all of them.

    KFP's backend keeps one component for equal containers, the first one.
    """
    united: dict[str, list[Spec]] = {}
    for component in spec["components"].values():
        if "executorLabel" in component:
            executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
            united.setdefault(json.dumps(executor, sort_keys=True), []).append(component)
    for components in united.values():
        for kind in ("artifacts", "parameters"):
            given = [each.get("inputDefinitions", {}).get(kind, {}) for each in components]
            optional = {name: each for name, each in chain(*(each.items() for each in given)) if each.get("isOptional")}
            for component in components if optional else ():
                inputs = component.setdefault("inputDefinitions", {})
                inputs[kind] = copy.deepcopy(optional | inputs.get(kind, {}))


def _stage(executor: Spec) -> str:
    """Return the stage in the arguments of an executor's container, as a part of names."""
    return str(next(iter(executor.get("container", {}).get("args", ())), "")).replace("_", "-")


def _free_name(name: str, taken: Collection[str]) -> str:
    numbered = chain([f"comp-{name}"], (f"comp-{name}-{number}" for number in count(2)))
    return next(each for each in numbered if each not in taken)
