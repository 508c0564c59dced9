"""Steps that take over the work of an earlier execution: what they copy, and what counts as the same work."""

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipelines.stages import STAGES
from tests.components.conftest import Make, Runs, artifact, write
from yt8m import storage
from yt8m.errors import StorageError
from yt8m.records.files import missing_files
from yt8m.stages.result import StageResult


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


def test_equal_inputs_in_other_places_are_the_same_work(train: Runs, tmp_path: Path) -> None:
    train.execute("first")
    write(tmp_path / "elsewhere", "partition")
    train.execute("second", partition=artifact(tmp_path / "elsewhere"))
    assert train.stage.calls == 1


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
