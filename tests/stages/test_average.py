import math

import numpy as np
import pytest

from tests.support.weights import read_weights
from yt8m.errors import DataError
from yt8m.stages.average import AverageConfig, average
from yt8m.stages.evaluate import EvaluateConfig, evaluate
from yt8m.stages.quantize import QuantizeConfig, quantize
from yt8m.training.provenance import Provenance


def run(partition, model, folder, **changes):
    config = AverageConfig(**{"epochs": 1, "averaged_steps": 3, "batch_size": 4} | changes)
    return average(
        partition=partition,
        model=model,
        config=config,
        output=folder / "averaged",
        checkpoint_uri=str(folder / "checkpoints"),
    )


def measured_gap(partition, model, folder):
    result = evaluate(
        partition=partition, model=model, config=EvaluateConfig(batch_size=4), predictions=folder / "predictions"
    )
    return result.metrics["gap"]


def test_policy_always_keeps_the_average(small_partition, trained, tmp_path):
    result = run(small_partition, trained, tmp_path)
    assert result.metrics["kept"] == 1
    assert all(type(value) is float and math.isfinite(value) for value in result.metrics.values())
    assert len(result.details["curve"]) == 4
    assert result.metrics["gap_before"] == measured_gap(small_partition, trained, tmp_path)
    assert result.metrics["gap_after"] == measured_gap(small_partition, tmp_path / "averaged", tmp_path)
    before, after = read_weights(trained), read_weights(tmp_path / "averaged")
    assert all((before[name] != after[name]).any() for name in before)
    assert Provenance.load(tmp_path / "averaged").examples == 32 + 16


def test_policy_if_better_keeps_the_better_original(small_partition, trained, tmp_path):
    # A learning rate a thousand times too large spoils any model.
    result = run(small_partition, trained, tmp_path, policy="if_better", learning_rate_divisor=1e-3)
    assert result.metrics["gap_after"] <= result.metrics["gap_before"]
    assert result.metrics["kept"] == 0
    for name, weight in read_weights(trained).items():
        np.testing.assert_array_equal(weight, read_weights(tmp_path / "averaged")[name])
    assert Provenance.load(tmp_path / "averaged") == Provenance.load(trained)


def test_an_average_with_slow_decay_stays_near_the_initial_weights(small_partition, trained, tmp_path):
    distance = {}
    for steps in (1, 100):
        run(small_partition, trained, tmp_path / str(steps), averaged_steps=steps)
        before, after = read_weights(trained), read_weights(tmp_path / str(steps) / "averaged")
        distance[steps] = sum(np.abs(before[name] - after[name]).sum() for name in before)
    assert distance[100] < distance[1] / 2


def test_a_quantized_model_cannot_be_averaged(small_partition, trained, tmp_path):
    quantize(model=trained, config=QuantizeConfig(), output=tmp_path / "quantized")
    with pytest.raises(DataError, match=r"training.json: missing"):
        run(small_partition, tmp_path / "quantized", tmp_path)
