"""Automatic settings in the steps: in details, models and checkpoints, and in what averaging continues."""

from pathlib import Path
from typing import Any

import pytest

from yt8m.data.partition import Partition
from yt8m.stages.average import AverageConfig, average
from yt8m.stages.result import StageResult
from yt8m.stages.train import TrainConfig, train
from yt8m.training.auto.counts import DataCounts
from yt8m.training.auto.rules import resolve_training
from yt8m.training.config import TrainingConfig
from yt8m.training.provenance import Provenance

from .conftest import MODEL

STATED = {"epochs": 2, "seed": 3}


def train_in(folder: Path, partition: Path, training: dict[str, Any]) -> StageResult:
    return train(
        partition=partition,
        config=TrainConfig.parse({"model": MODEL, "training": training}, "test"),
        output=folder / "model",
        predictions=folder / "predictions",
        checkpoint_uri=str(folder / "checkpoints"),
    )


@pytest.fixture(scope="module")
def automatic(small_partition: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StageResult]:
    """A training that states its epochs only, and its result."""
    folder = tmp_path_factory.mktemp("automatic")
    return folder, train_in(folder, small_partition, STATED)


def test_a_training_leaves_every_value_with_its_reason(
    automatic: tuple[Path, StageResult], small_partition: Path
) -> None:
    folder, result = automatic
    counts = DataCounts.of(Partition.load(small_partition))
    expected, settings = resolve_training(TrainingConfig(epochs=2, seed=3), counts)
    assert result.details["settings"] == {key: dict(setting) for key, setting in settings.items()}
    assert [key for key, each in result.details["settings"].items() if not each["automatic"]] == ["epochs"]
    assert Provenance.load(folder / "model").training == expected
    assert result.metrics["steps"] == 2 * (18 // expected.batch_size)


def test_the_same_values_are_the_same_training_whether_stated_or_not(
    automatic: tuple[Path, StageResult], small_partition: Path, no_training: Any
) -> None:
    folder, result = automatic
    values = {key: each["value"] for key, each in result.details["settings"].items()}
    no_training()
    again = train_in(folder, small_partition, STATED | values)
    assert again.metrics["gap"] == result.metrics["gap"]
    assert not any(each["automatic"] for each in again.details["settings"].values())
    (checkpoint,) = (folder / "checkpoints").iterdir()
    assert checkpoint.name.startswith("checkpoint-")


@pytest.mark.slow
def test_averaging_continues_with_the_values_of_the_training(
    automatic: tuple[Path, StageResult], small_partition: Path, tmp_path: Path
) -> None:
    folder, result = automatic
    averaged = average(
        partition=small_partition,
        model=folder / "model",
        config=AverageConfig(epochs=1),
        output=tmp_path / "model",
        predictions=tmp_path / "predictions",
        checkpoint_uri=str(tmp_path / "checkpoints"),
    )
    batch_size = result.details["settings"]["batch_size"]["value"]
    assert averaged.metrics["steps"] == 18 // batch_size
    assert averaged.details["settings"]["averaged_steps"]["value"] == 5
    assert Provenance.load(tmp_path / "model").training == Provenance.load(folder / "model").training
