import math
import shutil
from typing import Any

import numpy as np
import pytest

from tests.support.predictions import assert_same_predictions
from tests.support.weights import read_weights
from yt8m.bootstrap import difference_error
from yt8m.errors import DataError
from yt8m.identity import folder_digest
from yt8m.metrics import pack_keys
from yt8m.predictions import Predictions
from yt8m.stages.average import AverageConfig, average
from yt8m.stages.evaluate import EvaluateConfig, evaluate
from yt8m.training import holdout
from yt8m.training.epoch_end.holdout_sample import HoldoutSample, SampleFigures
from yt8m.training.holdout import HoldoutGaps
from yt8m.training.provenance import Provenance

from .conftest import train_small


def run(partition, model, folder, **changes):
    settings: dict[str, Any] = {"epochs": 1, "averaged_steps": 3, "batch_size": 4}
    config = AverageConfig(**settings | {"evaluation": EvaluateConfig(batch_size=4)} | changes)
    return average(
        partition=partition,
        model=model,
        config=config,
        output=folder / "averaged",
        predictions=folder / "predictions",
        checkpoint_uri=str(folder / "checkpoints"),
    )


def measured(partition, model, path):
    """Measure a model on its own."""
    result = evaluate(partition=partition, model=model, config=EvaluateConfig(batch_size=4), predictions=path)
    return result.metrics


@pytest.mark.slow
def test_policy_always_keeps_the_average(small_partition, trained, tmp_path):
    result = run(small_partition, trained, tmp_path)
    assert result.metrics["kept"] == 1
    assert all(type(value) is float and math.isfinite(value) for value in result.metrics.values())
    assert len(result.details["curve"]) == 4
    assert result.metrics["gap_before"] == measured(small_partition, trained, tmp_path / "before")["gap"]
    metrics = measured(small_partition, tmp_path / "averaged", tmp_path / "after")
    assert result.metrics["gap_after"] == result.metrics["gap"] == metrics["gap"]
    assert_same_predictions(tmp_path / "predictions", tmp_path / "after")
    assert result.metrics["parameters"] == sum(each.size for each in read_weights(trained).values())
    before, after = read_weights(trained), read_weights(tmp_path / "averaged")
    assert all((before[name] != after[name]).any() for name in before)
    assert Provenance.load(tmp_path / "averaged").examples == Provenance.load(trained).examples + 16


@pytest.mark.slow
def test_averaging_starts_from_the_kept_epoch_at_its_learning_rate(small_partition, tmp_path, monkeypatch):
    gaps = iter([0.9, 0.5, 0.4])
    with monkeypatch.context() as patch:
        patch.setattr(HoldoutSample, "measure", lambda *_, **__: SampleFigures(next(gaps), 1.0))
        # An epoch has 16 videos, after which the rate is half of that before.
        settings = {"epochs": 3, "learning_rate": 0.02, "learning_rate_decay": 0.5, "decay_examples": 16}
        settings["warmup_steps"] = 2  # of the training alone
        model = train_small(tmp_path, small_partition, **settings)
    assert Provenance.load(model).examples == 16
    result = run(small_partition, model, tmp_path, learning_rate_divisor=4.0)
    assert [point["learning_rate"] for point in result.details["curve"][:3]] == pytest.approx([0.02 * 0.5 / 4] * 3)
    assert not any("holdout_gap" in point for point in result.details["curve"])
    assert Provenance.load(tmp_path / "averaged").examples == 16 + 16


@pytest.mark.slow
def test_an_average_with_measured_statistics_is_not_measured_again(small_partition, tmp_path, no_training):
    model = train_small(tmp_path, small_partition, batch_norm_momentum=None)
    first = run(small_partition, model, tmp_path)
    weights = folder_digest(tmp_path / "averaged")
    no_training()
    second = run(small_partition, model, tmp_path)
    assert folder_digest(tmp_path / "averaged") == weights
    assert second.metrics["gap_after"] == first.metrics["gap_after"]


@pytest.mark.parametrize("kept", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_policy_if_better_looks_at_select_alone(small_partition, trained, tmp_path, monkeypatch, kept):
    rng, labels = np.random.default_rng(0), np.ones(20, np.uint16)
    keys = [pack_keys(rng.random((20, 3)).astype(np.float32), rng.random((20, 3)) < 0.3) for _ in range(2)]
    better, worse = HoldoutGaps(0.6, 0.1, keys[0], labels), HoldoutGaps(0.5, 0.9, keys[1], labels)
    gaps = iter([worse, better] if kept else [better, worse])
    monkeypatch.setattr(holdout, "holdout_gaps", lambda *_: next(gaps))
    metrics = run(small_partition, trained, tmp_path, policy="if_better").metrics
    assert metrics["kept"] == kept
    assert 0 < metrics["averaging_loss_error"] == pytest.approx(difference_error(keys[0], keys[1], labels))
    figures = [metrics[f"gap_{name}"] for name in ("select_before", "select_after", "before", "after")]
    assert figures == ([0.5, 0.6, 0.9, 0.1] if kept else [0.6, 0.5, 0.1, 0.9])


@pytest.mark.slow
def test_policy_if_better_keeps_the_better_original(small_partition, trained, tmp_path):
    # A learning rate a thousand times too large spoils any model.
    result = run(small_partition, trained, tmp_path, policy="if_better", learning_rate_divisor=1e-3)
    assert result.metrics["gap_after"] <= result.metrics["gap_before"]
    assert result.metrics["kept"] == 0
    assert result.metrics["gap"] == result.metrics["gap_before"]
    for name, weight in read_weights(trained).items():
        np.testing.assert_array_equal(weight, read_weights(tmp_path / "averaged")[name])
    assert Provenance.load(tmp_path / "averaged") == Provenance.load(trained)


@pytest.mark.slow
def test_an_averaging_whose_measuring_or_policy_changed_trains_nothing(small_partition, trained, tmp_path, no_training):
    first = run(small_partition, trained, tmp_path)
    weights = folder_digest(tmp_path / "averaged")
    no_training()
    other = EvaluateConfig(batch_size=11, top_k=3)
    second = run(small_partition, trained, tmp_path, evaluation=other, policy="if_better", batch_size=11)
    assert Predictions.load(tmp_path / "predictions").top_k == 3
    for name in ("seconds", "steps", "gap_before", "gap_after"):
        assert second.metrics[name] == pytest.approx(first.metrics[name], abs=1e-9), name
    assert second.details["curve"] == first.details["curve"]
    better = second.metrics["gap_after"] > second.metrics["gap_before"]
    assert second.metrics["kept"] == better
    assert folder_digest(tmp_path / "averaged") == (weights if better else folder_digest(trained))


@pytest.mark.slow
def test_an_average_with_slow_decay_stays_near_the_initial_weights(small_partition, trained, tmp_path):
    distance = {}
    for steps in (1, 100):
        run(small_partition, trained, tmp_path / str(steps), averaged_steps=steps)
        before, after = read_weights(trained), read_weights(tmp_path / str(steps) / "averaged")
        distance[steps] = sum(np.abs(before[name] - after[name]).sum() for name in before)
    assert distance[100] < distance[1] / 2


def test_a_model_without_the_record_of_its_training_cannot_be_averaged(small_partition, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "model", ignore=shutil.ignore_patterns("training.json"))
    with pytest.raises(DataError, match=r"training.json: missing"):
        run(small_partition, tmp_path / "model", tmp_path)
