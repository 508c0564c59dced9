"""A plan as a Kubeflow pipeline: a task per node, a sub-pipeline per group."""

import copy
import inspect
import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from kfp import dsl

from pipelines.graph.keys import Work
from pipelines.graph.plan import Group, Node, Plan, Ref, in_order
from pipelines.kubeflow.placement import apply_cluster, label_pod
from pipelines.recipe.cluster import ClusterConfig
from yt8m import __version__
from yt8m.normal_form import strip_comments

# Stands for the image where steps are processes: always the same one, for KFP's cache knows steps by their image.
PROCESS_IMAGE = f"yt8m:{__version__}"
# Environment of every step: progress lines appear at once, and from TensorFlow's C++ side nothing but errors, besides
# two lines of every import.
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
# The variable through which changed code changes a step's cache key.
CODE_VARIABLE = "YT8M_CODE"
# The pipeline's parameters, as the user interface shows them.
ROOT_PARAMETER = "root"
RECIPE_PARAMETER = "recipe"
_DESCRIPTIONS = {
    ROOT_PARAMETER: "URI of the folder for everything that is no artifact: generated shards, soft targets, "
    "checkpoints, TensorBoard's logs, the steps' records.",
    RECIPE_PARAMETER: "The recipe that the pipeline was compiled from, for `yt8m rerun --set`. No step reads it.",
}


@cache
def find_component(stage: str) -> Any:
    """Import the KFP component of a stage: `components.<stage>.<stage>`."""
    return getattr(import_module(f"components.{stage}"), stage)


def build_pipeline(
    plan: Plan, work: Mapping[str, Work], image: str, cluster: ClusterConfig | None = None, recipe: str = ""
) -> Any:
    """Build the pipeline; its parameter `root` is the URI of everything that is no artifact.

    Args:
        plan: The nodes.
        work: Everything that decides a node's result, by node.
        image: The container image of the steps.
        cluster: What the steps need in a cluster.
        recipe: The recipe as JSON, which the pipeline keeps for reruns.

    Returns:
        The KFP pipeline.
    """
    return _PipelineBuilder(plan, work, image, cluster, recipe).build()


class _PipelineBuilder:
    def __init__(
        self, plan: Plan, work: Mapping[str, Work], image: str, cluster: ClusterConfig | None, recipe: str
    ) -> None:
        self.plan = plan
        self.work = work
        self.image = image
        self.cluster = cluster
        self.recipe = recipe

    def build(self) -> Any:
        # KFP makes no pipeline while it is making another.
        subpipelines = {name: self._make_group(group) for name, group in self.plan.groups.items()}

        def body(root: Any, _: Any) -> None:
            outputs: dict[Ref, Any] = {}
            for unit in self._units():
                if isinstance(unit, Group):
                    subpipelines[unit.name].call(unit.title, root, outputs)
                else:
                    self._call_node(unit, root, outputs)

        inputs = {ROOT_PARAMETER: str, RECIPE_PARAMETER: str}
        given = {RECIPE_PARAMETER: self.recipe}
        return _pipeline(self.plan.name, self.plan.description, inputs, {}, body, given)

    def _units(self) -> list[Node | Group]:
        """Group and the run's own nodes, each after those it depends on."""
        unit_of = {node.name: node.group or node.name for node in self.plan.nodes.values()}
        needs: dict[str, set[str]] = {}
        for node in self.plan.nodes.values():
            unit = needs.setdefault(unit_of[node.name], set())
            unit |= {unit_of[dependency] for dependency in node.dependencies} - {unit_of[node.name]}
        return [self.plan.groups.get(unit) or self.plan.nodes[unit] for unit in in_order(needs)]

    def _make_group(self, group: Group) -> "_SubPipeline":
        """Make the group's sub-pipeline: in goes what its nodes read of others, out what others read of them."""
        nodes = [node for node in self.plan.nodes.values() if node.group == group.name]
        names = {node.name for node in nodes}
        given = sorted({ref for node in nodes for ref in node.references() if ref.node not in names}, key=_port)
        others = [node for node in self.plan.nodes.values() if node.name not in names]
        wanted = sorted({ref for node in others for ref in node.references() if ref.node in names}, key=_port)

        def body(root: Any, *artifacts: Any) -> Any:
            inner: dict[Ref, Any] = dict(zip(given, artifacts, strict=True))
            for node in nodes:
                self._call_node(node, root, inner)
            result = namedtuple("Outputs", [_port(ref) for ref in wanted])  # type: ignore[misc]
            return result(*(inner[ref] for ref in wanted)) if wanted else None

        inputs = {"root": str} | {_port(ref): dsl.Input[self._artifact_type(ref)] for ref in given}
        results = {_port(ref): self._artifact_type(ref) for ref in wanted}
        pipeline = _pipeline(group.name, group.description, inputs, results, body)
        return _SubPipeline(pipeline, given, wanted)

    def _call_node(self, node: Node, root: Any, outputs: dict[Ref, Any]) -> None:
        component = find_component(node.stage)
        parameters = component.component_spec.inputs
        arguments = {name: value for name, value in self._parameters(node, root).items() if name in parameters}
        arguments |= {name: outputs[ref] for name, ref in node.inputs.items()}
        for prefix, artifacts in node.fan_in.items():
            arguments |= {f"{prefix}_{number}": outputs[ref] for number, ref in enumerate(artifacts.values(), 1)}
        component = _named(component, node.name, node.description, arguments)
        # Not by the task's methods: each of them looks at the whole stack, which adds up to seconds.
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
        """The artifact class of an output, from its component's interface (`system.Model@0.0.1`)."""
        spec = find_component(self.plan.nodes[ref.node].stage).component_spec.outputs[ref.output]
        return getattr(dsl, spec.type.removeprefix("system.").split("@")[0])


class _SubPipeline(NamedTuple):
    """A group's KFP pipeline, what goes in and what comes out."""

    pipeline: Any
    given: list[Ref]
    wanted: list[Ref]

    def call(self, title: str, root: Any, outputs: dict[Ref, Any]) -> None:
        """Make its task; adds what comes out of it to `outputs`."""
        task = self.pipeline(root=root, **{_port(ref): outputs[ref] for ref in self.given})
        task.set_display_name(title)
        outputs |= {ref: task.outputs[_port(ref)] for ref in self.wanted}


def _port(ref: Ref) -> str:
    """The name under which an output crosses a sub-pipeline's border."""
    return f"{ref.node}_{ref.output}".replace("-", "_")


def _named(component: Any, name: str, description: str, arguments: Iterable[str]) -> Any:
    """A copy of a component that makes tasks of this name and has no inputs but those it is given.

    KFP numbers tasks of one component in order, so that a model added in the middle of a recipe would rename,
    and thereby repeat, all tasks behind it. And the numbered inputs that a task does not use would be the larger
    part of the compiled file.
    """
    named = copy.copy(component)
    named.component_spec = copy.deepcopy(component.component_spec)
    named.component_spec.name = named.name = name
    named.component_spec.inputs = {
        key: each for key, each in component.component_spec.inputs.items() if key in arguments
    }
    named._component_inputs = set(named.component_spec.inputs)
    container = named.component_spec.implementation.container
    # KFP's cache knows a step by its command, which holds the source of the component.
    container.command = [*container.command[:-1], strip_comments(container.command[-1])]
    if description:
        named.component_spec.description = description
    return named


def _pipeline(  # noqa: PLR0917 the interface of a pipeline
    name: str,
    description: str,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    body: Callable[..., Any],
    defaults: Mapping[str, str] | None = None,
) -> Any:
    """A KFP pipeline whose interface is only known now; KFP reads it from the function's signature and docstring."""

    def pipeline(*arguments: Any) -> Any:
        return body(*arguments)

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
    pipeline.__signature__ = inspect.Signature(parameters, return_annotation=result)  # type: ignore[attr-defined]
    pipeline.__name__ = name
    described = (f"    {key}: {_DESCRIPTIONS[key]}" for key in inputs if key in _DESCRIPTIONS)
    pipeline.__doc__ = "\n".join([f"{name}.", "", "Args:", *described])
    return dsl.pipeline(name=name, description=description)(pipeline)
