"""Recipes take what they leave out from the descriptions beside the shards, and must not contradict them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.graph.described import complete_spec
from pipelines.kubeflow.compile import Compilation
from pipelines.recipe.load import read_recipe
from tests.support.paths import REPOSITORY
from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError
from yt8m.storage.local import LocalStore
from yt8m.storage.stores import STORES
from yt8m.training.config import TrainingConfig

DATA = {"features": {"inc3": 16, "vggish": 4}, "num_classes": 5, "max_frames": 7, "ranges": {"inc3": [0.0, 6.0]}}


def describe(folder: Path, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "train.tfrecord").touch()
    (folder / "validate.tfrecord").touch()
    text = json.dumps({"format": 2, "data": DATA | changes, "seed": 0, "videos": {}, "shards": {}})
    (folder / "dataset.json").write_text(text)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., list[str]]:
    """Return settings of a recipe with shards in these folders."""

    def make(training: str, validation: str, *more: str) -> list[str]:
        shards = [f"data.training=['{training}/train*']", f"data.validation=['{validation}/validate*']"]
        return ["data.generate=null", "data.holdout_shards=1", *shards, *more]

    return make


def compiled(settings: list[str], **options: Any) -> Compilation:
    recipe = REPOSITORY / "pipelines" / "recipes" / "smoke.yaml"
    return Compilation(read_recipe(recipe, settings), "smoke", **{"read_data": False, **options})


def plan(settings: list[str]) -> Result:
    options = [part for setting in settings for part in ("--set", setting)]
    return CliRunner().invoke(main, ["plan", str(REPOSITORY / "pipelines" / "recipes" / "smoke.yaml"), *options])


NAMES = "Index,Name\n0,cat\n1,dog\n2,hen house\n3,owl\n4,fox\n"


def test_classes_are_weighted_by_name(tmp_path):
    folder = describe(tmp_path / "data")
    (folder / "names.csv").write_text(NAMES)
    description = json.loads((folder / "dataset.json").read_text()) | {"vocabulary": "names.csv"}
    (folder / "dataset.json").write_text(json.dumps(description))
    shards = {"training": [f"{folder}/train*"], "validation": [f"{folder}/validate*"]}

    def numbered(weights: dict[Any, float], **more: Any) -> Any:
        raw: dict[str, Any] = {"data": shards, "families": {"one": [{"training": {"class_weights": weights}}]}, **more}
        found = complete_spec(raw, "r", False)["families"]["one"][0]["training"]["class_weights"]
        assert raw["families"]["one"][0]["training"]["class_weights"] is weights
        return TrainingConfig.parse({"class_weights": found}, "r").class_weights

    assert numbered({"hen house": 3.0, 4: 0.5}) == {2: 3.0, 4: 0.5}
    # Names that the recipe states count, too.
    (tmp_path / "other.csv").write_text(NAMES.replace("owl", "dog").replace("1,dog", "1,owl"))
    assert numbered({"dog": 2.0}, export={"vocabulary": f"{tmp_path}/other.csv"}) == {3: 2.0}
    place = r"r: families.one\[0\].training.class_weights: "
    with pytest.raises(ConfigError, match=rf"{place}no class 'cot' in .*names.csv. Did you mean 'cat'"):
        numbered({"cot": 2.0})
    with pytest.raises(ConfigError, match=f"{place}a class has two weights, one by its name"):
        numbered({"cat": 2.0, 0: 1.0})


def test_names_of_classes_without_a_vocabulary_are_refused(tmp_path, settings):
    folder = describe(tmp_path / "data")
    with pytest.raises(ConfigError) as told:
        compiled(settings(folder, folder, "training.class_weights={cat: 2.0}"))
    assert str(told.value).partition("\n")[0] == (
        "smoke: training.class_weights: no class 'cat' is known. Give numbers of classes, from 0, or names in "
        "export.vocabulary."
    )


def test_missing_keys_come_from_the_description_and_stay_in_the_saved_recipe(tmp_path, settings):
    folder = describe(tmp_path / "data")
    compilation = compiled(settings(folder, folder, "data.spec.max_frames=3"))
    expected = DataSpec.parse(DATA | {"max_frames": 3}, "test")
    assert compilation.recipe.data.resolve_spec() == expected
    assert DataSpec.parse(compilation.plan.nodes["prepare"].config["spec"], "test") == expected
    compilation.save_recipe(tmp_path / "recipe.json")
    (folder / "dataset.json").unlink()
    again = Compilation(read_recipe(tmp_path / "recipe.json"), "again", read_data=False)
    assert again.recipe.data.resolve_spec() == expected


def test_data_sets_without_a_description_have_the_default(tmp_path, settings):
    folder = describe(tmp_path / "data")
    (folder / "dataset.json").unlink()
    compilation = compiled(settings(folder, folder))
    assert compilation.recipe.data.resolve_spec() == DataSpec()
    assert "spec" not in compilation.raw["data"]


def test_descriptions_in_stores_are_read_as_fingerprints_are(tmp_path, settings, monkeypatch):
    class Remote(LocalStore):
        remote = True

        def list_uris(self, pattern: str) -> list[str]:
            return super().list_uris(pattern.removeprefix("mem://"))

    monkeypatch.setitem(STORES, "mem", Remote())
    folder = describe(tmp_path / "data")
    given = settings(f"mem://{folder}", f"mem://{folder}")
    for read_data, classes in ((False, 3862), (True, 5), ("if possible", 5)):
        assert compiled(given, read_data=read_data).recipe.data.resolve_spec().num_classes == classes


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("data.spec.num_classes=6", "num_classes 6 and 5"),
        ("data.spec.features={inc3: 8}", "features {'inc3': 8} and {'inc3': 16, 'vggish': 4}"),
        ("data.spec.ranges={inc3: [-2.0, 2.0]}", "ranges {'inc3': [-2.0, 2.0]"),
    ],
)
def test_a_recipe_that_contradicts_the_description_is_refused_by_plan_with_the_line_to_paste(
    tmp_path, settings, setting, said
):
    folder = describe(tmp_path / "data")
    result = plan(settings(folder, folder, setting))
    assert result.exit_code == 2
    assert f"data.spec: differs from {folder}/dataset.json ({said}" in result.stderr
    line = "spec: {features: {inc3: 16, vggish: 4}, num_classes: 5, max_frames: 7, ranges: {inc3: [0.0, 6.0]}}"
    assert line in result.stderr


@pytest.mark.parametrize(
    ("changes", "said"), [({"ranges": {"inc3": [0.0, 7.0]}}, r"7\.0"), ({"layout": {"id": "video_id"}}, "'video_id'")]
)
def test_sides_with_different_descriptions_are_refused(tmp_path, settings, changes, said):
    one, two = describe(tmp_path / "one"), describe(tmp_path / "two", **changes)
    with pytest.raises(ConfigError, match=rf"{one} and {two} hold different data.*{said}"):
        compiled(settings(one, two))


def test_another_file_of_this_name_is_refused(tmp_path, settings):
    folder = describe(tmp_path / "data")
    (folder / "dataset.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"dataset\.json: not a description of the shards beside it"):
        compiled(settings(folder, folder))


def test_the_names_of_the_classes_are_those_of_the_data_set(tmp_path, settings):
    folder = describe(tmp_path / "data")
    text = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(text | {"vocabulary": "names.csv"}))
    (folder / "names.csv").write_text("cat\ndog\nowl\nfox\nyak\n")
    chosen = settings(folder, folder)
    assert compiled(chosen).recipe.export.vocabulary == f"{folder}/names.csv"
    shown = plan(chosen)
    assert shown.exit_code == 0, shown.output
    assert f"5 classes, named by {folder}/names.csv: 0 (cat), 1 (dog), 2 (owl), 3 (fox), 4 (yak)" in shown.output
    # What the recipe says counts, also that there are none.
    assert compiled([*chosen, "export.vocabulary=''"]).recipe.export.vocabulary == ""
    assert "5 classes without names." in plan([*chosen, "export.vocabulary=''"]).output


@pytest.mark.parametrize("command", ["plan", "run", "compile"])
@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("cat\ndog\nowl\nfox\n", "4 names, but there are 5 classes: class 4 missing"),
        ("cat\ndog\nowl\nfox\nyak\nemu\n", "line 6: class 5, but there are 5 classes"),
        ("Index,Name\n0,cat\n2,owl\n3,fox\n4,yak\n5,emu\n", "line 6: class 5, but there are 5 classes"),
        (None, "there is no such file. Correct the path, or set it to '' for no names."),
    ],
)
def test_names_of_a_data_set_that_do_not_fit_are_refused(tmp_path, settings, command, names, said):
    folder = describe(tmp_path / "data")
    text = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(text | {"vocabulary": "names.csv"}))
    if names:
        (folder / "names.csv").write_text(names)
    options = [part for setting in settings(folder, folder) for part in ("--set", setting)]
    places = {"plan": [], "run": ["--root", str(tmp_path / "run")], "compile": ["-o", str(tmp_path / "out.yaml")]}
    recipe = str(REPOSITORY / "pipelines" / "recipes" / "smoke.yaml")
    result = CliRunner().invoke(main, [command, recipe, *places[command], *options])
    if command == "compile" and names is None:
        # The file may be one of the containers.
        assert result.exit_code == 0, result.output
        return
    assert result.exit_code == 2, result.output
    assert f"export.vocabulary: {folder}/names.csv: {said}" in result.stderr
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "out.yaml").exists()


def test_a_hold_out_that_an_import_wrote_of_one_group_is_not_divided(tmp_path, settings):
    folder = describe(tmp_path / "data", layout={"group": "group"})
    content = json.loads((folder / "dataset.json").read_text())

    def refused(*more: str, groups: int) -> str:
        imported = {"sources": [], "groups": 4, "validation_groups": groups}
        (folder / "dataset.json").write_text(json.dumps(content | {"imported": imported}))
        try:
            compiled(settings(folder, folder, *more))
        except ConfigError as error:
            return str(error)
        return ""

    said = refused(groups=1)
    assert "smoke: data.report_share: 0.5: the hold-out cannot be divided" in said
    assert f"one group, as {folder}/dataset.json says. Set data.report_share: 0, which" in said
    assert refused("data.report_share=0", groups=1) == ""
    assert refused("data.spec={layout: {group: ''}}", groups=1) == ""
    assert [refused(groups=number) for number in (0, 2)] == ["", ""]
    # Of other shards, nothing is known.
    (folder / "test.tfrecord").touch()
    both = f"data.validation=['{folder}/validate*', '{folder}/test*']"
    assert refused(both, groups=1) == ""
