"""Pages of nodes, written by components that are called as KFP calls them."""

import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.stages import STAGES
from tests.support.html_page import Page, assert_self_contained
from tests.support.offers import write_offers
from tests.support.predictions import halved, members
from yt8m.config import Config
from yt8m.stages.average import AverageConfig
from yt8m.stages.prepare import PrepareConfig
from yt8m.stages.quantize import QuantizeConfig
from yt8m.stages.search_weights import SearchWeightsConfig
from yt8m.stages.select_teachers import SelectConfig
from yt8m.stages.train import TrainConfig

# All components are executed once.
pytestmark = pytest.mark.slow

MODEL = {"architecture": "dbof", "num_clusters": 8, "hidden_units": 6, "pooling": "max", "head": {"kind": "logistic"}}
TRAINING = {"epochs": 2, "batch_size": 4, "learning_rate": 0.02, "batch_norm_momentum": 0.5}
NAMES = ("dbof1", "dbof2", "dbof3", "dbof4")
PAGES = ("prepare", "train", "average", "quantize", "select_teachers", "search_weights")


def artifact(path: Path) -> SimpleNamespace:
    return SimpleNamespace(path=str(path), uri=path.as_uri(), metadata={}, log_metric=lambda *_: None)


class Steps:
    """Calls components and stores their outputs in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def call(self, stage: str, config: Config, **inputs: Any) -> dict[str, SimpleNamespace]:
        """Execute a component and return its outputs by name."""
        outputs = {name: artifact(self.folder / stage / name) for name in STAGES[stage].outputs}
        given: dict[str, Any] = {
            "node": f"{stage}-a",
            "config": config.dump_changes(),
            "root": str(self.folder),
            "key": "k",
        }
        component = getattr(importlib.import_module(f"components.{stage}"), stage)
        if "metrics" in component.__annotations__:
            given["metrics"] = artifact(self.folder / stage / "metrics")
        component(**given, **outputs, **inputs)
        return outputs

    def record(self, stage: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.folder / "records" / f"{stage}-a" / "k.json").read_text())
        return record

    def page(self, stage: str) -> str:
        return (self.folder / stage / "page").read_text()


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory, shards: SimpleNamespace) -> Steps:
    """All components that draw a page, executed once."""
    folder = tmp_path_factory.mktemp("steps")
    steps = Steps(folder)
    for name, count in (("train", 18), ("validate", 11)):
        videos = [shards.video_of(100 * count + number, labels=[number % 3, 9]) for number in range(count)]
        shards.write(folder / f"{name}0.tfrecord", videos)
    training, validation = (f"{folder}/train*",), (f"{folder}/validate*",)
    data = PrepareConfig(training=training, validation=validation, holdout_shards=1, spec=shards.spec)
    partition = steps.call("prepare", data, data_key="", data_version="")["partition"]
    config = TrainConfig.parse({"model": MODEL, "training": TRAINING}, "train")
    trained = steps.call("train", config, partition=partition)
    model, predictions = trained["model"], trained["predictions"]
    steps.call("average", AverageConfig(epochs=1, averaged_steps=3), partition=partition, model=model)
    quantization = QuantizeConfig(bits=8, threshold_elements=20)
    steps.call("quantize", quantization, partition=partition, model=model, predictions=predictions)
    given: dict[str, Any] = {"names": " ".join(NAMES)}
    predicted = dict(zip(NAMES, halved(members(4, noise=1.5)), strict=True))
    for number, (name, each) in enumerate(predicted.items(), 1):
        each.save(folder / f"{name}.predictions")
        given[f"prediction_{number}"] = artifact(folder / f"{name}.predictions")
    steps.call("select_teachers", SelectConfig(size=2), **given)
    given = {"names": " ".join(NAMES)}
    for number, (name, each) in enumerate(predicted.items(), 1):
        given[f"offers_{number}"] = artifact(write_offers(folder / name, {"8": (1000, each)}))
    steps.call("search_weights", SearchWeightsConfig(trials=40, budget_bytes=3100, size_margin=0.01), **given)
    return steps


def test_every_page_but_the_report_is_drawn_by_the_step() -> None:
    assert {name for name, stage in STAGES.items() if "page" in stage.outputs} == {*PAGES, "report"}


def shown(steps: Steps, stage: str) -> tuple[Page, set[float], dict[str, Any]]:
    """Return the page of a stage, the numbers on it, and the details in its record."""
    page = Page(steps.page(stage))
    return page, {value for value, _ in page.numbers}, steps.record(stage)["details"]


@pytest.mark.parametrize("stage", PAGES)
def test_a_page_shows_all_metrics_of_its_stage(steps: Steps, stage: str) -> None:
    page, numbers, _ = shown(steps, stage)
    assert_self_contained(steps.page(stage))
    assert set(steps.record(stage)["metrics"].values()) <= numbers
    assert f"{stage}-a" in page.text


@pytest.mark.parametrize("stage", ["train", "average"])
def test_the_page_of_a_training_has_a_learning_curve(steps: Steps, stage: str) -> None:
    page, _, details = shown(steps, stage)
    assert details["curve"]
    assert len(page.all("svg")) == 1
    assert "a, training" in page.text


def test_the_page_of_an_averaging_has_gap_before_and_after_and_the_kept_model(steps: Steps) -> None:
    page, numbers, _ = shown(steps, "average")
    metrics = steps.record("average")["metrics"]
    assert metrics["gap_after"] - metrics["gap_before"] in numbers
    assert page.words.count("yes") == 1


def test_the_page_of_a_quantization_has_size_and_error_of_every_variable(steps: Steps) -> None:
    page, numbers, details = shown(steps, "quantize")
    assert any(row["quantized"] for row in details["variables"])
    for row in details["variables"]:
        assert row["name"] in page.words
        assert {row["bytes_before"], row["bytes_after"], row["largest_error"], row["mean_error"]} <= numbers


def test_the_page_of_a_selection_has_every_combination_and_marks_the_selected_one(steps: Steps) -> None:
    page, numbers, details = shown(steps, "select_teachers")
    assert len(details["table"]) == 6
    for row in details["table"]:
        assert ", ".join(row["members"]) in page.text
        assert row["gap"] in numbers
    assert f"{', '.join(details['chosen'])} (chosen)" in page.text
    assert page.text.count("(chosen)") == 1


def test_the_page_of_a_search_has_methods_members_and_frontier(steps: Steps) -> None:
    page, numbers, details = shown(steps, "search_weights")
    assert [row["method"] for row in details["methods"]] == ["flat", "random", "ours"]
    for row in [*details["methods"], *details["frontier"]]:
        assert {row["gap_select"], row["gap"], row["size_bytes"]} <= numbers
        assert row["gap_select"] != row["gap"]
    for row in details["members"]:
        assert row["name"] in page.text
        assert not row["weight"] or {row["weight"], row["size_share"], row["size_bytes"]} <= numbers
    assert len(page.all("svg")) == 1
