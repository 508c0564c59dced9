import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.component import PROCESS_IMAGE
from pipelines.kubeflow.size import MAX_RUN_BYTES, RunSize, compiled_bytes, run_size
from pipelines.kubeflow.spec import Spec
from pipelines.recipe.cluster import ClusterConfig, load_cluster
from pipelines.recipe.load import read_recipe
from tests.support.paths import REPOSITORY, SMOKE
from yt8m.errors import ConfigError

CLUSTER = ClusterConfig.parse({"training": {"gpu": {"count": 1}, "cpu": "8"}}, "")
OVERLAYS = sorted((REPOSITORY / "manifests" / "overlays").glob("*/cluster*.yaml"))
IMAGE = "registry.example.com/team/yt8m:0.9.0-0123456789ab"
# Answers of a real Kubeflow Pipelines 2.17 with Argo 4.0, and bytes of the workflows at the end of the runs, where the
# recorded object and the size noted when the run ended differ, both.
RECORDINGS = REPOSITORY.parent / "shared" / "kfp-recordings"
ENDED = {
    "smoke-succeeded": (639_531,),
    "real-sim": (651_537, 614_088),
    "video-level-sim": (446_974, 424_309),
    "demo-sim": (1_319_113,),
    "failed-paper": (1_985_951,),
}
STARTED = {
    "smoke-succeeded": 287_500,
    "real-sim": 292_217,
    "video-level-sim": 205_479,
    "demo-sim": 602_189,
    "failed-paper": 852_247,
}


def compile_recipe(name: str) -> Compilation:
    path = SMOKE.with_name(f"{name}.yaml")
    return Compilation(read_recipe(path), str(path), read_data=False)


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "most"), [("smoke", 0.25), ("demo", 0.55), ("paper", 0.72)])
def test_runs_in_all_overlays_with_retries_meet_the_goals(recipe: str, most: float) -> None:
    compilation = compile_recipe(recipe)
    clusters = [load_cluster(path) for path in OVERLAYS]
    assert len(clusters) == 4
    assert all(each.training.retries and each.assembly.retries for each in clusters)
    shares = [run_size(*compilation.build(IMAGE, each).specs).end_share for each in clusters]
    assert max(shares) <= most, shares


def read_recording(name: str) -> Any:
    path = RECORDINGS / f"{name}.json.gz"
    if not path.exists():
        pytest.skip(f"{path}: the recordings are not here")
    return json.loads(gzip.decompress(path.read_bytes()))


def recorded_specs(run: str) -> tuple[Spec, Spec]:
    recorded = read_recording(f"run-v2beta1-{run}")["pipeline_spec"]
    return recorded["pipeline_spec"], recorded["platform_spec"]


@pytest.mark.parametrize("run", ENDED)
def test_sizes_are_those_of_recorded_runs(run: str) -> None:
    size = run_size(*recorded_specs(run))
    assert size.start_bytes == pytest.approx(STARTED[run], rel=0.1)
    for ended in ENDED[run]:
        assert size.end_bytes == pytest.approx(ended, rel=0.1)


def test_a_recorded_workflow_of_the_present_graph_has_the_computed_size() -> None:
    workflow = read_recording("workflow-end-paper-prototype-sim")
    states = len(workflow["status"]["compressedNodes"])
    total = len(json.dumps(workflow, separators=(",", ":"), ensure_ascii=False))
    size = run_size(*rebuild_specs(workflow))
    assert total == 736_086
    assert size.start_bytes == pytest.approx(total - states, rel=0.1)
    assert size.end_bytes == pytest.approx(total, rel=0.1)


def test_a_recorded_workflow_at_its_start_has_the_computed_size() -> None:
    recorded = len(json.dumps(read_recording("workflow-start-paper")["spec"], separators=(",", ":")))
    assert run_size(*recorded_specs("failed-paper")).start_bytes == pytest.approx(recorded, rel=0.1)


# Bytes of the workflows that the compiler of KFP's server 2.17.0 makes of the recipes, with Argo's defaults.
COMPILED = {("smoke", "plain"): 119_778, ("paper", "gke"): 334_262}


@pytest.mark.parametrize(
    ("recipe", "overlay"), [("smoke", "plain"), pytest.param("paper", "gke", marks=pytest.mark.slow)]
)
def test_sizes_at_the_start_are_those_of_the_server_s_compiler(recipe: str, overlay: str) -> None:
    cluster = load_cluster(REPOSITORY / "manifests" / "overlays" / overlay / "cluster.yaml")
    size = run_size(*compile_recipe(recipe).build(IMAGE, cluster).specs)
    assert size.start_bytes == pytest.approx(COMPILED[recipe, overlay], rel=0.05)


def rebuild_specs(workflow: Any) -> tuple[Spec, Spec]:
    """Rebuild the pipeline of a workflow from the parameters that KFP made of it."""
    values = {each["name"]: json.loads(each["value"]) for each in workflow["spec"]["arguments"]["parameters"]}
    components, executors, platforms = {}, {}, {}
    tasks = [task for each in workflow["spec"]["templates"] for task in each.get("dag", {}).get("tasks", [])]
    for task in tasks:
        arguments = {each["name"]: each.get("value", "") for each in task["arguments"]["parameters"]}
        if "task" not in arguments:
            continue
        reference = json.loads(arguments["task"])["componentRef"]["name"]
        component = values[named(arguments["component"])]
        if "container" in arguments:
            component = component | {"executorLabel": reference}
            executors[reference] = {"container": values[named(arguments["container"])]}
            platforms[reference] = values[named(arguments["kubernetes-config"])]
        components[reference] = component
    spec = {"pipelineInfo": {"name": "paper"}, "root": values["components-root"], "components": components}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": platforms}}}}
    return spec | {"deploymentSpec": {"executors": executors}}, platform


def named(placeholder: str) -> str:
    return placeholder.removeprefix("{{workflow.parameters.").removesuffix("}}")


def test_the_compiled_file_is_measured(tmp_path: Path) -> None:
    compiled, path = compile_recipe("smoke").build(PROCESS_IMAGE), tmp_path / "pipeline.yaml"
    compiled.write(path)
    assert compiled_bytes(compiled) == path.stat().st_size


def test_a_cluster_s_section_makes_file_and_run_larger() -> None:
    compilation = compile_recipe("smoke")
    built = [compilation.build(PROCESS_IMAGE, cluster) for cluster in (None, CLUSTER)]
    assert compiled_bytes(built[1]) > compiled_bytes(built[0])
    without, with_gpus = (run_size(*each.specs) for each in built)
    assert with_gpus.start_bytes > without.start_bytes
    assert with_gpus.end_bytes > without.end_bytes


@pytest.mark.parametrize(
    ("end", "offloaded", "refused"), [(0.89, False, False), (0.91, False, True), (1.9, True, False)]
)
def test_runs_over_90_percent_are_refused(end: float, offloaded: bool, refused: bool) -> None:
    size = RunSize(MAX_RUN_BYTES // 2, round(end * MAX_RUN_BYTES))
    if not refused:
        size.check("large", offloaded=offloaded)
        return
    with pytest.raises(ConfigError, match=r"large: .*50% .* 91% .*members: \{from: RUN\}.*retries.*--offloaded"):
        size.check("large", offloaded=offloaded)


def test_offloading_does_not_help_a_pipeline_that_is_too_large_itself() -> None:
    with pytest.raises(ConfigError, match="95%"):
        RunSize(round(0.95 * MAX_RUN_BYTES), 2 * MAX_RUN_BYTES).check("large", offloaded=True)
