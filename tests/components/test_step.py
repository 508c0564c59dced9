import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.step import Step, fan_in, numbered, record_uri
from yt8m import storage
from yt8m.config import Config
from yt8m.errors import ConfigError
from yt8m.report.record import load_records
from yt8m.stages.result import StageResult


class Metrics:
    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.logged: dict[str, float] = {}

    def log_metric(self, metric: str, value: float) -> None:
        self.logged[metric] = value


class SmallConfig(Config):
    epochs: int


IDENTITY = {"node": "train-a", "stage": "train", "name": "a", "family": "dbof", "facts": {"learn_from": "dbof"}}


def test_a_step_writes_metrics_and_a_record_that_the_report_reads(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "new" / "metrics")
    step = Step({"node": json.dumps(IDENTITY), "config": '{"epochs": 2}'})
    step.finish(StageResult({"gap": 0.5}, {"curve": [1, 2]}), metrics)
    (record,) = load_records([Path(metrics.path)])
    assert metrics.logged == {"gap": 0.5}
    assert (record.node, record.stage, record.name, record.family) == ("train-a", "train", "a", "dbof")
    assert record.config == {"epochs": 2, "learn_from": "dbof"}
    assert record.metrics == {"gap": 0.5}
    assert record.details == {"curve": [1, 2]}
    assert record.seconds is not None


def test_metrics_must_be_finite(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Step({"node": json.dumps(IDENTITY)}).finish(StageResult({"gap": float("nan")}), Metrics(tmp_path / "metrics"))


def test_an_invalid_configuration_is_refused_with_the_name_of_the_node() -> None:
    node = json.dumps(IDENTITY)
    assert Step({"node": node, "config": '{"epochs": 2}'}).parse(SmallConfig) == SmallConfig(epochs=2)
    with pytest.raises(ConfigError, match="train-a: epoch: unknown key"):
        Step({"node": node, "config": '{"epochs": 2, "epoch": 2}'}).parse(SmallConfig)


def test_the_record_under_the_root_has_parameters_and_uris(tmp_path: Path) -> None:
    root, model = str(tmp_path / "root"), SimpleNamespace(uri="gs://bucket/model", path="/gcs/bucket/model")
    arguments = {"node": json.dumps(IDENTITY), "config": "{}", "root": root, "key": "k1", "model": model, "given": None}
    Step(arguments).finish(StageResult({"gap": 0.5}), Metrics(tmp_path / "metrics"))
    Step({**arguments, "attempt": "again"}).finish(StageResult({"gap": 0.6}), Metrics(tmp_path / "metrics"))
    record = json.loads(storage.read_text(record_uri(root, "train-a", "k1")))
    assert record["metrics"] == {"gap": 0.5}
    assert record["artifacts"] == {"model": "gs://bucket/model"}
    assert record["parameters"]["key"] == "k1"
    repeated = json.loads(storage.read_text(record_uri(root, "train-a", "k1-again")))
    assert repeated["metrics"] == {"gap": 0.6}


def test_a_page_is_rendered_from_the_record(tmp_path: Path) -> None:
    page = SimpleNamespace(path=str(tmp_path / "new" / "page"))
    step = Step({"node": json.dumps(IDENTITY), "config": '{"epochs": 2}'})
    step.write_page(
        StageResult({"gap": 0.5}, {"curve": [1]}), page, lambda record: f"{record['node']} {record['details']}"
    )
    assert Path(page.path).read_text() == "train-a {'curve': [1]}"


def test_an_error_while_rendering_a_page_is_logged_and_does_not_fail_the_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(record: object) -> str:
        raise ZeroDivisionError("a curve without length")

    page = SimpleNamespace(path=str(tmp_path / "page"))
    Step({"node": json.dumps(IDENTITY)}).write_page(StageResult({"gap": 0.5}), page, broken)
    assert "could not be drawn" in Path(page.path).read_text()
    assert "train-a: the page" in caplog.text
    assert "a curve without length" in caplog.text


def test_numbered_artifacts_are_collected_in_order_by_name() -> None:
    given = {f"model_{number}": SimpleNamespace(path=f"/m{number}") for number in range(1, 12)}
    arguments = {**given, "model_12": None, "names": "ignored"}
    assert numbered(arguments, "model") == [Path(f"/m{number}") for number in range(1, 12)]
    names = json.dumps([f"n{number}" for number in range(1, 12)])
    assert fan_in(arguments, "model", names)["n11"] == Path("/m11")
    assert numbered(arguments, "other") == []
