"""A node of a run that is there, executed again: which nodes that concerns, and the pipeline that does it."""

import copy
import json
from collections.abc import Sequence
from typing import NamedTuple

from pipelines.graph.plan import Plan
from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.pipeline import RECIPE_PARAMETER
from pipelines.kubeflow.prune import prune
from pipelines.kubeflow.spec import Spec, SpecGraph
from pipelines.recipe.load import apply_settings
from yt8m.errors import ConfigError

# The components' parameter that tells deliberate repetitions apart; only reruns give it.
ATTEMPT_PARAMETER = "attempt"
_ATTEMPT_DEFINITION = {"parameterType": "STRING", "isOptional": True, "defaultValue": ""}


class Rerun(NamedTuple):
    """The nodes that a rerun concerns, each list in the graph's order.

    Attributes:
        executed: The wanted node, and with `downstream` those that depend on it.
        needed: What these read, directly or not, and is taken as it is.
        stale: What depends on the wanted node and is not executed.
    """

    executed: tuple[str, ...]
    needed: tuple[str, ...]
    stale: tuple[str, ...]


def choose_nodes(graph: SpecGraph, node: str, *, downstream: bool) -> Rerun:
    """Find out which nodes a rerun concerns.

    Args:
        graph: The run's graph.
        node: The wanted node.
        downstream: Whether what depends on it is executed, too.

    Raises:
        ConfigError: There is no such node.
    """
    dependent = graph.descendants(graph[node].name)
    executed = {node} | (dependent if downstream else set())
    needed = graph.ancestors(executed) - executed
    stale = dependent - executed
    return Rerun(*(tuple(name for name in graph.nodes if name in chosen) for chosen in (executed, needed, stale)))


def recipe_of(spec: Spec) -> dict[str, object]:
    """The recipe that a pipeline was compiled from.

    Raises:
        ConfigError: It keeps none.
    """
    parameters = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    text = parameters.get(RECIPE_PARAMETER, {}).get("defaultValue", "")
    if not text:
        raise ConfigError(
            f"{spec['pipelineInfo']['name']}: the pipeline keeps no recipe, so that nothing in it can be set. Compile "
            "it with this version of yt8m."
        )
    recipe: dict[str, object] = json.loads(text)
    return recipe


def compile_changed(spec: Spec, settings: Sequence[str], rerun: Rerun, *, read_data: bool) -> Compilation:
    """Compile the recipe of a run with settings, of which only nodes that are executed may notice anything.

    Args:
        spec: The run's pipeline.
        settings: `key=value` each.
        rerun: The nodes.
        read_data: See `Compilation`.

    Raises:
        ConfigError: The settings change nothing of the wanted node, other nodes as well, or the graph.
    """
    raw = recipe_of(spec)
    old = Compilation(raw, "the run's recipe", read_data=read_data)
    if not settings:
        return old
    new = Compilation(apply_settings(raw, settings), "the run's recipe with --set", read_data=read_data)
    _check(old.plan, new.plan, rerun, " ".join(f"--set {setting}" for setting in settings))
    return new


def _check(old: Plan, new: Plan, rerun: Rerun, settings: str) -> None:
    edges = [{name: node.dependencies for name, node in plan.nodes.items()} for plan in (old, new)]
    if edges[0] != edges[1]:
        raise ConfigError(
            f"{settings}: changes which nodes there are or what they read. A rerun keeps the graph; run or submit the "
            "recipe with these settings instead."
        )
    changed = [name for name in new.nodes if new.nodes[name] != old.nodes[name]]
    wanted = rerun.executed[0]
    if wanted not in changed:
        others = f" It changes {', '.join(changed)}." if changed else " It changes no node at all."
        raise ConfigError(f"{settings}: changes nothing of {wanted}.{others}")
    excluded = [name for name in changed if name not in rerun.executed]
    if excluded:
        remedy = (
            "Add --downstream, which executes them, too"
            if set(excluded) <= set(rerun.stale)
            else "Choose a narrower key, of one model for instance"
        )
        raise ConfigError(
            f"{settings}: changes {wanted}, but {', '.join(excluded)} as well, which would not be executed. {remedy}; "
            "or run or submit the recipe with these settings, which executes everything that changes."
        )


def take_over(spec: Spec, new: Spec, nodes: Sequence[str], *, code: bool) -> Spec:
    """A pipeline in which some steps are given what a newly compiled one gives them; the others stay as they are.

    Args:
        spec: The run's pipeline.
        new: A pipeline of the same graph.
        nodes: The steps that change.
        code: Whether these run the new one's code, which is so wherever it is not in an image.

    Raises:
        ConfigError: The new pipeline has another graph.
    """
    changed = copy.deepcopy(spec)
    target, source = SpecGraph(changed), SpecGraph(new)
    for name in nodes:
        if name not in source.nodes or _interface(target, name) != _interface(source, name):
            raise ConfigError(
                f"{name}: this version of yt8m compiles the run's recipe to something else. Run or submit the recipe "
                "instead."
            )
        target.task(name)["inputs"]["parameters"] = copy.deepcopy(source.task(name)["inputs"]["parameters"])
        if code:
            container = target.executor(name)["container"]
            container |= copy.deepcopy(source.executor(name)["container"]) | {"image": container["image"]}
    changed["root"]["inputDefinitions"] = copy.deepcopy(new["root"]["inputDefinitions"])
    return changed


def _interface(graph: SpecGraph, name: str) -> object:
    """What a step reads and is given, without the values."""
    inputs = graph.task(name).get("inputs", {})
    return inputs.get("artifacts", {}), set(inputs.get("parameters", {})) - {ATTEMPT_PARAMETER}


def mark_attempt(spec: Spec, nodes: Sequence[str], attempt: str) -> Spec:
    """A pipeline in which some steps are repetitions: nothing of what they did before is found in caches or folders.

    Args:
        spec: A pipeline.
        nodes: The steps.
        attempt: A name for this repetition.
    """
    marked = copy.deepcopy(spec)
    graph = SpecGraph(marked)
    for name in nodes:
        component = marked["components"][graph[name].component]
        component["inputDefinitions"].setdefault("parameters", {})[ATTEMPT_PARAMETER] = dict(_ATTEMPT_DEFINITION)
        parameters = graph.task(name)["inputs"].setdefault("parameters", {})
        parameters[ATTEMPT_PARAMETER] = {"runtimeValue": {"constant": attempt}}
    return marked


def cut(spec: Spec, rerun: Rerun) -> Spec:
    """The part of a pipeline that a rerun needs."""
    return prune(spec, {*rerun.executed, *rerun.needed})
