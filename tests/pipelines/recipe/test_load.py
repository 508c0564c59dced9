from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.recipe.schema import Recipe
from tests.support.paths import RECIPES
from tests.support.recipes import load_recipe
from yt8m.errors import ConfigError
from yt8m.export.model_card import CardTexts

Small = Callable[..., Recipe]


def problems(small: Small, *settings: str) -> list[str]:
    """Return the problems of the small recipe with these settings, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        small(lambda _: None, *settings)
    return [line.partition("small.yaml: ")[2] for line in str(caught.value).splitlines()]


def test_models_inherit_the_shared_training_options_that_they_do_not_set(small: Small) -> None:
    candidates = small().candidates()
    assert candidates["dbof-a"].training.epochs == 2
    assert candidates["vlad-a"].training.epochs == 3
    assert candidates["vlad-a"].training.batch_size == 16


def test_a_student_inherits_over_several_levels_of_like(small: Small) -> None:
    recipe = small()
    student = recipe.students["vlad-2"]
    assert student.model == recipe.candidates()["vlad-a"].model
    assert student.training.epochs == 3
    assert student.training.batch_size == 8
    assert recipe.students["dbof-s"].average == "if_better"
    assert student.average == "never"


def test_the_recipes_seed_is_the_default_of_all_seeds(small: Small) -> None:
    recipe = small()
    assert recipe.data.generate is not None
    assert recipe.data.generate.seed == 3
    assert {model.training.seed for model in recipe.models().values()} == {3}
    other = small(lambda _: None, "seed=4", "students.dbof-s.training.seed=9")
    assert other.students["dbof-s"].training.seed == 9
    assert other.students["vlad-s"].training.seed == 4


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipes_model_card_names_data_and_licenses(path: Path) -> None:
    texts, unsaid = load_recipe(path).export.card, CardTexts()
    assert texts.data != unsaid.data
    assert texts.data_license != unsaid.data_license
    assert texts.model_license != unsaid.model_license


def test_settings_replace_and_add_entries(small: Small) -> None:
    recipe = small(lambda _: None, "training.epochs=7", "students.new={like: dbof-b, learn_from: dbof}")
    assert recipe.candidates()["dbof-a"].training.epochs == 7
    assert recipe.students["new"].training.epochs == 7


@pytest.mark.parametrize(
    "setting",
    ["training.epochs", "=3", "training..epochs=3", "name.x=3", "seed=[1", "seed=2001-13-01", "seed={2001-01-01: 1}"],
)
def test_a_setting_that_cannot_be_read_is_refused(small: Small, setting: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        small(lambda _: None, setting)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("students.vlad-z.training.epochs=1", "no 'vlad-z' in students. Did you mean 'vlad-s'? Known: dbof-s, vlad-2"),
        ("families.dbov.average=never", "no 'dbov' in families. Did you mean 'dbof'?"),
        ("families.dbof.candidates.dbof-c.training.epochs=1", "no 'dbof-c' in families.dbof.candidates. Did you mean"),
    ],
)
def test_a_setting_of_an_unknown_model_names_the_nearest(small: Small, setting: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        small(lambda _: None, setting)
    assert told in str(caught.value)


def test_a_student_inherits_stated_values_and_those_that_are_auto(small: Small) -> None:
    settings = ["families.dbof.candidates.dbof-a.training={learning_rate: 0.01, batch_size: auto}"]
    recipe = small(lambda _: None, "training.epochs=auto", *settings)
    student = recipe.students["dbof-s"].training
    assert (student.learning_rate, student.batch_size, student.epochs) == (0.01, "auto", "auto")
    assert student.memory_bytes == "auto"  # left out
    assert recipe.students["vlad-s"].training.batch_size == 8


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("training.epochs=atuo", "should be a valid integer, or `auto`. Received: 'atuo'."),
        ("training.batch_size=0", "should be greater than 0, or `auto`. Received: 0."),
        ("training.initial_bias=aut", "should be 'zero' or 'class_frequencies', or `auto`. Received: 'aut'."),
        ("training.batch_norm_momentum=1", "should be less than 1, or `auto`. Received: 1."),
        ("averaging.averaged_steps=Auto", "should be a valid integer, or `auto`. Received: 'Auto'."),
        ("quantization.threshold_elements=x", "should be a valid integer, or `auto`. Received: 'x'."),
        ("ensemble.search.size_margin=11", "should be less than or equal to 10, or `auto`. Received: 11."),
        ("families.dbof.ensemble_size=-1", "should be greater than 0, or `auto`. Received: -1."),
    ],
)
def test_a_mistake_in_what_can_be_auto_is_told_once(small: Small, setting: str, told: str) -> None:
    assert problems(small, setting) == [f"{setting.partition('=')[0]}: input {told}"]


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ("{3: x}", "training.class_weights[3]: input should be a valid number. Received: 'x'."),
        ("{3: 0.0}", "training.class_weights[3]: input should be greater than 0. Received: 0.0."),
        (
            "balance",
            "training.class_weights: expected a mapping of keys to values, or `balanced`. Received: 'balance'.",
        ),
        ("{-1: 2.0}", "training.class_weights: no class '-1' is known. Give numbers of classes, from 0, or names in"),
    ],
)
def test_a_mistake_in_weights_of_classes_is_told_once(small: Small, weights: str, told: str) -> None:
    (problem,) = problems(small, f"training.class_weights={weights}")
    assert problem.startswith(told)


def test_a_family_of_one_candidate_needs_no_ensemble_size(small: Small) -> None:
    recipe = small(lambda _: None, "families.more={candidates: {more: {model: {architecture: logistic}}}}")
    assert recipe.families["more"].ensemble_size == "auto"


def test_all_problems_are_reported_at_once_each_with_its_place(small: Small) -> None:
    told = problems(
        small,
        "families.dbof.candidates.dbof-a.model.hiden_units=3",
        "students.vlad-s.learn_from=dbov",
        "students.dbof-s.label_weight=2",
        "ensemble.members=[dbof-x]",
    )
    assert [line.partition(":")[0] for line in told] == [
        "families.dbof.candidates.dbof-a.model.hiden_units",
        "students.dbof-s.label_weight",
        "students.vlad-s.learn_from",
        "ensemble.members[0]",
    ]
    assert "Did you mean 'hidden_units'?" in told[0]
    assert "Did you mean 'dbof'?" in told[2]


def test_a_mistake_in_shared_options_is_reported_once_at_its_place(small: Small) -> None:
    assert problems(small, "training.epochs=-1") == [
        "training.epochs: input should be greater than 0, or `auto`. Received: -1."
    ]
    assert [line.partition(":")[0] for line in problems(small, "training.epoch=1")] == ["training.epoch"]
    assert len(problems(small, "seed=x")) == 1


def test_an_unknown_stage_is_refused(small: Small) -> None:
    (told,) = problems(small, "stages.unheard_of.top=3")
    assert told.startswith("stages.unheard_of: unknown key 'unheard_of'. ")


@pytest.mark.parametrize("seed", ["-1", str(2**40), "1.5", "[1]"])
def test_a_mistake_in_the_shared_seed_is_reported_once_at_its_place(small: Small, seed: str) -> None:
    assert [line.partition(":")[0] for line in problems(small, f"seed={seed}")] == ["seed"]


def test_a_mistake_in_an_inherited_average_is_reported_once_at_its_place(small: Small) -> None:
    (told,) = problems(small, "families.dbof.average=sometimes")
    assert told.startswith("families.dbof.average: ")


def test_a_mistake_inherited_over_several_levels_is_reported_where_it_was_written(small: Small) -> None:
    told = problems(small, "students.vlad-s.training.batch_size=0", "students.vlad-2.training.epochs=0")
    assert [line.partition(":")[0] for line in told] == [
        "students.vlad-s.training.batch_size",
        "students.vlad-2.training.epochs",
    ]


def test_a_students_training_must_be_a_mapping(small: Small) -> None:
    assert problems(small, "students.dbof-s.training=3")[0].startswith("students.dbof-s.training: ")


def test_a_student_with_a_candidates_name_is_the_only_reported_problem(small: Small) -> None:
    (told,) = problems(small, "students.dbof-a={like: dbof-b, learn_from: dbof}")
    assert told.startswith("students.dbof-a: the model 'dbof-a' is also at families.dbof.candidates.dbof-a.")


@pytest.mark.parametrize("model", ["", "{architecture: logistic}"])
def test_students_that_are_like_each_other_are_refused(small: Small, model: str) -> None:
    settings = ["students.vlad-s.like=vlad-2", *([f"students.vlad-s.model={model}"] if model else [])]
    told = problems(small, *settings, "seed=-1")
    assert [line.partition(":")[0] for line in told] == ["seed", "students.vlad-s.like", "students.vlad-2.like"]
    assert "a student cannot be like itself: vlad-s -> vlad-2 -> vlad-s." in told[1]


def test_a_student_like_one_in_a_cycle_is_not_refused_itself(small: Small) -> None:
    settings = ["students.vlad-s.like=vlad-2", "students.new={like: vlad-s, learn_from: dbof}"]
    assert not [line for line in problems(small, *settings) if line.startswith("students.new")]


def test_a_student_like_nothing_is_refused_once(small: Small) -> None:
    told = problems(small, "students.vlad-s.like=vald-a")
    assert [line.partition(":")[0] for line in told] == ["students.vlad-s.like"]


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("students.dbof-s.learn_from=[dbof, netvlad]", "students.dbof-s.learn_from"),
        ("students.dbof-s.learn_from={dbof: 1}", "students.dbof-s.learn_from"),
        ("students.dbof-s.like=[dbof-a]", "students.dbof-s.like"),
        ("teacher_groups.both=[[dbof-a], {b: 1}]", "teacher_groups.both[1]"),
        ("ensemble.members=[[dbof-s]]", "ensemble.members[0]"),
        (
            "families.netvlad.candidates.vlad-a.model.architecture=[netvlad]",
            "families.netvlad.candidates.vlad-a.model.architecture",
        ),
    ],
)
def test_a_list_or_mapping_in_place_of_a_name_is_refused(small: Small, setting: str, place: str) -> None:
    assert any(line.startswith(f"{place}: ") for line in problems(small, setting))


@pytest.mark.parametrize("name", ["dbof-part-1", "report", "prepare", "train-dbof-a", "taught-by-dbof"])
def test_a_family_or_group_must_not_have_a_nodes_name(small: Small, name: str) -> None:
    family = "{candidates: {x: {model: {architecture: logistic}}}}"
    for section, value in (("families", family), ("teacher_groups", "[dbof-a]")):
        told = problems(small, "soft_targets.workers=2", f"{section}.{name}={value}")
        assert any(line.startswith(f"{section}.{name}: the name '{name}' is reserved for nodes") for line in told)


def test_an_architecture_called_family_is_read_and_its_mistakes_told_where_they_stand(small: Small) -> None:
    place, sizes = "families.netvlad.candidates.vlad-a.model", "num_clusters: 4, hidden_units: 8"
    assert small(lambda _: None, f"{place}={{family: netvlad, {sizes}}}") == small()
    (told,) = problems(small, f"{place}={{family: netvald, {sizes}}}")
    assert told.startswith(f"{place}.family: unknown model architecture 'netvald'. Did you mean 'netvlad'?")
    (told,) = problems(small, f"{place}.family=netvlad")
    assert told.startswith(f"{place}: architecture and family are two names for the same setting.")


def test_a_mistake_in_a_model_that_others_inherit_is_reported_once(small: Small) -> None:
    assert len(problems(small, "families.netvlad.candidates.vlad-a.model.architecture=netvald")) == 1


@pytest.mark.parametrize(
    ("setting", "place", "text"),
    [
        ("students.dbof-a={like: dbof-b, learn_from: dbof}", "students.dbof-a", "is also at families.dbof"),
        ("students.Big={like: dbof-b, learn_from: dbof}", "students.Big", "cannot be a name"),
        ("students.dbof-s.like=dbof-s", "students.dbof-s.like", "cannot be like itself"),
        ("students.dbof-s.like=dbof-z", "students.dbof-s.like", "no model 'dbof-z'"),
        ("teacher_groups.dbof=[dbof-a]", "teacher_groups.dbof", "there is also a family 'dbof'"),
        ("teacher_groups.both=[dbof-a, none]", "teacher_groups.both[1]", "no model 'none'"),
        ("teacher_groups.both=[dbof-a, dbof-a]", "teacher_groups.both[1]", "listed twice"),
        ("teacher_groups.both=[]", "teacher_groups.both", "1 to 16 models"),
        ("teacher_groups.both=[dbof-s, vlad-2]", "students.vlad-2.learn_from", "vlad-2 <- both <- vlad-2"),
        ("families.dbof.ensemble_size=3", "families.dbof.ensemble_size", "3 candidates teach together"),
        ("families.netvlad.ensemble_size=2", "families.netvlad.ensemble_size", "2 candidates teach together"),
        ("teacher_groups.idle=[dbof-s]", "teacher_groups.idle", "no student learns from it"),
        ("averaging.policy=if_better", "averaging.policy", "unknown key"),
        ("evaluation.top_k=3", "evaluation.top_k", "read 20 classes of every video. Received: 3"),
        ("evaluation.gap_top_k=101", "evaluation.top_k", "read 101 classes of every video. Received: 100"),
        ("ensemble.search.gap_top_k=10", "ensemble.search.gap_top_k", "Set evaluation.gap_top_k"),
        ("ensemble.search.top_k=5", "ensemble.search.top_k", "Set evaluation.gap_top_k"),
        ("training.learning_rate=.inf", "training.learning_rate", "finite number"),
        ("students.dbof-s.label_weight=.nan", "students.dbof-s.label_weight", "finite number"),
        ("training.learning_rate=2e-4", "training.learning_rate", "reads this as text. Write 2.0e-4."),
        ("training.learning_rate=1.5e3", "training.learning_rate", "reads this as text. Write 1.5e+3."),
        ("training.learning_rate=fast", "training.learning_rate", "Received: 'fast'."),
        ("ensemble.members=[dbof-s, dbof-s]", "ensemble.members[1]", "listed twice"),
        ("data.validation=['x*']", "data.validation", "not allowed together with data.generate"),
        ("data.generate=null", "data.validation", "required, but missing"),
        ("training=3", "training", "expected a mapping"),
        ("families=null", "families", "expected a mapping"),
        ("something=1", "something", "unknown key"),
    ],
)
def test_problems_are_reported_with_place_and_reason(small: Small, setting: str, place: str, text: str) -> None:
    assert any(line.startswith(f"{place}: ") and text in line for line in problems(small, setting))


def test_a_search_among_all_students_has_at_most_as_many_as_it_takes(small: Small) -> None:
    students = [f"students.s{number}={{like: dbof-a, learn_from: dbof}}" for number in range(18)]
    told = problems(small, "ensemble.members=[]", *students)
    assert told == [
        "ensemble.members: the search takes at most 20 models. Received: none, which means all 21. List the members."
    ]


def test_a_cycle_over_several_students_is_found(small: Small) -> None:
    told = problems(small, "teacher_groups.back=[vlad-2]", "students.dbof-s.learn_from=back")
    assert any("dbof-s <- back <- vlad-2 <- both <- dbof-s" in line for line in told)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "invalid YAML"),
        ("- a", "a recipe is a mapping"),
        ("a: 1\na: 2", "invalid YAML in line 2, column 1: duplicate key 'a'. Remove one of the two."),
        ("", "Received: nothing"),
        ("# only a comment", "Received: nothing"),
        ("hello", "Received: a text"),
        ("a:\n\tb: 1", "line 2, column 1: .*Indent with spaces, not tabs."),
        ("a: {b: 1}\n  c: 2", "line 2, .*Indent the keys of a mapping equally"),
        ("a: {b: 1,\nc: 2\nd: 3", "flow mapping that begins in line 1: .*Close the brackets"),
        ('a: "b\nc: 2', "Close the quotation marks"),
        ("a: {{ b }}", "Replace what is in double braces"),
        ("a: *b", "undefined alias 'b'. Write &NAME"),
        ("a: 1\n---\nb: 2", "line 2, column 1: .*Keep one document"),
        ("2001-01-01: a", "keys must be str"),
        ("a: 2001-13-01", "month must be in"),
        ("a: &a [*a]", "Circular reference"),
    ],
)
def test_a_file_without_a_recipe_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        load_recipe(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_recipe_may_come_from_windows(tmp_path: Path, encoding: str, line_end: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes((RECIPES / "smoke.yaml").read_text().replace("\n", line_end).encode(encoding))
    assert load_recipe(path) == load_recipe(RECIPES / "smoke.yaml")


def test_an_unknown_key_comes_with_the_nearest_and_the_command_that_explains_the_others(small: Small) -> None:
    (told,) = problems(small, "trainig={}")
    assert "Did you mean 'training'?" in told
    assert "imported" not in told
    assert told.endswith(" `yt8m recipe explain` explains them.")
    (told,) = problems(small, "families.dbof.candidates.dbof-a.model.hiden_units=3")
    assert told.endswith("`yt8m recipe explain families.dbof.candidates.dbof-a.model` explains them.")
    (told,) = problems(small, "training={'epochs:3': null}")
    assert "YAML needs a space after a colon. `yt8m recipe explain training` explains them." in told


def test_a_list_in_place_of_a_mapping_is_told(small: Small) -> None:
    assert "students: expected a mapping of keys to values. Received: a list." in problems(small, "students=[a, b]")
    assert "data: expected a mapping of keys to values. Received: None." in problems(small, "data=")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")


def test_data_of_any_shape_is_refused_without_a_crash(small: Small) -> None:
    def broken(raw: dict[str, Any]) -> None:
        raw["families"]["dbof"] = [1]
        raw["students"] = {"a": 3, "b": None, "c": {"learn_from": 1, "like": [2]}}
        raw["teacher_groups"] = {"g": 5}
        raw["ensemble"] = "all"
        raw["data"] = None

    with pytest.raises(ConfigError):
        small(broken)
