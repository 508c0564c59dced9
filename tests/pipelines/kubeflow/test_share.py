import json
from collections import defaultdict
from typing import Any

import pytest

from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.share import separate, share
from pipelines.kubeflow.spec import Spec, SpecGraph
from pipelines.recipe.cluster import load_cluster
from pipelines.recipe.load import read_recipe
from tests.support.paths import REPOSITORY, SMOKE

RECIPES = [
    pytest.param(path.stem, marks=() if path == SMOKE else pytest.mark.slow)
    for path in sorted(SMOKE.parent.glob("*.yaml"))
]
OVERLAYS = sorted((REPOSITORY / "manifests" / "overlays").glob("*/cluster*.yaml"))
QUICK = REPOSITORY / "manifests" / "overlays" / "gke" / "cluster.yaml"


def compile_specs(recipe: str, overlay: Any = None) -> tuple[Spec, Spec]:
    path = SMOKE.with_name(f"{recipe}.yaml")
    compilation = Compilation(read_recipe(path), str(path), read_data=False)
    return compilation.build("image", load_cluster(overlay) if overlay else None).specs


def interface(component: Spec) -> str:
    """Return what KFP's driver requires of a component: required inputs, and outputs."""
    inputs = component.get("inputDefinitions", {})
    required = {
        kind: {name: each for name, each in inputs.get(kind, {}).items() if not each.get("isOptional")}
        for kind in ("artifacts", "parameters")
    }
    return json.dumps([required, component.get("outputDefinitions", {})], sort_keys=True)


@pytest.mark.parametrize(
    "overlay",
    [None, *(pytest.param(path, marks=() if path == QUICK else pytest.mark.slow) for path in OVERLAYS)],
    ids=lambda path: "/".join(path.parts[-2:]) if path else "none",
)
@pytest.mark.parametrize("recipe", RECIPES)
def test_equal_containers_have_one_interface_that_serves_all_their_steps(recipe: str, overlay: Any) -> None:
    spec, platforms = compile_specs(recipe, overlay)
    executors = spec["deploymentSpec"]["executors"]
    by_container: dict[str, list[Spec]] = defaultdict(list)
    for component in spec["components"].values():
        if "executorLabel" in component:
            container = executors[component["executorLabel"]]["container"]
            by_container[json.dumps(container, sort_keys=True)].append(component)
    for components in by_container.values():
        assert len({interface(each) for each in components}) == 1
        # KFP keeps the first; the others are the same.
        assert len({json.dumps(each["inputDefinitions"], sort_keys=True) for each in components}) == 1
    graph = SpecGraph(spec)
    for name in graph.nodes:
        definitions = spec["components"][graph[name].component]["inputDefinitions"]
        for kind in ("artifacts", "parameters"):
            given, defined = graph.task(name)["inputs"].get(kind, {}), definitions.get(kind, {})
            assert set(given) <= set(defined)
            assert {key for key, each in defined.items() if not each.get("isOptional")} <= set(given)
    used = {each["executorLabel"] for each in spec["components"].values() if "executorLabel" in each}
    assert used == set(executors) == set(platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"])


def test_steps_of_a_stage_with_equal_settings_share_one_component() -> None:
    spec, _ = compile_specs("smoke", OVERLAYS[-1])
    graph = SpecGraph(spec)
    trained = {graph[name].component for name in graph.nodes if name.startswith("train-")}
    assert trained == {"comp-train"}
    assert graph.label("train-netvlad") == "exec-train"
    steps = [each for each in spec["components"].values() if "executorLabel" in each]
    assert len(steps) < 12 < len(graph.nodes)


def tiny(**executors: Any) -> tuple[Spec, Spec]:
    """Return a pipeline with a step per executor, which is a stage and the step's optional inputs."""
    components, containers, settings, tasks = {}, {}, {}, {}
    for name, (stage, optional, kubernetes) in executors.items():
        parameters = {key: {"parameterType": "STRING", "isOptional": True} for key in optional}
        inputs = {"parameters": {"node": {"parameterType": "STRING"}} | parameters}
        components[f"comp-{name}"] = {"executorLabel": f"exec-{name}", "inputDefinitions": inputs}
        containers[f"exec-{name}"] = {"container": {"image": "i", "args": [stage, "{{$}}"]}}
        settings[f"exec-{name}"] = kubernetes
        tasks[name] = {"componentRef": {"name": f"comp-{name}"}, "inputs": {}}
    spec = {"pipelineInfo": {"name": "p"}, "components": components, "root": {"dag": {"tasks": tasks}}}
    platforms = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": settings}}}}
    return spec | {"deploymentSpec": {"executors": containers}}, platforms


def test_names_are_those_of_stages_and_numbered_where_settings_differ() -> None:
    original = tiny(
        b=("soft_targets", [], {"x": 1}), a=("soft_targets", [], {"x": 2}), c=("soft_targets", [], {"x": 1})
    )
    spec, platforms = share(*original)
    tasks = {name: task["componentRef"]["name"] for name, task in spec["root"]["dag"]["tasks"].items()}
    assert tasks == {"a": "comp-soft-targets", "b": "comp-soft-targets-2", "c": "comp-soft-targets-2"}
    settings = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert settings == {"exec-soft-targets": {"x": 2}, "exec-soft-targets-2": {"x": 1}}
    assert set(spec["deploymentSpec"]["executors"]) == set(settings)
    assert set(original[0]["components"]) == {"comp-a", "comp-b", "comp-c"}


def test_a_shared_component_has_the_optional_inputs_of_all() -> None:
    spec, _ = share(*tiny(a=("train", ["x"], {}), b=("train", ["y"], {}), c=("export", ["z"], {})))
    inputs = {name: set(each["inputDefinitions"]["parameters"]) for name, each in spec["components"].items()}
    assert inputs == {"comp-train": {"node", "x", "y"}, "comp-export": {"node", "z"}}


def test_a_group_s_name_is_not_taken() -> None:
    spec, platforms = tiny(a=("train", [], {}))
    spec["components"]["comp-train"] = {"dag": {"tasks": spec["root"]["dag"]["tasks"]}}
    spec["root"]["dag"] = {"tasks": {"group": {"componentRef": {"name": "comp-train"}}}}
    shared, _ = share(spec, platforms)
    assert set(shared["components"]) == {"comp-train", "comp-train-2"}
    assert shared["components"]["comp-train"]["dag"]["tasks"]["a"]["componentRef"] == {"name": "comp-train-2"}


def test_a_step_of_a_shared_component_can_be_separated_from_the_others() -> None:
    spec, platforms = compile_specs("smoke", OVERLAYS[-1])
    separate(spec, platforms, ["train-dbof-wide"])
    graph = SpecGraph(spec)
    graph.executor("train-dbof-wide")["container"]["image"] = "other"
    assert graph.executor("train-dbof-narrow")["container"]["image"] == "image:latest-gpu"
    assert graph.label("train-dbof-wide") in platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
