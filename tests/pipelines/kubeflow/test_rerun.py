import json
from typing import Any

import pytest
import yaml

from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.rerun import (
    bypass_cache,
    choose_nodes,
    compile_with_settings,
    copy_parameters,
    embedded_recipe,
)
from pipelines.kubeflow.spec import Spec, SpecGraph, prune
from pipelines.recipe.load import apply_settings
from yt8m.errors import ConfigError

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
    return Compilation(RECIPE, "recipe", read_data=True).specs()[0]


def test_a_pipeline_contains_the_recipe_it_was_compiled_from(spec: Spec) -> None:
    assert embedded_recipe(spec) == RECIPE
    with pytest.raises(ConfigError, match="contains no recipe"):
        embedded_recipe({"pipelineInfo": {"name": "p"}, "root": {"dag": {}}})


def test_a_rerun_executes_the_node_alone_or_all_nodes_that_depend_on_it(spec: Spec) -> None:
    graph = SpecGraph(spec)
    alone = choose_nodes(graph, "quantize-linear", downstream=False)
    assert alone.executed == ("quantize-linear",)
    assert alone.needed == ("generate", "prepare", "train-linear")
    assert "export" in alone.stale
    all_of_it = choose_nodes(graph, "quantize-linear", downstream=True)
    assert set(all_of_it.executed) == {"quantize-linear", *alone.stale}
    assert "train-other" in all_of_it.needed
    assert all_of_it.stale == ()
    kept = {*all_of_it.executed, *all_of_it.needed}
    assert set(SpecGraph(prune(spec, kept)).nodes) == kept


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
        ("train-linear", "data.generate.videos=3", "does not change train-linear"),
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
    new = Compilation(changed, "recipe", read_data=True).specs()[0]
    graph = SpecGraph(copy_parameters(spec, new, ["train-linear"], code=False))
    assert json.loads(graph.constant("train-linear", "config"))["training"]["epochs"] == 5
    assert json.loads(graph.constant("train-other", "config"))["training"]["epochs"] == 2
    assert graph.constant("train-linear", "key") == SpecGraph(new).constant("train-linear", "key")
    assert embedded_recipe(copy_parameters(spec, new, ["train-linear"], code=False)) == changed


def test_code_is_copied_where_the_image_does_not_contain_it(spec: Spec) -> None:
    new = json.loads(json.dumps(spec))
    container = SpecGraph(new).executor("train-linear")["container"]
    container["env"], container["image"] = [{"name": "YT8M_CODE", "value": "newer"}], "another"
    kept = SpecGraph(copy_parameters(spec, new, ["train-linear"], code=False)).executor("train-linear")["container"]
    assert kept == SpecGraph(spec).executor("train-linear")["container"]
    taken = SpecGraph(copy_parameters(spec, new, ["train-linear"], code=True)).executor("train-linear")["container"]
    assert (taken["env"][0]["value"], taken["image"]) == ("newer", "none")


def test_a_pipeline_of_another_graph_is_refused(spec: Spec) -> None:
    new = Compilation(apply_settings(RECIPE, ["families.logistic.average=always"]), "recipe", read_data=True).specs()[0]
    with pytest.raises(ConfigError, match="quantize-linear: this version of yt8m compiles"):
        copy_parameters(spec, new, ["quantize-linear"], code=True)


def test_only_the_chosen_steps_bypass_the_cache_also_repeatedly(spec: Spec) -> None:
    marked = bypass_cache(bypass_cache(spec, ["train-linear"], "first"), ["evaluate-linear"], "second")
    graph = SpecGraph(marked)
    attempts = {name: graph.constant(name, "attempt") for name in graph.nodes if graph.constant(name, "attempt")}
    assert attempts == {"train-linear": "first", "evaluate-linear": "second"}
    definitions = marked["components"]["comp-train-linear"]["inputDefinitions"]["parameters"]
    assert set(definitions) == set(graph.task("train-linear")["inputs"]["parameters"])
