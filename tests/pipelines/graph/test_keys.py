from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.graph.fingerprints import find_fingerprints
from pipelines.graph.keys import Input, Work, find_work, plan_work
from pipelines.graph.plan import Node, Plan, Ref
from pipelines.graph.planner import make_plan
from pipelines.recipe.models import StudentConfig
from pipelines.recipe.schema import Recipe
from tests.support.changed_files import append, changed_file, replace
from tests.support.paths import DEMO
from tests.support.recipes import load_recipe
from yt8m.errors import ConfigError
from yt8m.identity import unmarked
from yt8m.normal_form import strip_comments

Small = Callable[..., Recipe]

DATA = Node("prepare", "prepare", "Prepare", config={"seed": 1})
TRAIN_A = Node("train-a", "train", "Train a", config={"size": 1}, inputs={"partition": Ref("prepare", "partition")})
TRAIN_B = Node("train-b", "train", "Train b", config={"size": 2}, inputs={"partition": Ref("prepare", "partition")})
SELECT = Node(
    "select", "select", "Select", fan_in={"model": {"a": Ref("train-a", "model"), "b": Ref("train-b", "model")}}
)
NODES = (DATA, TRAIN_A, TRAIN_B, SELECT)


def keys(*nodes: Node, code: dict[str, str] | None = None, packages: str = "1", data: str = "data") -> dict[str, str]:
    """Return the keys of a plan with these nodes; `code` has the hashes of the nodes whose code differs."""
    plan = Plan("test", "", (), nodes or NODES)
    work = plan_work(
        plan, lambda node: {"file.py": (code or {}).get(node.name, "1")}, {"keras": packages}, {"a.tfrecord": data}
    )
    return {name: each.key for name, each in work.items()}


def work_of(recipe: Recipe) -> dict[str, Work]:
    return find_work(make_plan(recipe), find_fingerprints(recipe.data, "small.yaml").files)


def changed(first: dict[str, str], second: dict[str, str]) -> set[str]:
    return {name for name in first if first[name] != second[name]}


def test_equal_plans_have_equal_keys() -> None:
    assert keys() == keys()


def test_a_changed_configuration_changes_the_keys_of_that_node_and_all_behind_it() -> None:
    other = Node("train-a", "train", "Train a", config={"size": 3}, inputs=TRAIN_A.inputs)
    assert changed(keys(DATA, other, TRAIN_B, SELECT), keys()) == {"train-a", "select"}


def test_changed_code_changes_the_keys_of_the_nodes_that_run_it_and_all_behind_them() -> None:
    assert changed(keys(code={"train-b": "2"}), keys()) == {"train-b", "select"}


def test_changed_data_and_another_version_of_keras_change_all_keys() -> None:
    assert changed(keys(data="other data"), keys()) == {node.name for node in NODES}
    assert changed(keys(packages="2"), keys()) == {node.name for node in NODES}


def test_titles_and_shares_of_divided_work_do_not_matter_for_keys() -> None:
    renamed = Node("prepare", "prepare", "Another title", config=DATA.config, arguments={"worker": 1})
    assert keys(renamed) == keys(DATA)


def test_a_node_that_reads_a_record_follows_the_node_that_leaves_it() -> None:
    report = Node("report", "report", "Report", records=("train-a", "train-b"))
    plan = Plan("test", "", (), (*NODES, report))
    work = plan_work(plan, lambda _: {}, {}, {})
    assert work["report"].inputs["records.train-a"] == Input("train-a", "record", work["train-a"].key)
    assert changed(keys(*NODES, report, code={"train-b": "2"}), keys(*NODES, report)) == {
        "train-b",
        "select",
        "report",
    }


def test_work_that_was_written_and_read_is_the_same() -> None:
    work = plan_work(Plan("test", "", (), NODES), lambda _: {"file.py": "1"}, {"keras": "1"}, {"a": "1"})["select"]
    again = Work.parse_json(work.model_dump_json(), "test")
    assert again == work
    assert again.key == work.key


def on_shards(small: Small, folder: Path) -> Recipe:
    def changes(raw: dict[str, Any]) -> None:
        raw["data"] = {
            "training": [f"{folder}/?.tfrecord"], "validation": [f"{folder}/held.tfrecord"], "holdout_shards": 1
        }  # fmt: skip

    (folder / "held.tfrecord").write_text("3")

    return small(changes)


def test_changed_and_added_shards_are_noticed(small: Small, tmp_path: Path) -> None:
    (tmp_path / "a.tfrecord").write_text("1")
    recipe = on_shards(small, tmp_path)
    first = work_of(recipe)
    assert work_of(recipe) == first
    (tmp_path / "a.tfrecord").write_text("22")
    second = work_of(recipe)
    (tmp_path / "b.tfrecord").write_text("1")
    third = work_of(recipe)
    assert len({work["prepare"].data_version for work in (first, second, third)}) == 3
    assert not {work.key for work in first.values()} & {work.key for work in second.values()}


def test_shards_that_are_not_there_are_told(small: Small, tmp_path: Path) -> None:
    recipe = on_shards(small, tmp_path)
    with pytest.raises(ConfigError, match=r"small\.yaml: data\.training: no file matches '.*tfrecord'"):
        work_of(recipe)
    work = find_work(make_plan(recipe), find_fingerprints(recipe.data, "small.yaml", read_data=False).files)
    assert work["prepare"].data_version == ""


def test_whether_shards_can_be_read_changes_only_the_mark_of_keys(small: Small, tmp_path: Path) -> None:
    (tmp_path / "a.tfrecord").write_text("1")
    recipe = on_shards(small, tmp_path)
    known = keys_of(recipe)
    (tmp_path / "a.tfrecord").write_text("22")
    changed = keys_of(recipe)
    unread = {name: work.key for name, work in find_work(make_plan(recipe), {}).items()}
    assert {name: unmarked(key) for name, key in known.items()} == unread
    assert {name: unmarked(key) for name, key in changed.items()} == unread
    marks = [{key.partition(".")[2] for key in keys.values()} for keys in (known, changed, unread)]
    assert [len(each) for each in marks] == [1, 1, 1]
    assert len(set().union(*marks)) == 3


def test_means_of_generated_videos_are_part_of_keys_since_folders_are_named_after_them(small: Small) -> None:
    plan = make_plan(small())
    first, second = (find_work(plan, {"means.npz": version}) for version in ("1", "2"))
    assert not {work.key for work in first.values()} & {work.key for work in second.values()}
    assert all(unmarked(work.key) == work.key for work in first.values())


def test_generated_shards_need_no_fingerprint(small: Small) -> None:
    recipe = small()
    assert work_of(recipe)["prepare"].data_version == ""


@pytest.fixture(scope="module")
def demo() -> Recipe:
    return load_recipe(DEMO, ())


@pytest.fixture(scope="module")
def demo_keys(demo: Recipe) -> dict[str, str]:
    return keys_of(demo)


def keys_of(recipe: Recipe) -> dict[str, str]:
    return {name: work.key for name, work in work_of(recipe).items()}


@pytest.mark.parametrize(
    ("file", "edit"),
    [
        ("yt8m/losses.py", append("\n# A comment.\n")),
        ("components/train.py", append("\n# A comment.\n")),
        (
            "yt8m/config.py",
            replace('class Config(BaseModel):\n    """', 'class Config(BaseModel):\n    """More words. '),
        ),
        ("yt8m/layers/netvlad.py", strip_comments),
        ("yt8m/losses.py", replace(" -> ", " -> object or ")),
        ("yt8m/storage/s3.py", append("\nRETRIES = 7\n")),
        ("yt8m/errors.py", append("\nclass Other(Exception): ...\n")),
        ("yt8m/progress.py", append("\nWIDTH = 1\n")),
        ("components/step.py", append("\nOTHER = 1\n")),
        ("yt8m/report/node_page.py", append("\nOTHER = 1\n")),
    ],
)
def test_words_format_and_infrastructure_change_no_key(
    demo: Recipe, demo_keys: dict[str, str], file: str, edit: Callable[[str], str]
) -> None:
    with changed_file(file, edit):
        assert keys_of(demo) == demo_keys


def nodes_and_descendants(recipe: Recipe, wanted: Callable[[Node], bool]) -> set[str]:
    plan = make_plan(recipe)
    nodes = {node.name for node in plan.nodes.values() if wanted(node)}
    return nodes | {name for name in plan.nodes if nodes & set(plan.ancestors(name))}


def test_a_changed_formula_changes_the_nodes_whose_architecture_has_the_layer_and_all_behind_them(
    demo: Recipe, demo_keys: dict[str, str]
) -> None:
    with changed_file("yt8m/layers/netvlad.py", replace("residuals - totals", "residuals + totals")):
        after = keys_of(demo)
    expected = nodes_and_descendants(demo, lambda node: "netvlad" in node.code)
    assert changed(demo_keys, after) == expected
    assert "train-rnn-gru" in set(demo_keys) - expected


def test_a_changed_template_changes_the_report_alone(demo: Recipe, demo_keys: dict[str, str]) -> None:
    with changed_file("yt8m/report/templates/headline.j2", append("<p>")):
        assert changed(demo_keys, keys_of(demo)) == {"report"}


@pytest.fixture
def other_default() -> Iterator[None]:
    """Another default of a student's `label_weight`, which is written in no file that a stage imports."""
    field = StudentConfig.model_fields["label_weight"]
    before, field.default = field.default, 0.75
    for config in (StudentConfig, Recipe):
        config.model_rebuild(force=True)
    yield
    field.default = before
    for config in (StudentConfig, Recipe):
        config.model_rebuild(force=True)


@pytest.mark.usefixtures("other_default")
def test_a_changed_default_that_reaches_the_configuration_changes_keys(demo: Recipe, demo_keys: dict[str, str]) -> None:
    students = {f"train-{name}" for name, student in demo.students.items() if student.label_weight == 0.5}
    assert students
    expected = nodes_and_descendants(demo, lambda node: node.name in students)
    assert changed(demo_keys, keys_of(load_recipe(DEMO, ()))) == expected
