"""Reruns of nodes in an existing run: which nodes to execute, and the pipeline that executes them."""

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from pipelines.graph.fingerprints import ReadData
from pipelines.graph.plan import Plan
from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.pipeline import RECIPE_PARAMETER
from pipelines.kubeflow.share import separate
from pipelines.kubeflow.spec import ATTEMPT_PARAMETER, Spec, SpecGraph, set_entry
from pipelines.recipe.load import apply_settings
from yt8m.errors import ConfigError
from yt8m.yaml_files import parse_line

_ATTEMPT_DEFINITION = {"parameterType": "STRING", "isOptional": True, "defaultValue": ""}


class RerunNodes(NamedTuple):
    """Nodes that a rerun concerns, in the order of the graph.

    Attributes:
        executed: Nodes to execute: the selected node, and with `downstream` all nodes that depend on it. Or all nodes
            that are not done.
        needed: Nodes that make the artifacts that these read, directly or indirectly. Their results are reused.
        recorded: Other nodes whose records these read. They need not be part of the pipeline that is executed.
        stale: Nodes that depend on executed nodes and are not executed.
    """

    executed: tuple[str, ...]
    needed: tuple[str, ...]
    recorded: tuple[str, ...]
    stale: tuple[str, ...]


def choose_nodes(graph: SpecGraph, node: str, *, downstream: bool) -> RerunNodes:
    """Determine the nodes that a rerun concerns.

    Args:
        graph: The run's graph.
        node: Name of the selected node.
        downstream: Whether to execute the nodes that depend on it as well.

    Raises:
        ConfigError: The graph has no such node.
    """
    dependent = graph.descendants(node)
    return _with_inputs(graph, [node, *dependent] if downstream else [node], () if downstream else tuple(dependent))


def choose_unfinished(graph: SpecGraph, done: Collection[str]) -> RerunNodes:
    """Determine the nodes that a run concerns which continues another one.

    Args:
        graph: The other run's graph.
        done: Names of the nodes whose results exist.
    """
    return _with_inputs(graph, [name for name in graph.nodes if name not in done], ())


def _with_inputs(graph: SpecGraph, executed: Sequence[str], stale: tuple[str, ...]) -> RerunNodes:
    made: set[str] = set()
    for name in reversed(graph.nodes):
        if name in made or name in executed:
            made |= graph[name].producers
    needed = [name for name in graph.nodes if name in made and name not in executed]
    read = records_of_others(graph, executed)
    recorded = [name for name in graph.nodes if name in read and name not in needed]
    return RerunNodes(tuple(executed), tuple(needed), tuple(recorded), stale)


def records_of_others(graph: SpecGraph, executed: Collection[str]) -> dict[str, str]:
    """Return the records that some steps read from steps that are not among them: work by node."""
    records = {node: work for name in executed for node, work in graph.records(name).items()}
    return {node: work for node, work in records.items() if node not in executed}


def embedded_recipe(spec: Spec) -> dict[str, object]:
    """Return the recipe that a pipeline was compiled from.

    Raises:
        ConfigError: The pipeline contains no recipe.
    """
    parameters = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    text = parameters.get(RECIPE_PARAMETER, {}).get("defaultValue", "")
    if not text:
        raise ConfigError(
            f"{spec['pipelineInfo']['name']}: the pipeline contains no recipe, so --set cannot change anything. "
            "Compile it with this version of yt8m."
        )
    return parse_line(text, "the run's recipe")


def compile_with_settings(
    spec: Spec, settings: Sequence[str], nodes: RerunNodes, *, read_data: ReadData
) -> Compilation:
    """Compile the recipe of a run with settings that affect only nodes to be executed.

    Args:
        spec: The run's pipeline.
        settings: Changes of the recipe, `key=value` each.
        nodes: Nodes that the rerun concerns.
        read_data: See `Compilation`.

    Raises:
        ConfigError: The settings affect no executed node, affect nodes that are not executed, or change the graph.
    """
    raw = embedded_recipe(spec)
    old = Compilation(raw, "the run's recipe", read_data=read_data)
    if not settings:
        return old
    new = Compilation(apply_settings(raw, settings), "the run's recipe with --set", read_data=read_data)
    _check_changes(old.plan, new.plan, nodes, " ".join(f"--set {setting}" for setting in settings))
    return new


def _check_changes(old: Plan, new: Plan, nodes: RerunNodes, settings: str) -> None:
    edges = [{name: node.dependencies for name, node in plan.nodes.items()} for plan in (old, new)]
    if edges[0] != edges[1]:
        raise ConfigError(
            f"{settings}: changes the nodes of the run or their dependencies, but a rerun keeps the graph. Run or "
            "submit the recipe with these settings instead."
        )
    changed = [name for name in new.nodes if new.nodes[name] != old.nodes[name]]
    selected = ", ".join(name for name in nodes.executed if name in changed)
    if not selected:
        executed = nodes.executed[0] if len(nodes.executed) == 1 else "any node that would be executed"
        others = f"It changes {', '.join(changed)}" if changed else "It changes no node at all"
        raise ConfigError(f"{settings}: does not change {executed}. {others}. Choose a key that {executed} reads.")
    # The report is told of changed students, but does nothing else.
    excluded = [name for name in changed if name not in nodes.executed and new.nodes[name].stage != "report"]
    if excluded:
        remedy = (
            "Add --downstream to execute them as well"
            if set(excluded) <= set(nodes.stale)
            else "Choose a narrower key, for instance of one model"
        )
        raise ConfigError(
            f"{settings}: changes {selected}, but also {', '.join(excluded)}, which would not be executed. {remedy}; "
            "or run or submit the recipe with these settings, which executes everything that changes."
        )


def copy_parameters(spec: Spec, new: Spec, nodes: Sequence[str], *, code: bool) -> Spec:
    """Return a copy of a pipeline in which some steps have the parameters of a newly compiled pipeline.

    Args:
        spec: The run's pipeline.
        new: A pipeline with the same graph.
        nodes: The steps to change. They read the records of the works that the other steps did in the run.
        code: Whether these steps also get the new code. Required wherever the image does not contain the code.

    Raises:
        ConfigError: The new pipeline has a different graph.
    """
    changed = copy.deepcopy(spec)
    target, source = SpecGraph(changed), SpecGraph(new)
    for name in nodes:
        if name not in source.nodes or _interface(target, name) != _interface(source, name):
            raise _different(name)
        target.task(name)["inputs"]["parameters"] = copy.deepcopy(source.task(name)["inputs"]["parameters"])
        if code:
            container = target.executor(name)["container"]
            container |= copy.deepcopy(source.executor(name)["container"]) | {"image": container["image"]}
    target.update_records(nodes)
    given = changed["root"]["inputDefinitions"]["parameters"]
    given[RECIPE_PARAMETER] = copy.deepcopy(new["root"]["inputDefinitions"]["parameters"][RECIPE_PARAMETER])
    return changed


def _different(name: str) -> ConfigError:
    return ConfigError(
        f"{name}: this version of yt8m compiles the run's recipe to a different pipeline. Run or submit the recipe "
        "instead."
    )


def _interface(graph: SpecGraph, name: str) -> object:
    """Return a step's artifacts and the names of its parameters, without their values."""
    inputs = graph.task(name).get("inputs", {})
    return inputs.get("artifacts", {}), set(inputs.get("parameters", {})) - {ATTEMPT_PARAMETER}


def copy_placement(old: tuple[Spec, Spec], new: tuple[Spec, Spec], nodes: Sequence[str]) -> tuple[Spec, Spec]:
    """Return a copy of a pipeline in which some steps are placed as in a newly compiled pipeline.

    The placement are resources, node selection, volumes, credentials and retries, but not the image.

    Args:
        old: `PipelineSpec` and `PlatformSpec` of the run's pipeline.
        new: Both specs of a pipeline that has these steps.
        nodes: The steps to change.

    Raises:
        ConfigError: The new pipeline does not have these steps.
    """
    spec, platforms = copy.deepcopy(old)
    new_spec, new_platforms = copy.deepcopy(new)
    separate(spec, platforms, nodes)
    target, source = SpecGraph(spec), SpecGraph(new_spec)
    for name in nodes:
        if name not in source.nodes:
            raise _different(name)
        container, new_container = target.executor(name)["container"], source.executor(name)["container"]
        set_entry(container, "resources", new_container.get("resources"))
        set_entry(target.task(name), "retryPolicy", source.task(name).get("retryPolicy"))
        set_entry(container, "env", new_container.get("env"))
        settings = _executors(new_platforms).get(source.label(name))
        set_entry(_executors(platforms), target.label(name), copy.deepcopy(settings))
    return spec, platforms


def set_images(old: tuple[Spec, Spec], images: Mapping[str, str]) -> tuple[Spec, Spec]:
    """Return a copy of a pipeline in which some steps have other images.

    Args:
        old: `PipelineSpec` and `PlatformSpec` of the run's pipeline.
        images: New image of each step to change, by name.
    """
    spec, platforms = copy.deepcopy(old)
    separate(spec, platforms, list(images))
    graph = SpecGraph(spec)
    for name, image in images.items():
        graph.executor(name)["container"]["image"] = image
    return spec, platforms


def _executors(platforms: Spec) -> Spec:
    deployment = platforms.setdefault("platforms", {}).setdefault("kubernetes", {}).setdefault("deploymentSpec", {})
    executors: Spec = deployment.setdefault("executors", {})
    return executors


def bypass_cache(spec: Spec, nodes: Sequence[str], attempt: str) -> Spec:
    """Return a copy of a pipeline in which some steps ignore KFP's cache and the files of attempts with other names.

    Among themselves, these steps read the records of this attempt.
    """
    changed = mark_attempts(spec, dict.fromkeys(nodes, attempt))
    SpecGraph(changed).update_records(nodes)
    return changed


def mark_attempts(spec: Spec, attempts: Mapping[str, str]) -> Spec:
    """Return a copy of a pipeline in which some steps have the marks of attempts, by name of the step."""
    changed = copy.deepcopy(spec)
    graph = SpecGraph(changed)
    for name, attempt in attempts.items():
        graph.set_constant(name, ATTEMPT_PARAMETER, attempt)
    # KFP's backend keeps one specification of all components whose containers are equal.
    containers = [graph.executor(name)["container"] for name in attempts]
    for component in changed["components"].values():
        executor = changed["deploymentSpec"]["executors"].get(component.get("executorLabel"), {})
        if executor.get("container") in containers:
            inputs = component.setdefault("inputDefinitions", {})
            inputs.setdefault("parameters", {})[ATTEMPT_PARAMETER] = dict(_ATTEMPT_DEFINITION)
    return changed
