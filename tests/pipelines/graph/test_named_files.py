"""Files that only late nodes read are looked at when a run starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.graph import named_files
from pipelines.graph.keys import find_work
from pipelines.graph.named_files import model_folders
from pipelines.graph.planner import make_plan
from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.spec import SpecGraph
from pipelines.recipe.schema import Recipe
from tests.support.finished_runs import write_summary
from tests.support.paths import SMOKE
from yt8m.data.format import DataSpec
from yt8m.data.vocabulary.files import write_vocabulary
from yt8m.errors import ConfigError, StorageError
from yt8m.identity import unmarked
from yt8m.stages.named_files import check_named_files
from yt8m.yaml_files import parse_line

KEY = "export.vocabulary"


def write_names(path: Path, names: dict[int, str]) -> None:
    """Write names of all classes of the smoke recipe's videos; those that are not given have a number."""
    write_vocabulary(path, {number: str(number) for number in range(24)} | names)


@pytest.fixture
def names(tmp_path: Path) -> Path:
    write_names(tmp_path / "names.csv", {0: "Game", 1: "Car"})
    return tmp_path / "names.csv"


def invoke(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(main, [command, str(SMOKE), *map(str, arguments)])


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        ('Index,Name\n0,"Game\n1,Car\n', "line 2: a quotation mark is opened and never closed"),
        ("Index,Name\n24,Game\n", "line 2: class 24, but there are 24 classes"),
        ("Game\nCar\n", "2 names, but there are 24 classes: classes 2, 3, 4 and 19 more missing. Give the vocabulary"),
    ],
)
def test_a_vocabulary_that_cannot_be_used_is_refused_before_anything_runs(
    tmp_path: Path, command: str, content: str | None, said: str
) -> None:
    path = tmp_path / "names.csv"
    if content:
        path.write_text(content)
    root = ["--root", tmp_path / "root"] if command == "run" else []
    result = invoke(command, "--set", f"{KEY}={path}", *root)
    assert result.exit_code == 2
    assert f"{SMOKE}: {KEY}: {path}: {said}" in result.stderr
    assert not (tmp_path / "root").exists()


def test_a_folder_in_the_place_of_a_vocabulary_is_refused(tmp_path: Path) -> None:
    result = invoke("plan", "--set", f"{KEY}={tmp_path}")
    assert (result.exit_code, f"{KEY}: {tmp_path}: a folder, not a vocabulary." in result.stderr) == (2, True)


def test_the_plan_of_a_run_in_a_cluster_leaves_its_paths_to_the_cluster(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text("{}\n")
    result = invoke("plan", "--set", f"{KEY}=/volume/names.csv", "--cluster", tmp_path / "cluster.yaml")
    assert result.exit_code == 0, result.output
    assert f"{KEY}: /volume/names.csv was not looked at." in result.output


def test_a_changed_vocabulary_changes_the_keys_of_export_and_report_alone(raw: dict[str, Any], names: Path) -> None:
    raw["export"] = {"vocabulary": str(names)}

    def keys() -> dict[str, str]:
        return {name: unmarked(work.key) for name, work in Compilation(raw, "r", read_data=True).work.items()}

    before = keys()
    assert keys() == before
    write_names(names, {0: "Game", 1: "Dog"})
    after = keys()
    assert {name for name in before if before[name] != after[name]} == {"export", "report"}


@pytest.mark.parametrize("read_data", [False, "if possible", True])
def test_in_a_cluster_prepare_looks_at_what_could_not_be_looked_at(
    raw: dict[str, Any], names: Path, read_data: Any
) -> None:
    raw["export"] = {"vocabulary": str(names)}
    compilation = Compilation(raw, "r", read_data=read_data)
    graph = SpecGraph(compilation.build("image:1").specs[0])
    unread = read_data is not True
    assert dict(compilation.unread_files) == ({KEY: str(names)} if unread else {})
    assert (str(names) in graph.constant("prepare", "named_files")) is unread
    # Without its hash, KFP's cache could return the export with an older vocabulary.
    assert bool(graph.task("export").get("cachingOptions")) is not unread


def test_prepare_refuses_what_a_later_step_cannot_read(names: Path) -> None:
    check_named_files("", DataSpec(num_classes=24))
    check_named_files(f"{{{KEY}: {names}}}", DataSpec(num_classes=24))
    with pytest.raises(ConfigError, match=rf"{KEY}: {names}: line 3: class 1, but there are 1 classes"):
        check_named_files(f"{{{KEY}: {names}}}", DataSpec(num_classes=1))
    with pytest.raises(ConfigError, match=rf"{KEY}: /none\.csv: there is no such file"):
        check_named_files(f"{{{KEY}: /none.csv}}", DataSpec())


def test_a_store_that_denies_access_is_asked_once_and_left_to_prepare(
    raw: dict[str, Any], small: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def deny(key: str, uri: str, num_classes: int) -> None:
        asked.append(uri)
        raise StorageError(f"{uri}: access denied")

    monkeypatch.setattr(named_files, "check_named_file", deny)
    raw["families"] = {"dbof": {"from": str(write_summary(tmp_path / "first", small()))}}
    raw |= {"students": {}, "teacher_groups": {}, "ensemble": {"members": ["dbof-a"]}}
    raw["export"] = {"vocabulary": "gs://bucket/names.csv"}
    compilation = Compilation(raw, "r", read_data="if possible")
    assert asked == ["gs://bucket/names.csv"]
    assert set(compilation.unread_files.values()) == {
        "gs://bucket/names.csv",
        "gs://bucket/dbof-a/member",
        "gs://bucket/dbof-a/offers",
    }
    with pytest.raises(StorageError, match=r"names\.csv: access denied"):
        Compilation(raw, "r", read_data=True)


def test_models_of_another_run_that_are_gone_are_refused_when_the_run_starts(
    raw: dict[str, Any], small: Callable[..., Recipe], tmp_path: Path
) -> None:
    run = write_summary(tmp_path / "first", small())
    summary = run / "summary.json"
    summary.write_text(summary.read_text().replace("gs://bucket", str(tmp_path)))
    raw["families"] = {"dbof": {"from": str(run)}}
    raw |= {"students": {}, "teacher_groups": {}, "ensemble": {"members": ["dbof-a"]}}
    with pytest.raises(
        ConfigError, match=rf"r: from: {run}: dbof-a: member: {tmp_path}/dbof-a/member: there is no such"
    ):
        Compilation(raw, "r", read_data=True)
    for name in ("member", "offers"):
        (tmp_path / "dbof-a" / name).mkdir(parents=True)
    Compilation(raw, "r", read_data=True)


def test_prepare_compares_the_videos_of_models_of_other_runs(
    raw: dict[str, Any], small: Callable[..., Recipe], tmp_path: Path
) -> None:
    run = write_summary(tmp_path / "first", small())
    raw["families"]["dbof"] = {"from": str(run)}
    raw["families"]["netvlad"]["candidates"]["vlad-a"]["start_from"] = {"from": str(run)}
    compilation = Compilation(raw, "r", read_data=False)
    given = parse_line(SpecGraph(compilation.build("image:1").specs[0]).constant("prepare", "named_files"), "test")
    # Teachers of students: of each candidate the weights, not the predictions.
    assert model_folders(compilation.recipe, compilation.plan).items() <= given.items()
    assert given[f"from: {run}: dbof-b: weights"] == "gs://bucket/dbof-b/averaged"
    assert given[f"start_from: {run}: vlad-a"] == "gs://bucket/vlad-a/averaged"
    # The key of `prepare` is that of the same data without models of other runs.
    assert compilation.work["prepare"].key == find_work(make_plan(small()), {})["prepare"].key


def test_a_rerun_in_a_cluster_does_not_look_for_the_paths_of_the_containers(raw: dict[str, Any]) -> None:
    raw["export"] = {"vocabulary": "/volume/names.csv"}
    assert dict(Compilation(raw, "r", read_data="in stores").unread_files) == {KEY: "/volume/names.csv"}


@pytest.fixture
def with_test(raw: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Return the small recipe on files, with a test."""
    for name in ("train0", "validate0", "validate1", "test0"):
        (tmp_path / f"{name}.tfrecord").write_text(name)
    spec = raw["data"].get("spec") or {"features": {"rgb": 4}, "num_classes": 10}
    patterns = {name: [f"{tmp_path}/{file}*.tfrecord"] for name, file in SIDES.items()}
    raw["data"] = {**patterns, "holdout_shards": 1, "spec": spec}
    return raw


SIDES = {"training": "train", "validation": "validate", "test": "test"}


def test_changed_test_shards_change_the_keys_of_export_and_report_alone(
    with_test: dict[str, Any], tmp_path: Path
) -> None:
    def keys() -> dict[str, str]:
        return {name: work.key for name, work in Compilation(with_test, "r", read_data=True).work.items()}

    before = keys()
    assert keys() == before
    (tmp_path / "test1.tfrecord").write_text("another")
    after = keys()
    assert {name for name in before if before[name] != after[name]} == {"export", "report"}


def test_prepare_looks_at_the_first_records_of_test_shards(with_test: dict[str, Any], tmp_path: Path) -> None:
    compilation = Compilation(with_test, "r", read_data=True)
    graph = SpecGraph(compilation.build("image:1").specs[0])
    assert f"{tmp_path}/test*.tfrecord" in graph.constant("prepare", "named_files")
    assert graph.task("export")["cachingOptions"]
    (tmp_path / "test0.tfrecord").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"data\.test\[0\]: .*test0\.tfrecord: no usable video: no record"):
        check_named_files(graph.constant("prepare", "named_files"), DataSpec(features={"rgb": 4}))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("none*.tfrecord", r"data\.test\[0\]: .*none"),
        ("train*.tfrecord", r"data\.test\[0\]: .*train0\.tfrecord: also a training or hold-out shard"),
        ("*1.tfrecord", r"data\.test\[0\]: .*validate1\.tfrecord: also a training or hold-out shard"),
    ],
)
def test_test_shards_that_cannot_test_are_refused_at_once(
    with_test: dict[str, Any], tmp_path: Path, pattern: str, said: str
) -> None:
    with_test["data"]["test"] = [f"{tmp_path}/{pattern}"]
    with pytest.raises(ConfigError, match=said):
        Compilation(with_test, "r", read_data=True)


def test_generated_videos_have_no_test(raw: dict[str, Any], tmp_path: Path) -> None:
    raw["data"] = {"generate": {"preset": "smoke"}, "holdout_shards": 1, "test": [f"{tmp_path}/test*.tfrecord"]}
    with pytest.raises(ConfigError, match=r"data\.test: not allowed together with data\.generate"):
        Compilation(raw, "r", read_data=False)
