import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.compiler import Compiler
from kfp.local.cache import LocalCache
from kfp.local.graph_utils import topological_sort_tasks
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.graph.keys import plan_work
from pipelines.graph.plan import Plan
from pipelines.graph.planner import make_plan
from pipelines.kubeflow.component import Form
from pipelines.kubeflow.pipeline import PipelineBuilder
from pipelines.recipe.schema import Recipe
from yt8m.normal_form import strip_comments
from yt8m.yaml_files import parse_line

Small = Callable[..., Recipe]


def compiled(plan: Plan, folder: Path, code: str = "code", form: Form = "cluster") -> dict[str, Any]:
    work = plan_work(plan, lambda _: {"train.py": code}, {}, {})
    Compiler().compile(PipelineBuilder(plan, work, "image:1", form=form).build(), str(folder / "pipeline.yaml"))
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
    assert set(spec["components"]["comp-netvlad"]["dag"]["tasks"]) == {"train-vlad-a"}


def test_tasks_have_titles_and_the_image(plan: Plan, tmp_path: Path) -> None:
    spec = compiled(plan, tmp_path)
    assert tasks_of(spec)["train-dbof-s"]["taskInfo"]["name"] == "Train dbof-s"
    assert tasks_of(spec)["dbof"]["taskInfo"]["name"] == "dbof"
    images = {executor["container"]["image"] for executor in spec["deploymentSpec"]["executors"].values()}
    assert images == {"image:1"}


def test_kfp_understands_the_file(plan: Plan, tmp_path: Path) -> None:
    json_format.ParseDict(compiled(plan, tmp_path), pipeline_spec_pb2.PipelineSpec())


def test_compiling_twice_gives_the_same_file(plan: Plan, tmp_path: Path) -> None:
    assert compiled(plan, tmp_path) == compiled(plan, tmp_path)


def test_every_step_has_the_settings_of_the_others(plan: Plan, tmp_path: Path) -> None:
    """Equal settings are stored once; the network policy selects pods by the label."""
    compiled(plan, tmp_path)
    executors = documents(tmp_path)[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) == {f"exec-{name}" for name in plan.nodes}
    settings = {"podMetadata": {"labels": {"app.kubernetes.io/part-of": "yt8m"}}}
    assert all(each == settings for each in executors.values())


def test_a_step_in_a_cluster_runs_the_code_of_its_image(plan: Plan, tmp_path: Path) -> None:
    executors = compiled(plan, tmp_path)["deploymentSpec"]["executors"]
    assert executors["exec-train-dbof-a"]["container"] == {
        "image": "image:1",
        "command": ["python3", "-m", "components"],
        "args": ["train", "{{$}}"],
    }
    assert "def train(" not in (tmp_path / "pipeline.yaml").read_text()


def test_changed_code_changes_the_key_of_a_step(plan: Plan, tmp_path: Path) -> None:
    first, second = (constants(compiled(plan, tmp_path, code), "train-dbof-a") for code in "12")
    assert first.pop("key") != second.pop("key")
    assert first == second


def test_parameters_are_plain_words_and_one_line(plan: Plan, tmp_path: Path) -> None:
    spec = compiled(plan, tmp_path)
    key = constants(spec, "train-dbof-a")["key"]
    assert constants(spec, "train-dbof-a") == {
        "node": "train-dbof-a",
        "config": plan["train-dbof-a"].changes,
        "key": key,
    }
    assert constants(spec, "soft-targets-dbof-part-2")["names"] == "dbof-a dbof-b"
    assert constants(spec, "soft-targets-dbof-part-2")["worker"] == 1
    report = constants(spec, "report")
    assert parse_line(report["records"], "records")["train-dbof-a"] == key
    assert set(parse_line(report["records"], "records")) == set(plan.nodes) - {"report"}
    assert parse_line(report["students"], "students")["dbof-s"] == {"learn_from": "dbof", "baseline": "dbof-a"}
    every = [value for task in tasks_of(spec).values() for value in parameters(task).values()]
    assert not [value for value in every if "\n" in str(value)]


def test_a_step_that_reads_records_waits_for_those_that_leave_them(plan: Plan, tmp_path: Path) -> None:
    spec = compiled(plan, tmp_path)
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["report"]["dependentTasks"] == ["export"]
    # `netvlad` leaves nothing but records, all others leave artifacts that the search or the export reads.
    assert tasks["export"]["dependentTasks"] == ["both", "dbof", "netvlad", "prepare", "search-weights"]
    json_format.ParseDict(spec, message := pipeline_spec_pb2.PipelineSpec())
    # KFP's local runner takes the next task from the end.
    assert topological_sort_tasks(dict(message.root.dag.tasks))[:2] == ["report", "export"]


def test_inputs_and_outputs_of_steps_have_no_descriptions(plan: Plan, tmp_path: Path) -> None:
    spec = compiled(plan, tmp_path)
    for component in spec["components"].values():
        if "executorLabel" in component:
            assert "description" not in json.dumps(component)
    assert spec["root"]["inputDefinitions"]["parameters"]["root"]["description"]


def constants(spec: dict[str, Any], node: str) -> dict[str, Any]:
    """Return the constant parameters of a node's task by name."""
    return {name: value for name, value in parameters(tasks_of(spec)[node]).items() if value is not None}


def parameters(task: dict[str, Any]) -> dict[str, Any]:
    given = task["inputs"].get("parameters", {})
    return {name: each.get("runtimeValue", {}).get("constant") for name, each in given.items()}


def test_kfps_cache_sees_no_comments_and_docstrings_of_components(plan: Plan, tmp_path: Path) -> None:
    executors = compiled(plan, tmp_path, form="local")["deploymentSpec"]["executors"]
    sources = {executor["container"]["command"][-1] for executor in executors.values()}
    assert any("def train(" in source for source in sources)
    for source in sources:
        assert strip_comments(source) == source
        assert '"""' not in source


def test_kfps_cache_knows_nodes_without_their_titles(plan: Plan, tmp_path: Path) -> None:
    renamed = [replace(node, title="Another") for node in plan.nodes.values()]
    other = Plan(plan.name, "Another.", tuple(plan.groups.values()), tuple(renamed))
    assert cache_keys(compiled(other, tmp_path, form="local"), tmp_path) == cache_keys(
        compiled(plan, tmp_path, form="local"), tmp_path
    )


def cache_keys(spec: dict[str, Any], folder: Path) -> dict[str, str]:
    """Return the part of the key of KFP's local cache that is not input artifacts, for each node."""
    keys = {}
    for name, task in tasks_of(spec).items():
        component = task["componentRef"]["name"]
        if label := spec["components"][component].get("executorLabel"):
            container = spec["deploymentSpec"]["executors"][label]["container"]
            command, given = [*container["command"], *container["args"]], task["inputs"]["parameters"]
            keys[name] = LocalCache(str(folder)).compute_key(component, "image:1", command, given, {})
    return keys
