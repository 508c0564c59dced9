import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipelines.recipe.json_schema import SCHEMA_FILE, modeline, recipe_schema
from pipelines.recipe.load import apply_settings, check_recipe, read_recipe
from tests.support.any_recipe import mutate
from tests.support.paths import RECIPES, REPOSITORY
from yt8m.errors import ConfigError
from yt8m.yaml_files import parse_yaml, read_yaml

GRID = """
    name: netvlad-{num_clusters}-{kind}-{learning_rate}
    model:
      architecture: netvlad
      num_clusters: [4, 8]
      hidden_units: 8
      head: [{kind: moe, num_mixtures: [1, 2]}, {kind: logistic}]
    training: {learning_rate: [0.01, 0.001]}
"""
SEVERAL = """
    - name: "{architecture}-{hidden_units}"
      model: {architecture: [netvlad, dbof], num_clusters: 4, hidden_units: [8, 16]}
    - {name: "a-{seed}", model: {architecture: logistic}, training: {seed: [1, 2]}}
"""


@cache
def validator() -> Draft202012Validator:
    schema = recipe_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def is_valid(raw: Any) -> bool:
    return bool(validator().is_valid(raw))


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_recipes_of_this_project_are_valid_and_name_the_schema_beside_them(path: Path) -> None:
    assert [error.message for error in validator().iter_errors(read_recipe(path))] == []
    assert path.read_text(encoding="utf-8").splitlines()[0] == modeline()
    assert (path.parent / modeline().partition("$schema=")[2]).name == SCHEMA_FILE


def test_the_clusters_of_this_project_are_valid(raw: dict[str, Any]) -> None:
    files = sorted((REPOSITORY / "manifests" / "overlays").glob("*/cluster*.yaml"))
    assert len(files) > 2
    for path in files:
        raw["cluster"] = read_yaml(path, "a cluster")
        assert [error.message for error in validator().iter_errors(raw)] == []


@pytest.mark.parametrize(
    "setting",
    [
        "training={}",
        "families.dbof.candidates.dbof-a.training=",
        "families.dbof.candidates.dbof-a.model={family: dbof, num_clusters: 8, hidden_units: 8}",
        "families.dbof={from: ../other, names: [dbof-a, dbof-b], ensemble_size: 2}",
        "ensemble.members={from: ../other}",
        "ensemble.members=[dbof-s, {from: gs://bucket/run/summary.json, names: [vlad-2]}]",
        "ensemble={}",
        "ensemble.search=",
        "students.alone={learn_from: dbof, model: {architecture: rnn, units: 8}, training: {epochs: 1}}",
        "students.vlad-2.model={architecture: logistic, head: {kind: moe}}",
        "data={training: [a.tfrecord], validation: [b.tfrecord], holdout_shards: 1, spec: {ranges: {rgb: [0, 6.5]}}}",
        "cluster={training: {cpu: '4', memory: 16Gi, gpu: {}}, environment: {A: b}}",
        f"families.more={{candidates: {{grid: {parse_yaml(GRID, '')}}}}}",
        f"families.more={{candidates: {{grid: {parse_yaml(SEVERAL, '')}, b: {{model: {{architecture: logistic}}}}}}}}",
    ],
)
def test_recipes_are_valid_as_they_are_written(raw: dict[str, Any], setting: str) -> None:
    written = apply_settings(raw, [setting])
    assert [error.message for error in validator().iter_errors(written)] == []


def test_merged_and_repeated_values_are_valid() -> None:
    raw = parse_yaml((RECIPES / "demo.yaml").read_text(), "demo")
    assert "<<:" in (RECIPES / "demo.yaml").read_text()
    assert is_valid(raw)


@pytest.mark.parametrize(
    "setting",
    [
        "trainig={}",
        "training=",
        "training.epoch=3",
        "training.epochs=0",
        "training.epochs=1.5",
        "training.epochs=many",
        "training.learning_rate=0",
        "training.learning_rate=1e-3",  # a text in YAML
        "training.learning_rate_decay=1.1",
        "training.seed=2147483648",
        "training.jit_compile=yes please",
        "training=[1]",
        "training=3",
        "name=Small",
        "name=",
        "data.holdout_shards=",
        "data.generate.preset=large",
        "data.spec.layout.lables=x",
        "families.dbof.average=sometimes",
        "families.dbof.candidates={}",
        "families.dbof.candidate={}",
        "families.dbof.from=../other",
        "families.dbof.candidates.dbof-a.model={num_clusters: 8, hidden_units: 8}",
        "families.dbof.candidates.dbof-a.model={}",
        "families.dbof.candidates.dbof-a.model.architecture=dbov",
        "families.dbof.candidates.dbof-a.model.family=dbof",
        "families.dbof.candidates.dbof-a.model.hiden_units=3",
        "families.dbof.candidates.dbof-a.model.centers=true",  # of another architecture
        "families.dbof.candidates.dbof-a.model.head={num_mixtures: 2}",
        "families.dbof.candidates.dbof-a.model.head={kind: logistic, num_mixtures: 2}",
        "families.dbof.candidates.dbof-a.model.num_clusters=[8, 16]",
        "families.Dbof={candidates: {a: {model: {architecture: logistic}}}}",
        "families.dbof.candidates.grid={name: 'x-{units}', model: {architecture: rnn, unit: [8, 16]}}",
        "families.dbof.candidates.grid={name: 'x-{units}', model: {architecture: rnn, units: [8, -1]}}",
        "families.dbof.candidates.grid={name: 'x-{units}', model: {architecture: rnn, units: [7, 9]}}",
        "families.dbof.candidates.grid={name: 'x-{units}', model: {architecture: [rnn, rmm], units: 8}}",
        "families.dbof.candidates.grid={name: 'x-{units}', model: {architecture: rnn, units: []}}",
        "families.dbof.candidates.grid={model: {architecture: rnn, units: [8, 16]}}",
        "families.dbof.candidates.grid={name: x, model: {architecture: rnn, units: [8]}, trainig: {}}",
        "families.dbof.candidates.grid=3",
        "students.dbof-s.learn_from=",
        "students.dbof-s.label_weight=2",
        "students.dbof-s.model.architecture=rnn",  # without units
        "students.dbof-s=",
        "teacher_groups.both=dbof-s",
        "ensemble.members=dbof-s",
        "ensemble.members=[{from: x, name: y}]",
        "data.report_share=1.0",
        "ensemble.search.budget=3",
        "export.mode=fast",
        "stages.unheard_of={}",
        "imported={}",
        "cluster={training: {memory: 16 GB}}",
        "cluster={environment: {1A: b}}",
        "cluster={gpu: {}}",
        "cluster={overrides: [{stage: [train], memory: 1Gi}]}",
    ],
)
def test_wrong_recipes_are_not_valid(raw: dict[str, Any], setting: str) -> None:
    assert is_valid(raw)
    written = apply_settings(raw, [setting])
    assert not is_valid(written)
    if not setting.startswith("imported"):  # which only runs write
        with pytest.raises(ConfigError):
            check_recipe(written, "recipe.yaml")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_runs_is_valid(data: st.DataObject, raw: dict[str, Any]) -> None:
    """Recipes that the loader accepts are valid, whatever their shape."""
    raw = copy.deepcopy(raw)
    raw["families"]["more"] = {"candidates": {"grid": parse_yaml(GRID, "grid")}}
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(data, raw)
        if not raw:
            return
    try:
        check_recipe(raw, "recipe.yaml")
    except ConfigError:
        return
    raw = json.loads(json.dumps(raw))
    assert [error.message for error in validator().iter_errors(raw)] == []


def test_the_schema_can_be_read_by_an_editor() -> None:
    schema = recipe_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    (described,) = (schema["$defs"]["TrainingConfig"]["properties"][key] for key in ["learning_rate"])
    assert described["anyOf"] == [{"exclusiveMinimum": 0, "type": "number"}, {"const": "auto", "type": "string"}]
    assert described["default"] == "auto"
    assert described["description"].endswith("The paper: 2.0e-4")
