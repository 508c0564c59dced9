import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.step import Step
from yt8m.config import Config
from yt8m.errors import ConfigError
from yt8m.records.record import NodeRecord
from yt8m.stages.result import StageResult


class SmallConfig(Config):
    epochs: int
    pattern: str = ""
    rate: float = 0.5


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    """Arguments of a component."""
    config = SmallConfig(epochs=2).dump_changes()
    return {"node": "train-a", "config": config, "root": str(tmp_path), "key": "k1", "attempt": ""}


def artifact(path: Path) -> SimpleNamespace:
    logged: dict[str, float] = {}
    return SimpleNamespace(
        path=str(path), uri=f"gs://{path}", metadata={}, logged=logged, log_metric=logged.__setitem__
    )


def read(path: Path) -> NodeRecord:
    data = json.loads(path.read_text())
    return NodeRecord.parse({key: data[key] for key in NodeRecord.model_fields if key in data}, str(path))


def test_a_step_leaves_a_record_with_the_full_configuration(tmp_path: Path, arguments: dict[str, Any]) -> None:
    step = Step(arguments, "train")
    step.parse(SmallConfig)
    step.finish(StageResult({"gap": 0.5}, {"curve": [1, 2]}), name="a", family="dbof")
    record = read(tmp_path / "records" / "train-a" / "k1.json")
    assert (record.node, record.stage, record.name, record.family) == ("train-a", "train", "a", "dbof")
    assert record.config == {"epochs": 2, "pattern": "", "rate": 0.5}
    assert record.metrics == {"gap": 0.5}
    assert record.details == {"curve": [1, 2]}
    assert record.seconds is not None


def test_a_record_has_parameters_and_uris_and_a_repetition_has_its_own(
    tmp_path: Path, arguments: dict[str, Any]
) -> None:
    given = {**arguments, "model": SimpleNamespace(uri="gs://bucket/model", path="/bucket/model"), "missing": None}
    Step(given, "train").finish(StageResult({"gap": 0.5}))
    Step({**given, "attempt": "again"}, "train").finish(StageResult({"gap": 0.6}))
    record, repeated = (
        json.loads((tmp_path / "records" / "train-a" / f"{work}.json").read_text()) for work in ("k1", "k1-again")
    )
    assert record["metrics"] == {"gap": 0.5}
    assert record["artifacts"] == {"model": "gs://bucket/model"}
    assert record["parameters"] == arguments
    assert repeated["metrics"] == {"gap": 0.6}


def test_metrics_must_be_finite(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Step(arguments, "train").finish(StageResult({"gap": float("nan")}))


def test_only_metrics_to_compare_are_shown_and_their_artifact_has_a_file(
    tmp_path: Path, arguments: dict[str, Any]
) -> None:
    metrics = artifact(tmp_path / "new" / "metrics")
    result = StageResult({"gap": 0.5, "steps": 7.0})
    Step({**arguments, "metrics": metrics}, "train").finish(result, compared=["gap", "map"])
    assert metrics.logged == {"gap": 0.5}
    assert json.loads(Path(metrics.path).read_text()) == {"gap": 0.5}


def test_a_model_has_its_most_important_figures(tmp_path: Path, arguments: dict[str, Any]) -> None:
    model = artifact(tmp_path / "model")
    result = StageResult({"gap": 0.512345678, "bytes": 1234.0, "parameters": 99.0, "steps": 7.0})
    Step({**arguments, "model": model}, "train").finish(result, family="dbof", model=model)
    assert model.metadata == {"gap": 0.5123, "bytes": 1234, "parameters": 99, "family": "dbof"}


def test_the_last_line_says_on_which_videos_gap_was_computed(
    arguments: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Step(arguments, "train").finish(StageResult({"gap": 0.81234, "videos": 1050.0}, {"part": "report"}))
    assert "train-a: GAP 0.8123 on 1,050 report videos, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"gap": 0.81234, "bytes": 1_200_000.0, "videos": 100.0}, "train-a: GAP 0.8123, 1.2 MB,"),
        ({"gap": 0.5, "size_bytes": 250_273.0}, "train-a: GAP 0.5000, 250.3 kB,"),
        (
            {"training_videos": 1850.0, "holdout_videos": 100.0},
            "train-a: 1,850 training videos, 100 hold-out videos,",
        ),
        ({"videos": 7.0, "shards": 2.0}, "train-a: 7 videos, 2 shards,"),
        ({}, "train-a:"),
    ],
)
def test_the_last_line_says_what_came_out(
    metrics: dict[str, float], said: str, arguments: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Step(arguments, "train").finish(StageResult(metrics))
    result, _, duration = capsys.readouterr().out.splitlines()[-1].rpartition(" ")
    assert result == said
    assert duration.endswith("s")


def test_an_invalid_configuration_is_refused_with_the_name_of_the_node(arguments: dict[str, Any]) -> None:
    assert Step(arguments, "train").parse(SmallConfig) == SmallConfig(epochs=2)
    with pytest.raises(ConfigError, match="train-a: epoch: unknown key"):
        Step({**arguments, "config": "{epoch: 2, defaults: abc}"}, "train").parse(SmallConfig)


def test_placeholders_are_replaced_in_the_configuration_and_in_the_record(
    tmp_path: Path, arguments: dict[str, Any]
) -> None:
    config = SmallConfig(epochs=2, pattern="{data}/*.tfrecord").dump_changes()
    step = Step({**arguments, "config": config}, "prepare")
    assert step.parse(SmallConfig, {"{data}": 'gs://a "b"'}).pattern == 'gs://a "b"/*.tfrecord'
    step.finish(StageResult({}))
    assert read(tmp_path / "records" / "train-a" / "k1.json").config["pattern"] == 'gs://a "b"/*.tfrecord'


def test_a_repeated_step_has_the_same_folder_and_a_deliberate_repetition_another(
    tmp_path: Path, arguments: dict[str, Any]
) -> None:
    root = str(tmp_path)
    assert Step(arguments, "train").folder("checkpoints") == f"{root}/checkpoints/train-a"
    assert Step({**arguments, "key": "k2"}, "train").folder("checkpoints") == f"{root}/checkpoints/train-a"
    assert Step({**arguments, "attempt": "2"}, "train").folder("checkpoints") == f"{root}/checkpoints/train-a/2"


def test_an_error_while_rendering_a_page_is_logged_and_does_not_fail_the_step(
    tmp_path: Path, arguments: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise ZeroDivisionError("a curve without length")

    monkeypatch.setattr("yt8m.report.node_page.render_node_page", broken)
    page = artifact(tmp_path / "new" / "page")
    Step({**arguments, "page": page}, "train").finish(StageResult({"gap": 0.5}), sections=["curves"])
    assert "could not be drawn" in Path(page.path).read_text()
    assert "train-a: the page" in caplog.text
    assert "a curve without length" in caplog.text
    assert (tmp_path / "records" / "train-a" / "k1.json").exists()
