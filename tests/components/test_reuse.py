"""Steps that find the work of an earlier execution: what they copy, and when they execute their stage instead."""

import importlib
import json
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kfp.dsl.types.type_annotations import is_artifact_wrapped_in_Output

from pipelines.stages import STAGES
from yt8m import storage
from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.data.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest
from yt8m.errors import DataError, StorageError
from yt8m.models.files import ModelDescription
from yt8m.records.files import missing_files
from yt8m.records.record import NodeRecord
from yt8m.stages.average import AverageConfig
from yt8m.stages.export import ExportConfig
from yt8m.stages.generate import GenerateConfig
from yt8m.stages.prepare import PrepareConfig
from yt8m.stages.quantize import QuantizeConfig
from yt8m.stages.result import StageResult
from yt8m.stages.search_weights import SearchWeightsConfig
from yt8m.stages.select_teachers import SelectConfig
from yt8m.stages.soft_targets import SoftTargetsConfig
from yt8m.stages.train import TrainConfig
from yt8m.yaml_files import dump_line

TRAIN = TrainConfig.parse({"model": {"architecture": "logistic"}}, "train")
CONFIGS: dict[str, Config] = {
    "generate": GenerateConfig(preset="smoke"),
    "prepare": PrepareConfig(validation=("{data}/*.tfrecord",), holdout_shards=1),
    "train": TRAIN,
    "average": AverageConfig(),
    "quantize": QuantizeConfig(),
    "select_teachers": SelectConfig(size=1),
    "soft_targets": SoftTargetsConfig(),
    "search_weights": SearchWeightsConfig(),
    "export": ExportConfig(),
}
PREFIXES = {"select_teachers": "prediction", "soft_targets": "model", "search_weights": "member", "export": "member"}
RESULT = StageResult({"gap": 0.8125, "videos": 7.0}, {"curve": []})


class Stage:
    """A stage that writes to all its outputs and counts its calls."""

    def __init__(self, name: str, patch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self._folders = {"train": ("output",), "average": ("output",), "quantize": ("output",), "export": ("output",)}
        self._name = name
        patch.setattr(f"yt8m.stages.{name}.{name}", self)

    def __call__(self, **arguments: Any) -> StageResult:
        self.calls += 1
        text = f"{self._name} {self.calls}"
        if self._name == "soft_targets":
            sidecar = Path(arguments["output_uri"], "hash", "00000-a.tfrecord")
            write(sidecar, text)
            SoftTargetManifest(
                teachers=("a",), num_classes=1, encoding=SoftTargetEncoding(), partition_digest="", recipe_hash="",
                sidecars={"a.tfrecord": str(sidecar)}, videos=1,
            ).save(arguments["output"])  # fmt: skip
            return RESULT
        if self._name == "generate":
            write(Path(arguments["output_uri"], "train0000.tfrecord"), text)
            return RESULT
        for name in arguments.keys() & {"output", "predictions", "weights", "page", "summary", "card"}:
            if name in ("predictions", "weights") and Path(arguments[name] if name == "weights" else "/x").exists():
                continue  # an input
            if name in self._folders.get(self._name, ()):
                write(arguments[name] / "weights", text)
                write(arguments[name] / "assets" / "more", text)
            elif isinstance(arguments[name], Path) and not arguments[name].exists():
                write(arguments[name], text)
        return RESULT


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def artifact(path: Path) -> SimpleNamespace:
    return SimpleNamespace(path=str(path), uri=str(path), metadata={}, log_metric=lambda *_: None)


class Runs:
    """Executions of one stage's component in one root, each with other places for its outputs."""

    def __init__(self, stage: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.stage = Stage(stage, patch)
        self._name = stage
        self._folder = folder
        self._component = getattr(importlib.import_module(f"components.{stage}"), stage)
        described = ModelDescription(model=TRAIN.model, data=DataSpec()).model_dump_json()
        write(folder / "inputs" / "model" / "config.json", described)
        for name in ("partition", "predictions", "weights", "selection", "shards", PREFIXES.get(stage, "x")):
            write(folder / "inputs" / name, name) if name != "model" else None
        write(folder / "data" / "kd" / "validate0.tfrecord", "shard")
        write(folder / "records" / "train-b" / "k2.json", NodeRecord(node="train-b", stage="train").model_dump_json())

    def execute(self, run: str, **changes: Any) -> dict[str, Path]:
        """Execute the component and return the paths of its outputs."""
        given: dict[str, Any] = {
            "node": "node", "root": str(self._folder), "key": "k1", "attempt": "", "data_key": "kd", "data_version": "",
            "names": "a", "records": dump_line({"train-b": "k2"}), "students": "{}", "families": "{}", "worker": 0,
            "workers": 1,
        }  # fmt: skip
        if self._name in CONFIGS:
            given["config"] = CONFIGS[self._name].dump_changes()
        outputs = {}
        for name, kind in self._component.__annotations__.items():
            if is_artifact_wrapped_in_Output(kind):
                outputs[name] = self._folder / run / name
                outputs[name].parent.mkdir(parents=True, exist_ok=True)
                given[name] = artifact(outputs[name])
            elif (self._folder / "inputs" / name).exists():
                given[name] = artifact(self._folder / "inputs" / name)
        if prefix := PREFIXES.get(self._name):
            given[f"{prefix}_1"] = artifact(self._folder / "inputs" / prefix)
        given |= changes
        self._component(**{name: value for name, value in given.items() if name in self._component.__annotations__})
        return outputs

    def record(self, work: str = "k1") -> NodeRecord:
        path = self._folder / "records" / "node" / f"{work}.json"
        return NodeRecord.parse_json(path.read_text(), str(path))


Make = Callable[[str], Runs]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Function that prepares executions of a stage."""
    return lambda stage: Runs(stage, tmp_path, monkeypatch)


@pytest.fixture
def train(make: Make) -> Runs:
    return make("train")


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("stage", STAGES)
def test_every_component_takes_over_the_same_work(
    make: Make, stage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = make(stage)
    runs.execute("first")
    first = runs.record()
    runs.execute("second")
    second = runs.record()
    assert runs.stage.calls == 1
    assert "same work as in the execution that ended" in capsys.readouterr().out
    assert content(tmp_path / "second") == content(tmp_path / "first")
    assert set(first.files) - {""} == set(STAGES[stage].outputs) | ({"metrics"} if STAGES[stage].metrics else set())
    assert second.files == first.files
    assert (second.metrics, second.details, second.seconds, second.ended, second.inputs, second.kept) == (
        first.metrics, first.details, first.seconds, first.ended, first.inputs, first.kept
    )  # fmt: skip
    written = {name: uri for name, uri in second.artifacts.items() if name in STAGES[stage].outputs}
    assert all(uri.startswith(str(tmp_path / "second")) for uri in written.values())
    assert missing_files(second) == []


def test_a_copied_step_imports_no_tensorflow(train: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    train.execute("first")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setitem(sys.modules, "keras", None)
    train.execute("second")
    assert train.stage.calls == 1


def test_a_damaged_file_of_the_same_size_makes_the_step_execute(
    train: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (train.execute("first")["model"] / "weights").write_text("train 9")
    train.execute("second")
    assert train.stage.calls == 2
    assert "first/model/weights: damaged" in capsys.readouterr().out
    assert (tmp_path / "second" / "model" / "weights").read_text() == "train 2"


def test_no_part_of_a_failed_copy_stays(train: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (train.execute("first")["model"] / "weights").write_text("train 9")
    found: list[Path] = []
    stage = train.stage

    def look(**arguments: Any) -> StageResult:
        found.extend((tmp_path / "second").rglob("*"))
        return stage(**arguments)

    monkeypatch.setattr("yt8m.stages.train.train", look)
    train.execute("second")
    assert found == []


@pytest.mark.parametrize("name", ["model/weights", "model/assets/more", "predictions"])
def test_a_missing_file_makes_the_step_execute_and_is_named(
    train: Runs, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    train.execute("first")
    path = tmp_path / "first" / name
    path.unlink()
    assert missing_files(train.record()) == [str(path)]
    train.execute("second")
    assert train.stage.calls == 2
    assert f"{path} is gone or incomplete (1 such files)" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{", '{"node": "node", "stage": "train", "unknown": 1}'])
def test_a_record_that_cannot_be_read_makes_the_step_execute(
    train: Runs, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    train.execute("first")
    (tmp_path / "records" / "node" / "k1.json").write_text(text)
    train.execute("second")
    assert train.stage.calls == 2
    assert "node: not copied from an earlier execution, because " in capsys.readouterr().out
    assert missing_files(train.record()) == []


def test_a_record_of_an_earlier_version_makes_the_step_execute(train: Runs, tmp_path: Path) -> None:
    train.execute("first")
    path = tmp_path / "records" / "node" / "k1.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({key: record[key] for key in record.keys() - {"files", "inputs", "kept", "ended"}}))
    train.execute("second")
    assert train.stage.calls == 2


def test_another_partition_makes_the_step_execute(
    train: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.execute("first")
    (tmp_path / "inputs" / "partition").write_text("other shards")
    train.execute("second")
    assert train.stage.calls == 2
    assert "because partition changed since" in capsys.readouterr().out


def test_equal_inputs_in_other_places_are_the_same_work(train: Runs, tmp_path: Path) -> None:
    train.execute("first")
    write(tmp_path / "elsewhere", "partition")
    train.execute("second", partition=artifact(tmp_path / "elsewhere"))
    assert train.stage.calls == 1


def test_another_share_of_divided_work_is_other_work(make: Make) -> None:
    runs = make("soft_targets")
    runs.execute("first")
    runs.execute("second", workers=2)
    assert runs.stage.calls == 2


def test_a_deliberate_repetition_finds_nothing_and_later_steps_find_it(train: Runs) -> None:
    train.execute("first")
    train.execute("second", attempt="again")
    assert train.stage.calls == 2
    train.execute("third", attempt="again")
    assert train.stage.calls == 2
    assert train.record().files != train.record("k1-again").files


def test_runs_at_the_same_time_in_one_root_do_not_hurt_each_other(train: Runs, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(train.execute, ["first", "second", "third", "fourth"]))
    assert 1 <= train.stage.calls <= 4
    for made in outputs:
        assert (made["model"] / "weights").read_text() == (made["model"] / "assets" / "more").read_text()
        assert not list(made["model"].parent.glob(".*"))
    record = train.record()
    assert missing_files(record) == []
    calls = train.stage.calls
    train.execute("fifth")
    assert train.stage.calls == calls
    # The record also names the files of the execution that the last run copied.
    shutil.rmtree(tmp_path / "fifth")
    train.execute("sixth")
    assert train.stage.calls == calls
    for each in ("first", "second", "third", "fourth", "sixth"):
        shutil.rmtree(tmp_path / each)
    train.execute("seventh")
    assert train.stage.calls == calls + 1


@pytest.mark.parametrize("stage", ["generate", "soft_targets"])
def test_files_under_the_root_that_are_gone_make_the_step_execute(make: Make, stage: str, tmp_path: Path) -> None:
    runs = make(stage)
    runs.execute("first")
    (path,) = {"generate": tmp_path / "data" / "k1", "soft_targets": tmp_path / "soft-targets"}[stage].rglob(
        "*.tfrecord"
    )
    assert runs.record().kept == (str(path.parent),)
    path.unlink()
    runs.execute("second")
    assert runs.stage.calls == 2


def test_prepare_looks_at_all_shards(make: Make, tmp_path: Path) -> None:
    runs = make("prepare")
    runs.execute("first")
    (tmp_path / "data" / "kd" / "validate0.tfrecord").write_text("other")
    runs.execute("second")
    assert runs.stage.calls == 2
    write(tmp_path / "data" / "kd" / "validate1.tfrecord", "new")
    runs.execute("third")
    assert runs.stage.calls == 3


@pytest.mark.parametrize(
    ("stage", "change", "calls"),
    [
        ("export", {"metrics": {"gap": 0.5}}, 2),
        ("report", {"metrics": {"gap": 0.5}}, 2),
        ("export", {"artifacts": {"model": "gs://bucket/model"}, "ended": 1.0}, 1),
        # The summary lists the addresses of models.
        ("report", {"artifacts": {"model": "gs://bucket/model"}, "ended": 1.0}, 2),
        ("report", {"ended": 1.0}, 1),
    ],
)
def test_records_count_by_what_a_stage_reads_of_them(
    make: Make, tmp_path: Path, stage: str, change: dict[str, Any], calls: int
) -> None:
    runs = make(stage)
    runs.execute("first")
    record = NodeRecord(node="train-b", stage="train").model_copy(update=change)
    write(tmp_path / "records" / "train-b" / "k2.json", record.model_dump_json())
    runs.execute("second")
    assert runs.stage.calls == calls


def test_the_record_names_the_checkpoints_and_logs_of_the_training(
    train: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = train.stage

    def leave_files(**arguments: Any) -> StageResult:
        write(Path(arguments["checkpoint_uri"]) / "checkpoint-1.npz", "weights")
        write(Path(arguments["tensorboard_uri"]) / "1" / "events", "loss")
        return stage(**arguments)

    write(tmp_path / "checkpoints" / "node" / "checkpoint-0.npz", "of another training")
    monkeypatch.setattr("yt8m.stages.train.train", leave_files)
    train.execute("first")
    kept = {f"{tmp_path}/checkpoints/node/checkpoint-1.npz", f"{tmp_path}/tensorboard/node/1/events"}
    assert set(train.record().kept) == kept
    train.execute("second")
    assert set(train.record().kept) == kept


def test_runs_whose_data_have_other_marks_or_none_find_each_other_s_work(train: Runs, tmp_path: Path) -> None:
    train.execute("first", key="k1.abc123")
    train.execute("second", key="k1")
    train.execute("third", key="k1.fff000")
    assert train.stage.calls == 1
    names = sorted(path.name for path in (tmp_path / "records" / "node").iterdir())
    assert names == ["k1.abc123.json", "k1.fff000.json", "k1.json"]
    train.execute("other work", key="k2.abc123")
    train.execute("repetition", key="k1.abc123", attempt="5fe88d10")
    assert train.stage.calls == 3


def test_the_spelling_of_the_root_does_not_matter(train: Runs, tmp_path: Path) -> None:
    train.execute("first")
    train.execute("second", root=f"{tmp_path}/")
    assert train.stage.calls == 1


@pytest.mark.parametrize(("stage", "calls"), [("train", 0), ("generate", 1)])
def test_a_root_that_was_moved_keeps_its_work_except_files_that_others_name_by_their_address(
    stage: str, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Runs(stage, tmp_path / "run [1]", monkeypatch).execute("first")
    before = [content(path) for path in first.values()]
    (tmp_path / "run [1]").rename(tmp_path / "moved")
    runs = Runs(stage, tmp_path / "moved", monkeypatch)
    second = runs.execute("second")
    assert runs.stage.calls == calls
    if not calls:
        assert [content(path) for path in second.values()] == before


def test_files_of_an_earlier_execution_replace_those_that_were_never_uploaded(train: Runs, tmp_path: Path) -> None:
    first = train.execute("first")
    train.execute("second")
    shutil.rmtree(tmp_path / "second")
    third = train.execute("third")
    assert train.stage.calls == 1
    assert (third["model"] / "weights").read_text() == (first["model"] / "weights").read_text()


def test_a_lost_page_is_drawn_again_without_the_stage(train: Runs) -> None:
    first = train.execute("first")
    first["page"].unlink()
    first["metrics"].unlink()
    second = train.execute("second")
    assert train.stage.calls == 1
    assert second["page"].stat().st_size > 0
    assert json.loads(second["metrics"].read_text())["gap"] == 0.8125


def test_a_record_that_does_not_say_where_its_files_are_makes_the_step_execute(
    train: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.execute("first")
    path = tmp_path / "records" / "node" / "k1.json"
    record = json.loads(path.read_text())
    del record["artifacts"]["model"]
    path.write_text(json.dumps(record))
    train.execute("second")
    assert train.stage.calls == 2
    assert "lists files of model, but does not say where they are" in capsys.readouterr().out


def test_what_lies_at_the_outputs_is_replaced_by_the_copies(train: Runs, tmp_path: Path) -> None:
    train.execute("first")
    write(tmp_path / "second" / "model" / "old", "old")
    second = train.execute("second")
    assert train.stage.calls == 1
    assert not (second["model"] / "old").exists()


def test_a_store_that_refuses_to_list_does_not_stop_a_step(
    train: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(folder: str) -> list[storage.ListedFile]:
        raise StorageError(f"{folder}: access denied (403)")

    monkeypatch.setattr(storage, "list_files", refuse)
    train.execute("first")
    assert train.stage.calls == 1
    assert f"{tmp_path}/checkpoints/node" in train.record().kept
    assert "cannot be listed" in capsys.readouterr().out
    train.execute("second")
    assert train.stage.calls == 1


def test_a_report_of_records_on_different_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs("report", tmp_path, monkeypatch)
    for number, node in enumerate(("train-a", "train-b", "train-c")):
        read = {"partition": "old" if node == "train-a" else "new"}
        record = NodeRecord(node=node, stage="train", inputs=read, ended=float(number))
        write(tmp_path / "records" / node / "k2.json", record.model_dump_json())
    of_all = dump_line(dict.fromkeys(("train-a", "train-b", "train-c"), "k2"))
    with pytest.raises(DataError, match=r"train-c read other data than train-a\. Another run on this root"):
        runs.execute("first", records=of_all)
    runs.execute("second", records=dump_line(dict.fromkeys(("train-b", "train-c"), "k2")))
    assert runs.stage.calls == 1
