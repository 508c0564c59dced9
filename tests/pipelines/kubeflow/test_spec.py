"""Graphs and pruning of compiled pipelines whose sub-pipelines depend on each other."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.graph.keys import plan_work
from pipelines.graph.plan import Plan
from pipelines.graph.planner import make_plan
from pipelines.kubeflow.pipeline import PipelineBuilder
from pipelines.kubeflow.spec import ROOT, Spec, SpecGraph, dag_of, executor_labels, prune, prune_platforms
from pipelines.recipe.schema import Recipe
from yt8m.errors import ConfigError

Small = Callable[..., Recipe]


@pytest.fixture
def plan(small: Small) -> Plan:
    return make_plan(small(lambda _: None, "soft_targets.workers=2"))


@pytest.fixture
def spec(plan: Plan) -> Spec:
    pipeline = PipelineBuilder(plan, plan_work(plan, lambda _: {"train.py": "code"}, {}, {}), "image:1").build()
    data: Spec = json_format.MessageToDict(pipeline.pipeline_spec)
    return data


def test_the_graph_of_a_compiled_pipeline_is_that_of_its_plan(plan: Plan, spec: Spec) -> None:
    graph = SpecGraph(spec)
    assert set(graph.nodes) == set(plan.nodes)
    for name, node in plan.nodes.items():
        assert graph[name].group == node.group
        assert graph[name].title == node.title
        assert set(graph.ancestors(name)) == set(plan.ancestors(name))
        assert set(graph.descendants(name)) == {other for other in plan.nodes if name in plan.ancestors(other)}


def test_an_unknown_step_is_refused_with_the_nearest(spec: Spec) -> None:
    with pytest.raises(ConfigError, match=r"no node 'train-dbof'\. Did you mean 'train-dbof-"):
        SpecGraph(spec)["train-dbof"]


def made(spec: Spec, dag: Spec, task: str, output: str) -> bool:
    if task not in dag["tasks"]:
        return False
    producer = spec["components"][dag["tasks"][task]["componentRef"]["name"]]
    return output in producer["outputDefinitions"]["artifacts"]


def is_there(spec: Spec, dag: Spec, inputs: Spec, value: Spec) -> bool:
    """Return whether the source of a task's input exists."""
    if "taskOutputArtifact" in value:
        source = value["taskOutputArtifact"]
        return made(spec, dag, source["producerTask"], source["outputArtifactKey"])
    if "componentInputArtifact" in value:
        return value["componentInputArtifact"] in inputs["artifacts"]
    return "runtimeValue" in value or value["componentInputParameter"] in inputs["parameters"]


def broken(spec: Spec, component: str = ROOT) -> list[str]:
    """List unresolved references of a DAG, and inputs and outputs that do not match their definitions."""
    dag = dag_of(spec, component)
    own = spec["components"][component] if component else spec["root"]
    found: list[str] = []
    for name, task in dag["tasks"].items():
        inner = spec["components"][task["componentRef"]["name"]]
        found += [f"{name} after {other}" for other in task.get("dependentTasks", []) if other not in dag["tasks"]]
        for kind in ("artifacts", "parameters"):
            given = task.get("inputs", {}).get(kind, {})
            if set(given) != set(inner.get("inputDefinitions", {}).get(kind, {})):
                found.append(f"{name}: {kind}")
            for key, value in given.items():
                if not is_there(spec, dag, own.get("inputDefinitions", {}), value):
                    found.append(f"{name}.{key}: {value}")
        found += broken(spec, task["componentRef"]["name"]) if "dag" in inner else []
    outputs = dag.get("outputs", {}).get("artifacts", {})
    if set(outputs) != set(own.get("outputDefinitions", {}).get("artifacts", {})):
        found.append(f"outputs of {component}")
    selectors = [each for output in outputs.values() for each in output["artifactSelectors"]]
    return found + [
        str(each) for each in selectors if not made(spec, dag, each["producerSubtask"], each["outputArtifactKey"])
    ]


def test_a_pipeline_pruned_for_any_step_is_consistent(spec: Spec) -> None:
    before = copy.deepcopy(spec)
    graph = SpecGraph(spec)
    for name in graph.nodes:
        keep = {name, *graph.ancestors(name)}
        pruned = prune(spec, keep)
        json_format.ParseDict(pruned, pipeline_spec_pb2.PipelineSpec())
        assert set(SpecGraph(pruned).nodes) == keep
        assert broken(pruned) == []
        assert set(pruned["deploymentSpec"]["executors"]) == executor_labels(pruned)
        assert all(SpecGraph(pruned).task(other)["inputs"] == graph.task(other)["inputs"] for other in keep)
    assert spec == before


def test_pruning_no_step_changes_nothing(spec: Spec) -> None:
    assert prune(spec, set(SpecGraph(spec).nodes)) == spec


def test_a_sub_pipeline_without_steps_is_removed(spec: Spec) -> None:
    graph = SpecGraph(spec)
    pruned = prune(spec, {"average-dbof-a", *graph.ancestors("average-dbof-a")})
    assert set(pruned["root"]["dag"]["tasks"]) == {"generate", "prepare", "dbof"}
    assert "outputs" not in pruned["components"]["comp-dbof"]["dag"]


def test_the_platform_spec_keeps_the_executors_of_the_remaining_steps(spec: Spec) -> None:
    def executors(nodes: set[str]) -> dict[str, Any]:
        return {SpecGraph(spec)[name].component.replace("comp-", "exec-"): {"nodeSelector": {}} for name in nodes}

    platforms = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors(set(SpecGraph(spec).nodes))}}}}
    pruned = prune_platforms(platforms, prune(spec, {"generate", "prepare"}))
    assert pruned["platforms"]["kubernetes"]["deploymentSpec"]["executors"] == executors({"generate", "prepare"})
