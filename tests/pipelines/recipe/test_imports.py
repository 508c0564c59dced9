"""Recipes that take models of other runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.cost.settings import resolve_trainings
from pipelines.graph.keys import find_work
from pipelines.graph.planner import make_plan
from pipelines.recipe.models import ImportedModel
from pipelines.recipe.schema import Recipe
from tests.support.finished_runs import write_summary
from yt8m.errors import ConfigError
from yt8m.training.auto.counts import DataCounts

Load = Callable[..., Recipe]


def only_family(source: Path | str, **more: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that takes the family dbof from a run, with the student that learns from it."""

    def change(raw: dict[str, Any]) -> None:
        raw["families"] = {"dbof": {"from": str(source), **more}}
        raw["students"] = {"dbof-s": {"like": "dbof-a", "learn_from": "dbof"}}
        raw["teacher_groups"] = {}
        raw["ensemble"] = {}

    return change


def with_members(members: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that trains the family netvlad alone, and takes these members."""

    def change(raw: dict[str, Any]) -> None:
        raw["families"] = {"netvlad": raw["families"]["netvlad"]}
        raw["students"] = raw["teacher_groups"] = {}
        raw["ensemble"] = {"members": members}

    return change


def test_a_family_of_another_run_has_its_candidates_configurations_and_averaging(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", first := small())
    recipe = small(only_family(run, ensemble_size=1))
    family = recipe.families["dbof"]
    assert (family.average, family.ensemble_size) == ("if_better", 1)
    assert dict(family.candidates) == dict(first.families["dbof"].candidates)
    imported = recipe.imported["dbof-a"]
    assert (imported.run, imported.weights, imported.key) == (str(run), "gs://bucket/dbof-a/averaged", "k-dbof-a")
    assert recipe.students["dbof-s"].model == first.candidates()["dbof-a"].model
    assert recipe.baseline("dbof-s") == "dbof-a"
    assert recipe.members() == ("dbof-s",)


def test_a_part_of_a_family_can_be_taken(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small())

    def change(raw: dict[str, Any]) -> None:
        only_family(run / "summary.json", names=["dbof-b"], ensemble_size=1)(raw)
        raw["students"]["dbof-s"]["like"] = "dbof-b"

    recipe = small(change)
    assert list(recipe.families["dbof"].candidates) == ["dbof-b"] == list(recipe.imported)


@pytest.mark.parametrize("in_list", [False, True])
def test_all_members_of_another_run_can_be_taken(small: Load, tmp_path: Path, in_list: bool) -> None:
    entry = {"from": str(write_summary(tmp_path / "run", small()))}
    recipe = small(with_members([entry] if in_list else entry))
    assert recipe.members() == ("dbof-a", "dbof-b", "dbof-s", "vlad-s", "vlad-2")
    assert set(recipe.models()) == {*recipe.members(), "vlad-a"}
    assert isinstance(recipe.models()["dbof-s"], ImportedModel)


def test_members_of_several_runs_and_own_ones_can_be_mixed(small: Load, tmp_path: Path) -> None:
    first, second = (write_summary(tmp_path / name, small(), key=name) for name in ("one", "two"))
    members = [{"from": str(first), "names": ["dbof-s"]}, "vlad-a", {"from": str(second), "names": ["vlad-2"]}]
    recipe = small(with_members(members))
    assert recipe.members() == ("dbof-s", "vlad-a", "vlad-2")
    assert recipe.imported["vlad-2"].member_key == "two-quantized-vlad-2"


def test_an_ensemble_of_other_runs_needs_no_families(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small())

    def change(raw: dict[str, Any]) -> None:
        with_members({"from": str(run)})(raw)
        raw["families"] = {}

    assert small(change).candidates() == {}


def test_the_written_recipe_does_not_change(small: Load, tmp_path: Path, raw: dict[str, Any]) -> None:
    from pipelines.recipe.load import check_recipe  # noqa: PLC0415

    only_family(write_summary(tmp_path / "run", small()), ensemble_size=1)(raw)
    check_recipe(raw, "r.yaml")
    assert "candidates" not in raw["families"]["dbof"]
    assert "imported" not in raw


def problem(load: Load, change: Callable[[dict[str, Any]], None]) -> str:
    with pytest.raises(ConfigError) as error:
        load(change)
    return str(error.value)


def test_runs_that_do_not_exist_or_have_not_finished_are_refused(small: Load, tmp_path: Path) -> None:
    told = problem(small, only_family(tmp_path / "nowhere"))
    assert f"families.dbof: {tmp_path}/nowhere: no such run. Give the root of a local run, or the URI" in told
    (tmp_path / "running").mkdir()
    told = problem(small, with_members([{"from": str(tmp_path / "running")}]))
    assert "ensemble.members[0]: " in told
    assert "no summary.json, so no run in this folder has finished" in told
    (tmp_path / "other.json").write_text("{}")
    assert "other.json: final: " in problem(small, only_family(tmp_path / "other.json"))


def test_a_summary_without_models_is_refused(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small())
    (run / "summary.json").write_text('{"final": {}, "tables": {}, "format": 3}')
    assert "lists no models. Make the report again" in problem(small, only_family(run))


def test_a_summary_of_another_version_is_refused_with_the_remedy(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small())
    (run / "summary.json").write_text('{"final": {"gap_held_out": 0.5}, "tables": {}, "format": 1}')
    told = problem(small, only_family(run))
    assert "summary.json: written by another version of yt8m (format 1; this version reads 3)" in told
    assert "Run its recipe again with this version" in told


def test_unknown_names_are_refused_with_the_nearest(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small())
    told = problem(small, only_family(run, names=["dbof-c"]))
    assert "no candidate of family dbof 'dbof-c'. Did you mean 'dbof-" in told
    told = problem(small, with_members([{"from": str(run), "names": ["vlad-3"]}]))
    assert "ensemble.members[0]: " in told
    assert "no member 'vlad-3'. Did you mean 'vlad-s'?" in told

    def other_family(raw: dict[str, Any]) -> None:
        raw["families"]["dbov"] = {"from": str(run)}

    assert "no family 'dbov'. Did you mean 'dbof'? Known: dbof, netvlad." in problem(small, other_family)


@pytest.mark.parametrize("names", [{}, {"names": ["dbof-a"]}])
def test_a_run_without_quantized_models_has_no_members(small: Load, tmp_path: Path, names: dict[str, Any]) -> None:
    run = write_summary(tmp_path / "run", small())
    summary = json.loads((run / "summary.json").read_text())
    for model in summary["artifacts"]:
        model["member"] = model["member_key"] = ""
    (run / "summary.json").write_text(json.dumps(summary))
    told = problem(small, with_members([{"from": str(run), **names}]))
    assert "ensemble.members[0]: " in told
    assert "no model was quantized, so the run has no members. Take a family of it" in told


def test_keys_beside_from_are_checked(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small())
    assert "families.dbof: average: unknown key 'average'. Known: from, names." in problem(
        small, only_family(run, average="never")
    )
    assert "families.dbof: names: expected a list." in problem(small, only_family(run, names="dbof-a"))


def test_names_of_own_models_and_of_two_runs_must_differ(small: Load, tmp_path: Path) -> None:
    first, second = (write_summary(tmp_path / name, small(), key=name) for name in ("one", "two"))

    def change(raw: dict[str, Any]) -> None:
        raw["ensemble"] = {"members": [{"from": str(first), "names": ["dbof-s"]}]}

    assert "the model 'dbof-s' of" in problem(small, change)
    entries = [{"from": str(first)}, {"from": str(second)}]
    assert "has the name of another model of this recipe" in problem(small, with_members(entries))


def test_models_of_other_data_are_refused(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small(), num_classes=25)
    told = problem(small, only_family(run))
    assert f"the videos of {run} differ from those of this recipe (num_classes 25 and 24)" in told


def test_a_model_that_was_not_quantized_cannot_be_a_member(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small())

    def change(raw: dict[str, Any]) -> None:
        raw["families"]["netvlad"] = {"from": str(run)}
        raw["students"] = raw["teacher_groups"] = {}
        raw["ensemble"] = {"members": ["vlad-a", "dbof-a"]}

    assert f"{run} did not quantize vlad-a" in problem(small, change)


def starting(source: Path, **more: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change with which the candidate dbof-a starts with a model of a run."""

    def change(raw: dict[str, Any]) -> None:
        raw["families"]["dbof"]["candidates"]["dbof-a"]["start_from"] = {"from": str(source), **more}

    return change


def test_a_training_starts_with_a_model_of_another_run(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small())
    for entry in ({}, {"name": "dbof-a"}):
        recipe = small(starting(run, **entry))
        start = recipe.starts["dbof-a"]
        assert list(recipe.starts) == ["dbof-a"]
        assert (start.weights, start.key, start.run) == ("gs://bucket/dbof-a/averaged", "k-dbof-a", str(run))
        node = make_plan(recipe)["train-dbof-a"]
        assert node.arguments["start"] == start.weights
        assert node.imported == {start.weights: start.key}
    assert make_plan(small())["train-dbof-a"].imported == {}
    # Other work than without a start, and than with other weights.
    keys = {
        find_work(make_plan(recipe), {})["train-dbof-a"].key
        for recipe in (small(), recipe, small(starting(write_summary(tmp_path / "other", small(), key="other"))))
    }
    assert len(keys) == 3


def test_the_automatic_rate_of_a_model_that_starts_from_another_is_a_fifth(small: Load, tmp_path: Path) -> None:
    started = small(starting(write_summary(tmp_path / "run", small())))
    counts = DataCounts.of_videos(1000, started.data.resolve_spec())
    cold, warm = (
        {name: training.learning_rate for name, training in resolve_trainings(recipe, counts).items()}
        for recipe in (small(), started)
    )
    assert warm == cold | {"dbof-a": pytest.approx(cold["dbof-a"] / 5)}


def test_the_head_of_a_model_that_starts_from_another_may_differ(small: Load, tmp_path: Path) -> None:
    def other_head(raw: dict[str, Any]) -> None:
        starting(tmp_path / "run")(raw)
        raw["families"]["dbof"]["candidates"]["dbof-a"]["model"]["head"] = {"kind": "moe", "num_mixtures": 3}

    write_summary(tmp_path / "run", small(), num_classes=7)
    assert small(other_head).starts["dbof-a"].model == "dbof-a"


@pytest.mark.parametrize(
    ("entry", "changes", "message"),
    [
        ({"name": "dbof-z"}, {}, r"candidates.dbof-a.start_from: .*run: no model 'dbof-z'. Did you mean 'dbof-"),
        ({"names": ["dbof-a"]}, {}, r"start_from: names: unknown key 'names'. Did you mean 'name'"),
        ({"name": "vlad-a"}, {}, r"'dbof-a' cannot start from 'vlad-a' of .*architecture netvlad and dbof"),
        ({"name": "dbof-b"}, {}, r"'dbof-a' cannot start from 'dbof-b' of .*num_clusters \d+ and \d+"),
        ({}, {"features": {"rgb": 3}}, r"'dbof-a' cannot start from 'dbof-a' of .*features"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(
    small: Load, tmp_path: Path, entry: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    run = write_summary(tmp_path / "run", small(), **changes)
    with pytest.raises(ConfigError, match=message):
        small(starting(run, **entry))


def changed(run: Path, **data: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that starts from a run, with other data."""

    def change(raw: dict[str, Any]) -> None:
        starting(run)(raw)
        raw["data"] |= data

    return change


def test_a_start_from_a_run_that_held_out_other_videos_of_the_data_is_refused(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small())
    for data, said in (
        ({"report_share": 0}, "data.report_share: 0.5 and here 0.0"),
        ({"holdout_shards": 3}, "data.holdout_shards: 2 and here 3"),
        ({"holdout_shards": 1}, "data.holdout_shards: 2 and here 1"),
        ({"generate": {"preset": "smoke", "validation_share": 0.3}}, "data.generate.validation_share: 0.2 and here"),
    ):
        with pytest.raises(
            ConfigError, match=r"'dbof-a' cannot start from 'dbof-a' of .* held out other videos"
        ) as told:
            small(changed(run, **data))
        assert said in str(told.value)
    # Another seed generates other videos, and the number of threads changes nothing.
    for generated in ({"preset": "smoke", "seed": 8}, {"preset": "smoke", "threads": 1}):
        assert small(changed(run, generate=generated)).starts


def test_the_shards_tell_whether_the_data_of_a_start_are_the_same(small: Load, tmp_path: Path) -> None:
    def data(folder: str, seed: int) -> dict[str, Any]:
        spec = small().data.resolve_spec().model_dump(mode="json")
        validation = [f"{tmp_path}/{folder}/*.tfrecord"]
        return {"data": {"validation": validation, "holdout_shards": 2, "spec": spec}, "seed": seed}

    run = write_summary(tmp_path / "run", small(lambda raw: raw.update(data("one", 3))))

    def start(folder: str, seed: int) -> Callable[[dict[str, Any]], None]:
        def change(raw: dict[str, Any]) -> None:
            raw.update(data(folder, seed))
            starting(run)(raw)

        return change

    assert small(start("one", 3)).starts
    assert small(start("another", 7)).starts
    with pytest.raises(ConfigError, match=r"held out other videos of the same data \(seed: 3 and here 7\)"):
        small(start("one", 7))


def test_exclusive_classes_of_generated_videos_are_refused(small: Load) -> None:
    def softmax(**data: Any) -> Callable[[dict[str, Any]], None]:
        def change(raw: dict[str, Any]) -> None:
            raw["families"]["dbof"]["candidates"]["dbof-b"]["model"]["head"] = {"kind": "softmax"}
            raw["data"] |= data

        return change

    with pytest.raises(ConfigError, match=r"model.head of 'dbof-b': kind softmax needs videos with exactly one label"):
        small(softmax())
    spec = small().data.resolve_spec().model_dump(mode="json")
    assert small(softmax(generate=None, validation=["v*.tfrecord"], spec=spec)).candidates()
    assert small(softmax(generate={"means": "means.npz"})).candidates()


def test_weights_of_classes_that_do_not_exist_are_refused(small: Load) -> None:
    with pytest.raises(ConfigError, match=r"class_weights of 'dbof-a': no class 999; the classes are 0 to \d+"):
        small(lambda raw: raw.update(training={**raw.get("training", {}), "class_weights": {0: 2.0, 999: 3.0}}))


@pytest.mark.parametrize(
    ("division", "said"),
    [
        ((0.25, 3), r"data\.report_share: 0\.25 and here 0\.5\)"),
        ((0.5, 7), r"seed: 7 and here 3\)"),
        ((0.0, 7), r"data\.report_share: 0\.0 and here 0\.5, seed: 7 and here 3\)"),
    ],
)
def test_runs_that_divided_the_hold_out_otherwise_are_refused(
    small: Load, tmp_path: Path, division: tuple[float, int], said: str
) -> None:
    run = write_summary(tmp_path / "run", small(), division=division)
    with pytest.raises(ConfigError, match=rf"cannot be taken from {run}, which held out other videos \({said}"):
        small(only_family(run, ensemble_size=1))


def taking(run: Path, *, members: bool = False, **data: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that takes models of a run, with other data."""

    def change(raw: dict[str, Any]) -> None:
        (with_members([{"from": str(run)}]) if members else only_family(run, ensemble_size=1))(raw)
        raw["data"] |= data

    return change


@pytest.mark.parametrize("members", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_models_of_runs_with_the_same_seed_and_share_but_other_hold_out_shards_are_refused(
    small: Load, tmp_path: Path, members: bool, share: float
) -> None:
    recipe = small(lambda raw: raw["data"].update(report_share=share))
    run = write_summary(tmp_path / "run", recipe)
    assert small(taking(run, members=members, report_share=share)).imported
    for data, said in (
        ({"holdout_shards": 3}, "(data.holdout_shards: 2 and here 3)"),
        ({"generate": {"preset": "smoke", "seed": 8}}, "(data.generate.seed: 3 and here 8)"),
    ):
        with pytest.raises(ConfigError, match=r"cannot be taken from .* held out other videos") as told:
            small(taking(run, members=members, report_share=share, **data))
        assert said in str(told.value)


def test_the_seed_chooses_the_hold_out_in_the_papers_protocol_too(small: Load, tmp_path: Path) -> None:
    run = write_summary(tmp_path / "run", small(), division=(0.0, 7))
    with pytest.raises(ConfigError, match=rf"taken from {run}, which held out other videos \(seed: 7 and here 3\)"):
        small(taking(run, report_share=0.0))
