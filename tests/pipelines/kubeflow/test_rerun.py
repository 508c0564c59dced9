import copy
import json
from typing import Any

import pytest
import yaml

from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.rerun import (
    bypass_cache,
    choose_nodes,
    choose_unfinished,
    compile_with_settings,
    copy_parameters,
    embedded_recipe,
    records_of_others,
    set_images,
)
from pipelines.kubeflow.spec import Spec, SpecGraph, prune
from pipelines.recipe.load import apply_settings
from yt8m.errors import ConfigError
from yt8m.yaml_files import parse_line

RECIPE: dict[str, Any] = yaml.safe_load("""
name: small
data: {generate: {preset: smoke}, holdout_shards: 2}
training: {epochs: 2}
families:
  logistic:
    candidates:
      linear: {model: {architecture: logistic}}
      other: {model: {architecture: logistic}, training: {batch_size: 8}}
""")


@pytest.fixture(scope="module")
def spec() -> Spec:
    return Compilation(RECIPE, "recipe", read_data=True).build().specs[0]


def test_a_pipeline_contains_the_recipe_it_was_compiled_from(spec: Spec) -> None:
    assert embedded_recipe(spec) == RECIPE
    with pytest.raises(ConfigError, match="contains no recipe"):
        embedded_recipe({"pipelineInfo": {"name": "p"}, "root": {"dag": {}}})


def test_a_rerun_executes_the_node_alone_or_all_nodes_that_depend_on_it(spec: Spec) -> None:
    graph = SpecGraph(spec)
    alone = choose_nodes(graph, "quantize-linear", downstream=False)
    assert alone.executed == ("quantize-linear",)
    assert alone.needed == ("generate", "prepare", "train-linear")
    assert alone.recorded == ()
    assert alone.stale == ("search-weights", "export", "report")
    all_of_it = choose_nodes(graph, "quantize-linear", downstream=True)
    assert set(all_of_it.executed) == {"quantize-linear", *alone.stale}
    assert "train-other" in all_of_it.needed
    assert all_of_it.stale == ()
    kept = {*all_of_it.executed, *all_of_it.needed}
    assert set(SpecGraph(prune(spec, kept)).nodes) == kept


def test_a_continued_run_executes_what_is_not_done_and_takes_what_that_needs(spec: Spec) -> None:
    graph = SpecGraph(spec)
    done = {"generate", "prepare", "train-linear", "quantize-linear"}
    nodes = choose_unfinished(graph, done)
    assert set(nodes.executed) == set(graph.nodes) - done
    assert nodes.executed[0] == "train-other"
    assert (set(nodes.needed), nodes.recorded, nodes.stale) == (done, (), ())
    assert choose_unfinished(graph, graph.nodes).executed == ()


def test_a_rerun_of_the_report_needs_records_only(spec: Spec) -> None:
    graph = SpecGraph(spec)
    nodes = choose_nodes(graph, "report", downstream=False)
    assert (nodes.executed, nodes.needed, nodes.stale) == (("report",), (), ())
    assert set(nodes.recorded) == set(graph.nodes) - {"report"}
    assert set(records_of_others(graph, nodes.executed)) == set(nodes.recorded)
    pruned = prune(spec, nodes.executed)
    assert set(pruned["root"]["dag"]["tasks"]) == {"report"}
    assert "dependentTasks" not in SpecGraph(pruned).task("report")
    assert SpecGraph(pruned).records("report") == graph.records("report")


def test_the_export_needs_its_artifacts_and_the_records_of_the_rest(spec: Spec) -> None:
    nodes = choose_nodes(SpecGraph(spec), "export", downstream=False)
    assert {"prepare", "quantize-linear", "quantize-other", "search-weights"} <= set(nodes.needed)
    assert not set(nodes.needed) & set(nodes.recorded)


def compiled(spec: Spec, node: str, *settings: str, downstream: bool = False) -> Compilation:
    return compile_with_settings(
        spec, settings, choose_nodes(SpecGraph(spec), node, downstream=downstream), read_data=True
    )


def test_settings_have_the_same_effect_as_on_the_recipe(spec: Spec) -> None:
    setting = "families.logistic.candidates.linear.training.epochs=5"
    new = compiled(spec, "train-linear", setting)
    assert new.raw == apply_settings(RECIPE, [setting])
    assert new.plan.nodes["train-linear"].config["training"]["epochs"] == 5
    assert new.plan.nodes["train-other"].config["training"]["epochs"] == 2


@pytest.mark.parametrize(
    ("node", "setting", "reason"),
    [
        ("train-linear", "training.epochs=5", "also train-other, which would not be executed. Choose a narrower"),
        ("prepare", "training.epochs=5", "Add --downstream|does not change prepare. It changes train-"),
        ("train-linear", "data.generate.videos=300", "does not change train-linear"),
        ("generate", "data.generate.max_frames=5", "also prepare, .*Add --downstream"),
        ("train-linear", "training.epochs=2", "It changes no node at all"),
        ("train-linear", "families.logistic.average=always", "changes the nodes of the run"),
        ("train-linear", "training.epocs=2", "the run's recipe with --set: training.epocs"),
    ],
)
def test_settings_that_affect_other_nodes_are_refused(spec: Spec, node: str, setting: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        compiled(spec, node, setting)


def test_with_downstream_settings_may_affect_nodes_that_depend_on_the_node(spec: Spec) -> None:
    new = compiled(spec, "generate", "data.generate.max_frames=5", downstream=True)
    assert new.plan.nodes["prepare"].config["spec"]["max_frames"] == 5


def test_only_the_chosen_nodes_get_new_parameters(spec: Spec) -> None:
    changed = apply_settings(RECIPE, ["training.epochs=5"])
    new = Compilation(changed, "recipe", read_data=True).build().specs[0]
    graph = SpecGraph(copy_parameters(spec, new, ["train-linear"], code=False))
    assert parse_line(graph.constant("train-linear", "config"), "")["training.epochs"] == 5
    assert parse_line(graph.constant("train-other", "config"), "")["training.epochs"] == 2
    assert graph.constant("train-linear", "key") == SpecGraph(new).constant("train-linear", "key")
    assert embedded_recipe(copy_parameters(spec, new, ["train-linear"], code=False)) == changed


def test_new_parameters_keep_the_root_of_the_run(spec: Spec) -> None:
    new = Compilation(apply_settings(RECIPE, ["training.epochs=5"]), "recipe", read_data=True).build().specs[0]
    known = copy.deepcopy(spec)
    known["root"]["inputDefinitions"]["parameters"]["root"] |= {"defaultValue": "gs://bucket/yt8m", "isOptional": True}
    changed = copy_parameters(known, new, ["train-linear"], code=False)
    assert changed["root"]["inputDefinitions"]["parameters"]["root"]["defaultValue"] == "gs://bucket/yt8m"


def test_code_is_copied_where_the_image_does_not_contain_it(spec: Spec) -> None:
    new = json.loads(json.dumps(spec))
    container = SpecGraph(new).executor("train-linear")["container"]
    container["env"], container["image"] = [{"name": "YT8M_CODE", "value": "newer"}], "another"
    kept = SpecGraph(copy_parameters(spec, new, ["train-linear"], code=False)).executor("train-linear")["container"]
    assert kept == SpecGraph(spec).executor("train-linear")["container"]
    taken = SpecGraph(copy_parameters(spec, new, ["train-linear"], code=True)).executor("train-linear")["container"]
    assert (taken["env"][0]["value"], taken["image"]) == ("newer", "none")


def test_a_pipeline_of_another_graph_is_refused(spec: Spec) -> None:
    new = (
        Compilation(apply_settings(RECIPE, ["families.logistic.average=always"]), "recipe", read_data=True)
        .build()
        .specs[0]
    )
    with pytest.raises(ConfigError, match="quantize-linear: this version of yt8m compiles"):
        copy_parameters(spec, new, ["quantize-linear"], code=True)


def test_only_the_chosen_steps_bypass_the_cache_also_repeatedly(spec: Spec) -> None:
    marked = bypass_cache(bypass_cache(spec, ["train-linear"], "first"), ["quantize-linear"], "second")
    graph = SpecGraph(marked)
    attempts = {name: graph.constant(name, "attempt") for name in graph.nodes if graph.constant(name, "attempt")}
    assert attempts == {"train-linear": "first", "quantize-linear": "second"}
    definitions = marked["components"][graph["train-linear"].component]["inputDefinitions"]["parameters"]
    assert set(definitions) == set(graph.task("train-linear")["inputs"]["parameters"])


def test_components_of_equal_containers_keep_equal_parameters(spec: Spec) -> None:
    marked = bypass_cache(spec, ["train-linear"], "first")
    executors = marked["deploymentSpec"]["executors"]
    for component in marked["components"].values():
        if "executorLabel" in component:
            is_training = "train" in executors[component["executorLabel"]]["container"]["args"]
            assert ("attempt" in component["inputDefinitions"]["parameters"]) == is_training


def works(spec: Spec, reader: str) -> dict[str, str]:
    return SpecGraph(spec).records(reader)


def test_executed_steps_read_the_records_of_the_attempt_and_the_old_ones_of_the_rest(spec: Spec) -> None:
    executed = ["quantize-linear", "search-weights", "export", "report"]
    marked = bypass_cache(spec, executed, "a1")
    before, after = works(spec, "report"), works(marked, "report")
    assert {name for name in before if after[name] != before[name]} == {"quantize-linear", "search-weights", "export"}
    assert after["export"] == f"{before['export']}-a1"
    assert works(marked, "export")["quantize-linear"] == f"{before['quantize-linear']}-a1"


def test_a_rerun_of_a_rerun_reads_the_records_of_the_last_attempts(spec: Spec) -> None:
    keys = works(spec, "report")
    first = bypass_cache(spec, ["quantize-linear", "search-weights", "export", "report"], "a1")
    second = bypass_cache(first, ["search-weights", "export", "report"], "a2")
    assert works(second, "report")["quantize-linear"] == f"{keys['quantize-linear']}-a1"
    assert works(second, "report")["search-weights"] == f"{keys['search-weights']}-a2"
    assert works(second, "report")["train-linear"] == keys["train-linear"]


def test_settings_on_a_rerun_keep_the_records_of_its_attempts(spec: Spec) -> None:
    marked = bypass_cache(spec, ["quantize-linear", "search-weights", "export", "report"], "a1")
    new = Compilation(apply_settings(RECIPE, ["ensemble.search.trials=3"]), "recipe", read_data=True).build().specs[0]
    executed = ["search-weights", "export", "report"]
    third = bypass_cache(copy_parameters(marked, new, executed, code=False), executed, "a3")
    assert works(third, "report")["quantize-linear"] == works(marked, "report")["quantize-linear"]
    assert works(third, "report")["search-weights"] == f"{works(new, 'report')['search-weights']}-a3"
    assert works(new, "report")["search-weights"] != works(spec, "report")["search-weights"]


def test_a_pruned_rerun_of_the_report_keeps_the_records_of_absent_steps(spec: Spec) -> None:
    marked = bypass_cache(spec, ["quantize-linear", "search-weights", "export", "report"], "a1")
    again = bypass_cache(prune(marked, ["report"]), ["report"], "a2")
    assert works(again, "report") == works(marked, "report")
    assert SpecGraph(again)["report"].dependencies == frozenset()


def test_a_step_with_another_image_shares_nothing_with_the_others(spec: Spec) -> None:
    shared = json.loads(json.dumps(spec))
    graph = SpecGraph(shared)
    graph.task("train-other")["componentRef"] = dict(graph.task("train-linear")["componentRef"])
    changed, _ = set_images((shared, {}), {"train-linear": "image:2"})
    after = SpecGraph(changed)
    images = {name: after.executor(name)["container"]["image"] for name in ("train-linear", "train-other")}
    assert images == {"train-linear": "image:2", "train-other": "none"}
    assert after["train-linear"].component != after["train-other"].component
