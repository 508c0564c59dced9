"""Translation of a plan to a Kubeflow pipeline: a task per node, a sub-pipeline per group."""

import copy
import inspect
import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Any, NamedTuple

from kfp import dsl

from pipelines.graph.keys import Work
from pipelines.graph.plan import Group, Node, Plan, Ref
from pipelines.kubeflow.placement import apply_cluster, label_pod
from pipelines.recipe.cluster import ClusterConfig
from yt8m import __version__
from yt8m.normal_form import strip_comments

# Image of steps that run as processes. It is the same for all of them, because the key of KFP's cache contains it.
PROCESS_IMAGE = f"yt8m:{__version__}"
# Environment of every step: progress lines are not buffered, and TensorFlow's C++ code logs only errors, besides two
# lines at import.
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
# The variable with the hash of the code, so that changed code changes the key of KFP's cache.
CODE_VARIABLE = "YT8M_CODE"
# Parameters of the pipeline, with the descriptions that the user interface shows.
ROOT_PARAMETER = "root"
RECIPE_PARAMETER = "recipe"
_DESCRIPTIONS = {
    ROOT_PARAMETER: "URI of the folder for all files that are not artifacts: generated shards, soft targets, "
    "checkpoints, TensorBoard logs and the records of the steps.",
    RECIPE_PARAMETER: "Recipe from which the pipeline was compiled, for `yt8m rerun --set`. No step reads it.",
}


# Makes the task of a node or sub-pipeline, given the run's root and the artifacts made so far, and adds its outputs.
Caller = Callable[[Any, dict[Ref, Any]], None]


@cache
def find_component(stage: str) -> Any:
    """Import the KFP component of a stage: `components.<stage>.<stage>`."""
    return getattr(import_module(f"components.{stage}"), stage)


def build_pipeline(
    plan: Plan, work: Mapping[str, Work], image: str, cluster: ClusterConfig | None = None, recipe: str = ""
) -> Any:
    """Build the KFP pipeline. Its parameter `root` is the URI of the run's root.

    Args:
        plan: The nodes.
        work: Everything that decides the result of a node, by node.
        image: Container image of the steps.
        cluster: Resources of the steps in the cluster. None: the defaults of the cluster.
        recipe: The recipe as JSON, which the pipeline keeps for reruns.
    """
    return _PipelineBuilder(plan, work, image, cluster).build(recipe)


@dataclass(frozen=True)
class _PipelineBuilder:
    plan: Plan
    work: Mapping[str, Work]
    image: str
    cluster: ClusterConfig | None

    def build(self, recipe: str) -> Any:
        # KFP cannot build a pipeline while it is building another one.
        callers = {
            unit: self._make_group(self.plan.groups[unit], nodes)
            if unit in self.plan.groups
            else partial(self._call_node, nodes[0])
            for unit, nodes in self.plan.units().items()
        }

        def body(root: Any, _: Any) -> None:
            outputs: dict[Ref, Any] = {}
            for call in callers.values():
                call(root, outputs)

        inputs = {ROOT_PARAMETER: str, RECIPE_PARAMETER: str}
        return _make_pipeline(self.plan.name, self.plan.description, inputs, {}, body, {RECIPE_PARAMETER: recipe})

    def _make_group(self, group: Group, nodes: Sequence[Node]) -> Caller:
        """Make the sub-pipeline of a group. Its inputs and outputs are the artifacts that cross its boundary.

        Returns:
            The function that makes the sub-pipeline's task.
        """
        names = {node.name for node in nodes}
        others = [node for node in self.plan.nodes.values() if node.name not in names]
        inputs = sorted({ref for node in nodes for ref in node.references() if ref.node not in names}, key=_port)
        outputs = sorted({ref for node in others for ref in node.references() if ref.node in names}, key=_port)

        def body(root: Any, *artifacts: Any) -> Any:
            known: dict[Ref, Any] = dict(zip(inputs, artifacts, strict=True))
            for node in nodes:
                self._call_node(node, root, known)
            result = namedtuple("Outputs", [_port(ref) for ref in outputs])  # type: ignore[misc]
            return result(*(known[ref] for ref in outputs)) if outputs else None

        parameters = {"root": str} | {_port(ref): dsl.Input[self._artifact_type(ref)] for ref in inputs}
        results = {_port(ref): self._artifact_type(ref) for ref in outputs}
        pipeline = _make_pipeline(group.name, group.description, parameters, results, body)

        def call(root: Any, known: dict[Ref, Any]) -> None:
            task = pipeline(root=root, **{_port(ref): known[ref] for ref in inputs})
            task.set_display_name(group.title)
            known |= {ref: task.outputs[_port(ref)] for ref in outputs}

        return call

    def _call_node(self, node: Node, root: Any, outputs: dict[Ref, Any]) -> None:
        """Make the task of a node and add its outputs."""
        component = find_component(node.stage)
        parameters = component.component_spec.inputs
        arguments = {name: value for name, value in self._parameters(node, root).items() if name in parameters}
        arguments |= {name: outputs[ref] for name, ref in node.inputs.items()}
        for prefix, artifacts in node.fan_in.items():
            arguments |= {f"{prefix}_{number}": outputs[ref] for number, ref in enumerate(artifacts.values(), 1)}
        component = _copy_component(component, node.name, node.description, arguments)
        # The methods of the task would do the same, but inspect the whole stack, which takes seconds in all.
        container = component.component_spec.implementation.container
        container.image = self.image
        container.env = {**ENVIRONMENT, CODE_VARIABLE: self.work[node.name].code}
        task = component(**arguments)
        label_pod(task, node.name)
        if self.cluster:
            apply_cluster(task, node.stage, self.cluster, self.image)
        task.set_display_name(node.title)
        outputs |= {Ref(node.name, output): task.outputs[output] for output in component.component_spec.outputs}

    def _parameters(self, node: Node, root: Any) -> dict[str, Any]:
        identity = {"node": node.name, "stage": node.stage, "name": node.model, "family": node.family}
        fan_in = next(iter(node.fan_in.values()), {})
        generated = [name for name in node.dependencies if self.plan.nodes[name].stage == "generate"]
        return {
            "node": json.dumps({**identity, "facts": node.facts}),
            "config": json.dumps(node.config),
            "names": json.dumps(list(fan_in)),
            "root": root,
            "key": self.work[node.name].key,
            "data_key": self.work[generated[0]].key if generated else "",
            "data_version": "" if generated else self.work[node.name].data_version,
            **node.arguments,
        }

    def _artifact_type(self, ref: Ref) -> Any:
        """Return the artifact class of an output from the component's interface (`system.Model@0.0.1`)."""
        spec = find_component(self.plan.nodes[ref.node].stage).component_spec.outputs[ref.output]
        return getattr(dsl, spec.type.removeprefix("system.").split("@")[0])


def _port(ref: Ref) -> str:
    """Return the name of an artifact as input or output of a sub-pipeline."""
    return f"{ref.node}_{ref.output}".replace("-", "_")


def _copy_component(component: Any, name: str, description: str, arguments: Iterable[str]) -> Any:
    """Copy a component, with another name and only the inputs that have arguments.

    KFP numbers the tasks of one component, so a model added in the middle of a recipe would rename all tasks after it,
    and the cache would not find them. Unused numbered inputs would be the larger part of the compiled file.
    """
    named = copy.copy(component)
    named.component_spec = copy.deepcopy(component.component_spec)
    named.component_spec.name = named.name = name
    named.component_spec.inputs = {
        key: each for key, each in component.component_spec.inputs.items() if key in arguments
    }
    named._component_inputs = set(named.component_spec.inputs)
    container = named.component_spec.implementation.container
    # The key of KFP's cache contains the command, and thereby the source of the component.
    container.command = [*container.command[:-1], strip_comments(container.command[-1])]
    if description:
        named.component_spec.description = description
    return named


def _make_pipeline(  # noqa: PLR0917 - the interface of a pipeline
    name: str,
    description: str,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    body: Callable[..., Any],
    defaults: Mapping[str, str] | None = None,
) -> Any:
    """Make a KFP pipeline from a function, whose signature and docstring give KFP the types and descriptions."""
    parameters = [
        inspect.Parameter(
            key,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            annotation=annotation,
            default=(defaults or {}).get(key, inspect.Parameter.empty),
        )
        for key, annotation in inputs.items()
    ]
    result = NamedTuple("Outputs", list(outputs.items())) if outputs else inspect.Signature.empty
    body.__signature__ = inspect.Signature(parameters, return_annotation=result)  # type: ignore[attr-defined]
    body.__name__ = name
    described = (f"    {key}: {_DESCRIPTIONS[key]}" for key in inputs if key in _DESCRIPTIONS)
    body.__doc__ = "\n".join([f"{name}.", "", "Args:", *described])
    return dsl.pipeline(name=name, description=description)(body)
