"""Steps that execute their stage in spite of an earlier execution: files are gone or damaged, or it is other work."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.components.conftest import Make, Runs, write
from yt8m.errors import DataError
from yt8m.records.files import missing_files
from yt8m.records.record import NodeRecord
from yt8m.stages.result import StageResult
from yt8m.yaml_files import dump_line


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
