"""Placement in a compiled recipe: overrides for stages and models, and what they cost."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.size import run_size
from pipelines.kubeflow.spec import SpecGraph
from pipelines.recipe.cluster import ClusterConfig
from pipelines.recipe.load import read_recipe
from tests.support.paths import SMOKE

CLUSTER: dict[str, Any] = {
    "training": {"memory": "4Gi", "retries": {"count": 2}},
    "overrides": [{"models": ["dbof-wide"], "memory": "8Gi"}, {"stages": ["export"], "memory": "16Gi"}],
}


def compile_smoke(folder: Path, cluster: dict[str, Any]) -> Result:
    (folder / "cluster.yaml").write_text(yaml.safe_dump(cluster))
    options = ["--image", "registry/yt8m:1", "--cluster", str(folder / "cluster.yaml")]
    return CliRunner().invoke(main, ["compile", str(SMOKE), "-o", str(folder / "smoke.yaml"), *options])


def test_stages_and_models_get_their_own_memory(tmp_path: Path) -> None:
    result = compile_smoke(tmp_path, CLUSTER)
    assert result.exit_code == 0, result.output
    spec, _ = yaml.safe_load_all((tmp_path / "smoke.yaml").read_text())
    graph = SpecGraph(spec)
    containers = {name: graph.executor(name)["container"] for name in graph.nodes}
    memory = {name: each.get("resources", {}).get("resourceMemoryLimit", "") for name, each in containers.items()}
    trained = {name: size for name, size in memory.items() if name.startswith("train-")}
    assert len(trained) > 3
    assert trained == dict.fromkeys(trained, "4Gi") | {"train-dbof-wide": "8Gi"}
    assert memory["export"] == "16Gi"
    assert memory["report"] == ""
    # Steps of a stage with equal settings still share a component.
    assert len({graph[name].component for name in trained}) == 2


@pytest.mark.parametrize("in_recipe", [False, True])
def test_a_model_that_the_recipe_does_not_have_is_refused(in_recipe: bool, tmp_path: Path) -> None:
    cluster = {"overrides": [{"models": ["dbof-wid"], "memory": "8Gi"}]}
    recipe, options = SMOKE, ["--image", "registry/yt8m:1"]
    if in_recipe:
        recipe = tmp_path / "own.yaml"
        recipe.write_text(yaml.safe_dump(yaml.safe_load(SMOKE.read_text()) | {"cluster": cluster}))
    else:
        (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(cluster))
        options += ["--cluster", str(tmp_path / "cluster.yaml")]
    result = CliRunner().invoke(main, ["compile", str(recipe), "-o", str(tmp_path / "made.yaml"), *options])
    assert result.exit_code == 2
    place = f"{recipe}: cluster" if in_recipe else str(tmp_path / "cluster.yaml")
    assert f"{place}: overrides[0].models: the recipe trains no model 'dbof-wid'. Did you mean 'dbof-wide'?" in (
        result.output
    )
    assert not (tmp_path / "made.yaml").exists()


@pytest.mark.slow
def test_overrides_labels_and_annotations_make_a_run_larger() -> None:
    compilation = Compilation(read_recipe(SMOKE), str(SMOKE), read_data=False)

    def end_bytes(**changes: Any) -> int:
        cluster = ClusterConfig.parse(CLUSTER | changes, "cluster.yaml")
        return run_size(*compilation.build("registry/yt8m:1", cluster).specs).end_bytes

    plain = end_bytes(overrides=[])
    training = CLUSTER["training"]
    note = {"example.com/a-rather-long-name": "and-a-rather-long-value"}
    assert plain < end_bytes() < 1.1 * plain
    assert plain < end_bytes(overrides=[], training=training | {"annotations": note}) < 1.1 * plain
    assert plain < end_bytes(overrides=[], training=training | {"labels": note}) < 1.1 * plain
