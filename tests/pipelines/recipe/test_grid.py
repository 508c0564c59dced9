import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.kubeflow.compile import Compilation
from pipelines.recipe.grid import text_in_name
from pipelines.recipe.load import apply_settings, read_recipe
from pipelines.recipe.schema import Recipe
from yt8m.errors import ConfigError

Small = Callable[..., Recipe]

GRID: dict[str, Any] = {
    "name": "netvlad-{num_clusters}-{hidden_units}",
    "model": {"architecture": "netvlad", "num_clusters": [4, 8], "hidden_units": [8, 16]},
}
NAMES = ["netvlad-4-8", "netvlad-4-16", "netvlad-8-8", "netvlad-8-16"]


def with_grid(grid: Any, **others: Any) -> Callable[[dict[str, Any]], None]:
    """Return the change of the small recipe that gives it a family `sweep` with a grid."""

    def change(raw: dict[str, Any]) -> None:
        raw["families"]["sweep"] = {"ensemble_size": 1, "candidates": {"grid": grid, **others}}

    return change


def problems(small: Small, grid: Any, *settings: str, **others: Any) -> list[str]:
    """Return the problems of the small recipe with a grid, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        small(with_grid(grid, **others), *settings)
    return [line.partition("small.yaml: ")[2] for line in str(caught.value).splitlines()]


def test_a_grid_stands_for_one_candidate_of_each_combination(small: Small) -> None:
    candidates = small(with_grid(GRID)).families["sweep"].candidates
    assert list(candidates) == NAMES
    models = [candidates[name].model.model_dump() for name in NAMES]
    assert [(model["num_clusters"], model["hidden_units"]) for model in models] == [(4, 8), (4, 16), (8, 8), (8, 16)]
    assert {candidate.training.epochs for candidate in candidates.values()} == {2}  # of the section `training`


def test_a_grid_gives_the_same_recipe_as_its_candidates_written_out(small: Small) -> None:
    sizes = {"netvlad-4-8": (4, 8), "netvlad-4-16": (4, 16), "netvlad-8-8": (8, 8), "netvlad-8-16": (8, 16)}
    written = {
        name: {"model": {"architecture": "netvlad", "num_clusters": clusters, "hidden_units": units}}
        for name, (clusters, units) in sizes.items()
    }

    def write_out(raw: dict[str, Any]) -> None:
        raw["families"]["sweep"] = {"ensemble_size": 1, "candidates": written}

    assert small(with_grid(GRID)) == small(write_out)


def test_several_grids_vary_training_and_head_beside_candidates(small: Small) -> None:
    model = {"architecture": "dbof", "num_clusters": 8, "hidden_units": 8}
    grids = [
        {"name": "dbof-{learning_rate}", "model": model, "training": {"learning_rate": [0.01, 0.00025]}},
        {"name": "dbof-{head.kind}", "model": {**model, "head": [{"kind": "moe"}, {"kind": "logistic"}]}},
    ]
    candidates = small(with_grid(grids, plain={"model": model})).families["sweep"].candidates
    assert list(candidates) == ["dbof-1e-2", "dbof-25e-5", "dbof-moe", "dbof-logistic", "plain"]
    assert candidates["dbof-25e-5"].training.learning_rate == 0.00025
    assert [candidates[name].model.head.kind for name in ("dbof-moe", "dbof-logistic")] == ["moe", "logistic"]


def test_a_varying_head_can_vary_itself(small: Small) -> None:
    heads = [{"kind": "moe", "num_mixtures": [2, 3]}, {"kind": "logistic", "num_mixtures": 1}]
    told = problems(small, {"name": "x-{num_mixtures}", "model": {"architecture": "logistic", "head": heads}})
    assert len(told) == 1
    assert told[0].startswith("families.sweep.candidates.grid.model.head[1].num_mixtures: unknown key 'num_mixtures'.")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (64, "64"),
        (0.001, "1e-3"),
        (2e-4, "2e-4"),
        (0.95, "95e-2"),
        (1.0, "1"),
        (1e-12, "1e-12"),
        (20.5, "205e-1"),
        (True, "true"),
        (None, "null"),
        ("per_feature", "per-feature"),
    ],
)
def test_values_become_parts_of_names(value: Any, text: str) -> None:
    assert text_in_name(value) == text


def test_a_student_is_like_a_grids_candidate_and_learns_from_its_family(small: Small) -> None:
    def change(raw: dict[str, Any]) -> None:
        with_grid(GRID)(raw)
        raw["students"]["small-one"] = {"like": "netvlad-8-16", "learn_from": "sweep"}

    recipe = small(change)
    assert recipe.students["small-one"].model == recipe.candidates()["netvlad-8-16"].model
    assert recipe.baseline("small-one") == "netvlad-8-16"


@pytest.mark.parametrize(
    ("change", "place", "told"),
    [
        ({"name": "netvlad-{num_clusters}"}, ".name", "differ in model.hidden_units. Add {hidden_units} to the name."),
        ({"name": "netvlad"}, ".name", "differ in model.hidden_units."),
        ({"name": "Net-{num_clusters}-{hidden_units}"}, ".name", "'Net-4-8' cannot be a name."),
        ({"name": "{num_clusters}-{hidden_units}"}, ".name", "'4-8' cannot be a name."),
        ({"name": "x" * 40 + "{num_clusters}-{hidden_units}"}, ".name", "at most 40 lower-case letters"),
        ({"name": "x-{num_cluster}"}, ".name", "no key 'num_cluster' for {num_cluster}. Did you mean 'num_clusters'?"),
        ({"name": "x-{}"}, ".name", "no key '' for {}"),
        ({"name": "x-{num_clusters"}, ".name", "'x-{num_clusters' cannot be a name."),
        ({"name": 3}, ".name", "such as 'NAME-{num_clusters}-{hidden_units}'. Received: 3."),
        ({"name": None}, ".name", "Received: None."),
        ({"model": {"architecture": "netvlad", "num_clusters": [], "hidden_units": 8}}, ".model.num_clusters", "empty"),
        ({"training": {"x": [{"y": []}]}, "name": "x"}, ".training.x[0].y", "empty"),
        ({"model": {"architecture": "netvlad", "num_clusters": 4, "hidden_units": 8}}, "", "no key has a list"),
        ({"training": {"seed": [1, 2, 3, 4, 5]}}, "", "20 combinations, but a family has at most 16 candidates."),
        ({"training": {str(key): list(range(200)) for key in range(5)}}, "", "1280000000000 combinations"),
        ({"training": {"seed": [1, 1]}, "name": "x-{num_clusters}-{hidden_units}-{seed}"}, ".name", "listed twice"),
    ],
)
def test_a_grid_that_cannot_be_expanded_is_refused_at_its_place(
    small: Small, change: dict[str, Any], place: str, told: str
) -> None:
    (problem,) = problems(small, {**GRID, **change})
    assert problem.startswith(f"families.sweep.candidates.grid{place}: ")
    assert told in problem


def test_an_unknown_key_is_told_before_its_place_in_the_name(small: Small) -> None:
    for name in ("x", "x-{num_clusters}", "x-{clusters}"):
        model = {"architecture": "netvlad", "num_clusters": 4, "hidden_units": 8, "clusters": [1, 2]}
        (problem,) = problems(small, {"name": name, "model": model})
        assert problem.startswith("families.sweep.candidates.grid.model.clusters: unknown key 'clusters'.")
        assert "Did you mean 'num_clusters'?" in problem


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": None}, "model: required, but missing."),
        ({"model": 3}, "model: expected a mapping of keys to values. Received: 3."),
        (
            {"model": {**GRID["model"], "num_clusters": {"a": 1}}},
            "model.num_clusters: input should be a valid int",
        ),
        ({"foo": 1}, "foo: unknown key 'foo'. Known: model, name, training."),
    ],
)
def test_what_is_wrong_inside_a_grid_is_told_instead_of_its_consequences(
    small: Small, change: dict[str, Any], told: str
) -> None:
    (problem,) = problems(small, {key: value for key, value in {**GRID, **change}.items() if value is not None})
    assert problem.startswith(f"families.sweep.candidates.grid.{told}")


def test_a_grid_without_a_name_shows_one(small: Small) -> None:
    (problem,) = problems(small, {"model": GRID["model"]})
    assert problem == (
        "families.sweep.candidates.grid.name: expected a name with the keys that vary in braces, such as "
        "'NAME-{num_clusters}-{hidden_units}'. It is missing."
    )


@pytest.mark.parametrize("grid", [3, None, "netvlad", [3]])
def test_a_grid_must_be_a_mapping(small: Small, grid: Any) -> None:
    (problem,) = problems(small, grid)
    assert "expected a mapping with name, model and training" in problem


def test_an_empty_list_of_grids_is_refused(small: Small) -> None:
    assert problems(small, [])[0].startswith("families.sweep.candidates.grid: the list is empty.")


def test_a_candidate_cannot_be_called_grid(small: Small) -> None:
    (problem,) = problems(small, {"model": {"architecture": "logistic"}})
    assert problem.startswith("families.sweep.candidates.grid: 'grid' cannot be the name of a candidate")


def test_a_grid_and_other_candidates_have_different_names(small: Small) -> None:
    other = {"model": {"architecture": "logistic"}}
    (problem,) = problems(small, GRID, **{"netvlad-4-8": other})
    assert problem.startswith("families.sweep.candidates.grid.name: there is another candidate 'netvlad-4-8'.")
    (problem,) = problems(small, [GRID, GRID])
    assert problem.startswith("families.sweep.candidates.grid[1].name: there is another candidate 'netvlad-4-8'.")
    same = "families.netvlad.candidates.netvlad-4-8={model: {architecture: logistic}}"
    (problem,) = problems(small, GRID, same)
    assert problem.startswith("families.sweep.candidates.grid: the model 'netvlad-4-8' is also at families.netvlad.")


def test_all_candidates_of_a_family_count(small: Small) -> None:
    fixed = {f"fixed-{number}": {"model": {"architecture": "logistic"}} for number in range(13)}
    (problem,) = problems(small, GRID, **fixed)
    assert problem.startswith(
        "families.sweep.candidates: a family has at most 16 candidates. Received: 17, with those of grids."
    )


def test_an_invalid_value_is_reported_once_where_it_was_written(small: Small) -> None:
    model = {**GRID["model"], "num_clusters": [4, -8], "hiden_units": 3, "hidden_units": [8, "x"]}
    told = problems(small, [{**GRID, "model": model, "training": {"epochs": 0}}])
    places = [line.partition(": ")[0] for line in told]
    grid = "families.sweep.candidates.grid[0]"
    assert sorted(places) == [
        f"{grid}.model.hidden_units[1]",
        f"{grid}.model.hiden_units",
        f"{grid}.model.num_clusters[1]",
        f"{grid}.training.epochs",
    ]


def test_a_value_that_is_a_list_is_a_list_within_the_list(small: Small) -> None:
    told = problems(small, {"name": "x-{seed}", "model": {"architecture": "logistic"}, "training": {"seed": [[1], 2]}})
    assert told == [
        "families.sweep.candidates.grid.training.seed[0]: input should be a valid integer. Received: a list."
    ]


def test_settings_reach_into_grids(small: Small) -> None:
    def names(grid: Any, *settings: str) -> list[str]:
        return list(small(with_grid(grid), *settings).families["sweep"].candidates)

    path = "families.sweep.candidates.grid"
    assert names(GRID, f"{path}.model.num_clusters=[2]") == ["netvlad-2-8", "netvlad-2-16"]
    assert names([GRID], f"{path}[0].model.num_clusters=2", f"{path}[0].name='v-{{hidden_units}}'") == ["v-8", "v-16"]
    assert names(GRID, f"{path}={{name: 'v-{{seed}}', model: {{architecture: logistic}}, training: {{seed: [1]}}}}")
    small_recipe = small(with_grid(GRID), f"{path}.training.epochs=5")
    assert {each.training.epochs for each in small_recipe.families["sweep"].candidates.values()} == {5}


def test_a_setting_of_one_of_a_grids_candidates_changes_only_this_one(small: Small) -> None:
    recipe = small(with_grid(GRID), "families.sweep.candidates.netvlad-8-8.training.epochs=5")
    epochs = {name: model.training.epochs for name, model in recipe.families["sweep"].candidates.items()}
    assert epochs == dict.fromkeys(NAMES, 2) | {"netvlad-8-8": 5}


def test_a_setting_of_an_unknown_candidate_suggests_those_of_grids(small: Small) -> None:
    with pytest.raises(
        ConfigError, match=r"no 'netvlad-8-9' in families\.sweep\.candidates\. Did you mean 'netvlad-8-8'"
    ):
        small(with_grid(GRID), "families.sweep.candidates.netvlad-8-9.training.epochs=5")


def test_a_saved_recipe_keeps_the_grid_and_gives_the_same_work(raw: dict[str, Any], tmp_path: Path) -> None:
    with_grid(GRID)(raw)
    saved = tmp_path / "recipe.json"
    compilation = Compilation(raw, "recipe", read_data=False)
    compilation.save_recipe(saved)
    assert json.loads(saved.read_text()) == raw
    again = Compilation(read_recipe(saved), str(saved), read_data=False)
    assert {name: work.key for name, work in again.work.items()} == {
        name: work.key for name, work in compilation.work.items()
    }
    one = Compilation(
        apply_settings(raw, ["families.sweep.candidates.netvlad-8-8.training.epochs=5"]), "recipe", read_data=False
    )
    changed = {name for name in one.work if one.work[name].key != compilation.work[name].key}
    assert {name for name in changed if name.startswith("train-")} == {"train-netvlad-8-8"}


def test_a_sweep_of_five_lines_is_planned(raw: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(
        yaml.safe_dump(raw, sort_keys=False).replace("families:\n", "families:\n" + FIVE_LINES), encoding="utf-8"
    )
    result = CliRunner().invoke(main, ["plan", str(path), "--nodes"])
    assert result.exit_code == 0, result.output
    assert all(f"train-{name}" in result.output for name in NAMES)


FIVE_LINES = """\
  sweep:
    candidates:
      grid:
        name: netvlad-{num_clusters}-{hidden_units}
        model: {architecture: netvlad, num_clusters: [4, 8], hidden_units: [8, 16]}
"""
