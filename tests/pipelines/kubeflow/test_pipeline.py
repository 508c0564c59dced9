from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.compiler import Compiler
from kfp.local.cache import LocalCache
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.graph.keys import plan_work
from pipelines.graph.plan import Plan
from pipelines.graph.planner import make_plan
from pipelines.kubeflow.pipeline import build_pipeline, find_component
from pipelines.recipe.schema import Recipe
from pipelines.stages import STAGES
from yt8m.normal_form import strip_comments

Small = Callable[..., Recipe]


def compiled(plan: Plan, folder: Path, code: str = "code") -> dict[str, Any]:
    work = plan_work(plan, lambda _: {"train.py": code}, {}, {})
    Compiler().compile(build_pipeline(plan, work, "image:1"), str(folder / "pipeline.yaml"))
    spec: dict[str, Any] = documents(folder)[0]
    return spec


def documents(folder: Path) -> list[dict[str, Any]]:
    """Return the `PipelineSpec` and the `PlatformSpec`."""
    return list(yaml.safe_load_all((folder / "pipeline.yaml").read_text()))


def tasks_of(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return all tasks by name, including those of sub-pipelines."""
    dags = [spec["root"]["dag"], *(each["dag"] for each in spec["components"].values() if "dag" in each)]
    return {name: task for dag in dags for name, task in dag["tasks"].items()}


@pytest.fixture
def plan(small: Small) -> Plan:
    return make_plan(small(lambda _: None, "soft_targets.workers=2"))


def test_every_node_is_a_task_of_its_name_and_every_group_a_sub_pipeline(plan: Plan, tmp_path: Path) -> None:
    spec = compiled(plan, tmp_path)
    assert set(tasks_of(spec)) == set(plan.nodes) | {"dbof", "taught-by-dbof", "netvlad", "both"}
    assert set(spec["components"]["comp-netvlad"]["dag"]["tasks"]) == {
        "train-vlad-a",
        "evaluate-vlad-a",
        "collect-netvlad",
    }


def test_tasks_have_titles_and_the_image(plan: Plan, tmp_path: Path) -> None:
    spec = compiled(plan, tmp_path)
    assert tasks_of(spec)["train-dbof-s"]["taskInfo"]["name"] == "Train dbof-s"
    assert tasks_of(spec)["dbof"]["taskInfo"]["name"] == "Family dbof"
    images = {executor["container"]["image"] for executor in spec["deploymentSpec"]["executors"].values()}
    assert images == {"image:1"}


def test_kfp_understands_the_file(plan: Plan, tmp_path: Path) -> None:
    json_format.ParseDict(compiled(plan, tmp_path), pipeline_spec_pb2.PipelineSpec())


def test_compiling_twice_gives_the_same_file(plan: Plan, tmp_path: Path) -> None:
    assert compiled(plan, tmp_path) == compiled(plan, tmp_path)


def test_pods_can_be_found_by_node_in_any_cluster(plan: Plan, tmp_path: Path) -> None:
    compiled(plan, tmp_path)
    executors = documents(tmp_path)[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    labels = {name.removeprefix("exec-"): each["podMetadata"]["labels"] for name, each in executors.items()}
    assert labels == {
        name: {"app.kubernetes.io/part-of": "yt8m", "app.kubernetes.io/component": name} for name in plan.nodes
    }


def test_steps_install_nothing(plan: Plan, tmp_path: Path) -> None:
    compiled(plan, tmp_path)
    assert "pip install" not in (tmp_path / "pipeline.yaml").read_text()


def test_changed_code_changes_the_environment_of_a_step(plan: Plan, tmp_path: Path) -> None:
    def variables(spec: dict[str, Any]) -> list[Any]:
        return spec["deploymentSpec"]["executors"]["exec-train-dbof-a"]["container"]["env"]

    assert variables(compiled(plan, tmp_path, "1")) != variables(compiled(plan, tmp_path, "2"))


def test_kfps_cache_sees_no_comments_and_docstrings_of_components(plan: Plan, tmp_path: Path) -> None:
    executors = compiled(plan, tmp_path)["deploymentSpec"]["executors"]
    sources = {executor["container"]["command"][-1] for executor in executors.values()}
    assert any("def train(" in source for source in sources)
    for source in sources:
        assert strip_comments(source) == source
        assert '"""' not in source


def test_kfps_cache_knows_nodes_without_their_titles_and_descriptions(plan: Plan, tmp_path: Path) -> None:
    renamed = [replace(node, title="Another", description="Does it.") for node in plan.nodes.values()]
    other = Plan(plan.name, "Another.", tuple(plan.groups.values()), tuple(renamed))
    assert cache_keys(compiled(other, tmp_path), tmp_path) == cache_keys(compiled(plan, tmp_path), tmp_path)


def cache_keys(spec: dict[str, Any], folder: Path) -> dict[str, str]:
    """Return the part of the key of KFP's local cache that is not input artifacts, for each node."""
    keys = {}
    for name, task in tasks_of(spec).items():
        component = task["componentRef"]["name"]
        if label := spec["components"][component].get("executorLabel"):
            container = spec["deploymentSpec"]["executors"][label]["container"]
            environment = {each["name"]: each["value"] for each in container["env"]}
            command, parameters = [*container["command"], *container["args"]], task["inputs"]["parameters"]
            keys[name] = LocalCache(str(folder)).compute_key(component, "image:1", command, parameters, environment)
    return keys


@pytest.mark.parametrize("stage", STAGES)
def test_a_component_and_its_parameters_have_descriptions(stage: str) -> None:
    spec = find_component(stage).component_spec
    assert spec.description
    numbered = {name for name in spec.inputs if name.rpartition("_")[2].isdigit()}
    assert all(spec.inputs[name].description for name in set(spec.inputs) - numbered)
    assert "metrics" in spec.outputs
