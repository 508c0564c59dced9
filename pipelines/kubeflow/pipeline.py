"""Translation of a plan to a Kubeflow pipeline: a task per node, a sub-pipeline per group."""

import inspect
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from kfp import dsl, kubernetes

from pipelines.graph.keys import Work
from pipelines.graph.plan import Group, Node, Plan, Ref
from pipelines.kubeflow.component import Form, find_component, make_component
from pipelines.kubeflow.placement import apply_cluster
from pipelines.recipe.cluster import ClusterConfig
from pipelines.recipe.steps import PART_OF
from yt8m.yaml_files import dump_line

# Parameters of the pipeline, with the descriptions that the user interface shows.
ROOT_PARAMETER = "root"
RECIPE_PARAMETER = "recipe"
_DESCRIPTIONS = {
    ROOT_PARAMETER: "URI of the folder for all files that are not artifacts: generated shards, soft targets, "
    "checkpoints, TensorBoard logs and the records of the steps.",
    RECIPE_PARAMETER: "Recipe from which the pipeline was compiled, for `yt8m rerun --set`. No step reads it.",
}


# Makes the task of a node or sub-pipeline, given the run's root and the artifacts made so far, and adds its outputs.
Caller = Callable[[Any, dict[Ref, Any]], Any]


@dataclass(frozen=True)
class PipelineBuilder:
    """Builder of the KFP pipeline of a plan.

    Attributes:
        plan: The nodes.
        work: Everything that decides the result of a node, by node.
        image: Container image of the steps.
        cluster: Resources of the steps in the cluster. None: the defaults of the cluster.
        form: Form of the steps' commands.
        unread: URIs of files that the step `prepare` looks at, by key of the recipe.
    """

    plan: Plan
    work: Mapping[str, Work]
    image: str
    cluster: ClusterConfig | None = None
    form: Form = "cluster"
    unread: Mapping[str, str] = field(default_factory=dict)

    def build(self, recipe: str = "") -> Any:
        """Build the pipeline, which keeps the recipe's text for reruns. Its parameter `root` is the run's root."""
        # KFP cannot build a pipeline while it is building another one.
        callers = {
            unit: self._make_group(self.plan.groups[unit], nodes)
            if unit in self.plan.groups
            else partial(self._call_node, nodes[0])
            for unit, nodes in self.plan.units().items()
        }
        waits = _waits_for_records(self.plan)

        def body(root: Any, _: Any) -> None:
            outputs: dict[Ref, Any] = {}
            tasks: dict[str, Any] = {}
            for unit, call in callers.items():
                tasks[unit] = call(root, outputs).after(*(tasks[other] for other in waits[unit]))

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

        def call(root: Any, known: dict[Ref, Any]) -> Any:
            task = pipeline(root=root, **{_port(ref): known[ref] for ref in inputs})
            task.set_display_name(group.title)
            known |= {ref: task.outputs[_port(ref)] for ref in outputs}
            return task

        return call

    def _call_node(self, node: Node, root: Any, outputs: dict[Ref, Any]) -> Any:
        """Make the task of a node and add its outputs."""
        known = find_component(node.stage).component_spec.inputs
        arguments = {name: value for name, value in self._parameters(node, root).items() if name in known}
        arguments |= {name: outputs[ref] for name, ref in node.inputs.items()}
        for prefix, artifacts in node.fan_in.items():
            arguments |= {f"{prefix}_{number}": outputs[ref] for number, ref in enumerate(artifacts.values(), 1)}
        task = make_component(node.stage, node.name, arguments, self.image, self.form)(**arguments)
        kubernetes.add_pod_label(task, *PART_OF)
        if self.cluster:
            apply_cluster(task, node.stage, node.model, self.cluster, self.image)
        if self.form == "cluster" and self._reads_unknown_data(node):
            task.set_caching_options(enable_caching=False)
        task.set_display_name(node.title)
        outputs |= {Ref(node.name, output): artifact for output, artifact in task.outputs.items()}
        return task

    def _reads_unknown_data(self, node: Node) -> bool:
        """Return whether a node reads files from outside that have no fingerprint, so that it has to look at them."""
        reads_data = not node.dependencies and (node.stage == "prepare" or bool(node.config.get("means")))
        work = self.work[node.name]
        return (reads_data and not work.data) or any(uri not in work.named for uri in node.reads)

    def _parameters(self, node: Node, root: Any) -> dict[str, Any]:
        fan_in = next(iter(node.fan_in.values()), {})
        generated = [name for name in node.dependencies if self.plan.nodes[name].stage == "generate"]
        return {
            "node": node.name,
            "config": node.changes,
            "names": " ".join(fan_in),
            "records": dump_line({name: self.work[name].key for name in node.records}),
            "root": root,
            "key": self.work[node.name].key,
            "data_key": self.work[generated[0]].key if generated else "",
            "data_version": "" if generated else self.work[node.name].data_version,
            "named_files": dump_line(self.unread) if self.unread else "",
            **node.arguments,
        }

    def _artifact_type(self, ref: Ref) -> Any:
        """Return the artifact class of an output from the component's interface (`system.Model@0.0.1`)."""
        spec = find_component(self.plan.nodes[ref.node].stage).component_spec.outputs[ref.output]
        return getattr(dsl, spec.type.removeprefix("system.").split("@")[0])


def _port(ref: Ref) -> str:
    """Return the name of an artifact as input or output of a sub-pipeline."""
    return f"{ref.node}_{ref.output}".replace("-", "_")


def _waits_for_records(plan: Plan) -> dict[str, list[str]]:
    """Return the units that each unit of a plan has to wait for although it reads none of their artifacts.

    They have records that it reads. Those that it waits for anyway, directly or by way of others, are left out, since
    user interfaces draw each of these relations as an edge.
    """
    units = plan.units()
    unit_of = {node.name: unit for unit, nodes in units.items() for node in nodes}
    before: dict[str, set[str]] = {}
    found: dict[str, list[str]] = {}
    for unit, nodes in units.items():
        makers = {unit_of[ref.node] for node in nodes for ref in node.references()} - {unit}
        known = makers.union(*(before[other] for other in makers))
        recorders = {unit_of[name] for node in nodes for name in node.records} - {unit} - known
        indirect = set().union(*(before[other] for other in recorders))
        found[unit] = [other for other in units if other in recorders - indirect]
        before[unit] = known | recorders | indirect
    return found


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
