import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.component import PROCESS_IMAGE
from pipelines.kubeflow.size import measure_pipeline, workflow_bytes
from pipelines.recipe.cluster import ClusterConfig, load_cluster
from pipelines.recipe.load import read_recipe
from tests.support.paths import REPOSITORY, SMOKE

CLUSTER = ClusterConfig.parse({"training": {"gpu": {"count": 1}, "cpu": "8"}}, "")


@pytest.fixture
def compilation() -> Compilation:
    return Compilation(read_recipe(SMOKE), str(SMOKE), read_data=False)


def test_the_compiled_file_is_measured(compilation: Compilation, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    compilation.write(path, PROCESS_IMAGE)
    size = measure_pipeline(compilation)
    assert (size.nodes, size.compiled_bytes) == (len(compilation.plan.nodes), path.stat().st_size)
    assert size.run_share == (size.workflow_bytes + 1200 * size.nodes) / 1_048_576


def test_a_cluster_s_section_makes_file_and_run_larger(compilation: Compilation) -> None:
    without, with_gpus = measure_pipeline(compilation), measure_pipeline(compilation, CLUSTER)
    assert with_gpus.compiled_bytes > without.compiled_bytes
    assert with_gpus.workflow_bytes > without.workflow_bytes


def spec(containers: list[str]) -> dict[str, Any]:
    names = [f"step{number}" for number in range(len(containers))]
    return {
        "components": {name: {"executorLabel": name} for name in names},
        "deploymentSpec": {
            "executors": {name: {"container": {"image": image}} for name, image in zip(names, containers, strict=True)}
        },
        "root": {"dag": {"tasks": {name: {"componentRef": {"name": name}} for name in names}}},
    }


def quoted(data: Any) -> int:
    return len(json.dumps(json.dumps(data, separators=(",", ":"))))


def test_a_run_holds_equal_containers_once_and_every_task_twice() -> None:
    one, same, other = (workflow_bytes(spec(images), {}) for images in (["a" * 500], ["a" * 500] * 2, ["a", "b"]))
    task = {"componentRef": {"name": "step0"}}
    # In the root, which is JSON once more, and with its driver.
    assert same - one == 2 * quoted(task) - 2 + len(r",\"step1\":") + 1000
    assert other - workflow_bytes(spec(["a", "a"]), {}) > 0


def test_kubernetes_settings_count_for_each_step() -> None:
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"step0": {"x": 1}, "step1": {"x": 1}}}}}}
    images = ["a", "a"]
    assert workflow_bytes(spec(images), platform) - workflow_bytes(spec(images), {}) == 2 * (quoted({"x": 1}) + 100)


def test_the_paper_s_run_fits_with_the_cluster_s_section() -> None:
    path = SMOKE.with_name("paper.yaml")
    section = load_cluster(REPOSITORY / "manifests" / "overlays" / "gke" / "cluster.yaml")
    assert measure_pipeline(Compilation(read_recipe(path), str(path), read_data=False), section).run_share < 0.95
