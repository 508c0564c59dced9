"""The choice of bits for each variable, and the sizes in which stage `quantize` offers a model."""

import math

import numpy as np
import pytest

from yt8m.bit_allocation import choose
from yt8m.bit_allocation.choose import Choice, choose_bits
from yt8m.bit_allocation.sample import Sample, divergence
from yt8m.data.partition import Partition
from yt8m.ensembling.members import Member, Offers
from yt8m.errors import BudgetError, ConfigError
from yt8m.models.files import WEIGHTS_FILE
from yt8m.quantization.config import QuantizationConfig
from yt8m.quantization.files import count_by_bits, iterate_floats, iterate_quantized
from yt8m.quantization.methods import quantized_bytes
from yt8m.quantization.quantized_array import QuantizedArray
from yt8m.stages.evaluate import EvaluateConfig, evaluate
from yt8m.stages.quantize import QuantizeConfig, quantize

EVALUATION = EvaluateConfig(batch_size=4, top_k=7)
THRESHOLD = 20


@pytest.fixture(scope="module")
def predicted(trained, small_partition, tmp_path_factory):
    """The predictions of the trained model."""
    path = tmp_path_factory.mktemp("predicted") / "predictions"
    evaluate(partition=small_partition, model=trained, config=EVALUATION, predictions=path)
    return path


@pytest.fixture(scope="module")
def shapes(trained):
    weights = iterate_floats(trained / WEIGHTS_FILE)
    return {name: weight.shape for name, weight in weights if weight.size > THRESHOLD}


def choice(trained, small_partition, shapes, examples=10_000, **config) -> Choice:
    return choose_bits(
        trained,
        Partition.load(small_partition),
        list(shapes),
        config=QuantizationConfig(bits="auto", **config),
        examples=examples,
        batch_size=4,
        gap_top_k=20,
    )


def size_of(bits, shapes):
    return sum(quantized_bytes(shapes[name], each) for name, each in bits.items())


def test_without_a_limit_of_loss_a_model_gets_the_fewest_bytes(trained, small_partition, shapes):
    found = choice(trained, small_partition, shapes, max_gap_loss=1.0)
    assert size_of(found.bits, shapes) == sum(
        min(quantized_bytes(s, b) for b in (2, 3, 4, 6, 8)) for s in shapes.values()
    )


def test_the_chosen_bits_keep_within_the_limit_on_the_sample(trained, small_partition, shapes):
    found = choice(trained, small_partition, shapes, max_gap_loss=0.0)
    size = size_of(found.bits, shapes)
    passed = [check["bytes"] for check in found.checks if check["gap_loss"] <= 0]
    most = sum(quantized_bytes(shape, 8) for shape in shapes.values())
    assert size == min([*passed, most])
    assert set(found.sensitivities) == set(shapes)
    for losses in found.sensitivities.values():
        assert losses[2] > losses[4] >= -1e-6


def test_the_same_model_gets_the_same_bits(trained, small_partition, shapes):
    assert choice(trained, small_partition, shapes) == choice(trained, small_partition, shapes)


def test_a_limit_of_bytes_is_kept_or_refused(trained, small_partition, shapes):
    least = sum(min(quantized_bytes(shape, bits) for bits in (2, 3, 4, 6, 8)) for shape in shapes.values())
    limit = least * 5 // 4
    found = choice(trained, small_partition, shapes, max_gap_loss=0.0, max_bytes=limit)
    assert size_of(found.bits, shapes) <= limit
    with pytest.raises(
        BudgetError, match=rf"quantization\.max_bytes: .* at least {least:,} bytes, received {least - 1:,}"
    ):
        choice(trained, small_partition, shapes, max_bytes=least - 1)


def test_predictions_take_at_most_a_tenth_of_the_training(trained, small_partition, shapes, monkeypatch):
    monkeypatch.setattr(choose, "LEAST_VIDEOS", 1)
    predicted, predict = [], Sample.predict

    def counted(self, *rest):
        predicted.append(len(self))
        return predict(self, *rest)

    monkeypatch.setattr(Sample, "predict", counted)
    found = choice(trained, small_partition, shapes, examples=600)
    # A video of the training costs a forward and a backward pass, which are three times a prediction.
    assert sum(predicted) <= 0.1 * 3 * 600
    assert 1 < found.videos < 11
    assert 1 < found.checked_videos <= 11


def test_the_divergence_is_the_cross_entropy_beyond_that_of_the_reference():
    reference, other = np.array([[0.2, 0.9], [0.5, 0.5]], np.float32), np.array([[0.3, 0.8], [0.5, 0.1]], np.float32)
    expected = 0.0
    for p, q in zip(reference.ravel().tolist(), other.ravel().tolist(), strict=True):
        entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
        expected += (-p * math.log(q) - (1 - p) * math.log(1 - q) - entropy) / 2
    assert divergence(reference, other) == pytest.approx(expected, rel=1e-4)
    assert divergence(reference, reference) == 0


def test_a_model_is_offered_in_every_size(trained, small_partition, predicted, shapes, tmp_path):
    config = QuantizeConfig(bits=(8, "auto", 3), threshold_elements=THRESHOLD, evaluation=EVALUATION)
    result = quantize(
        partition=small_partition, model=trained, predictions=predicted, config=config,
        output=tmp_path / "member", offers=tmp_path / "offers",
    )  # fmt: skip
    offers, member = Offers.open("dbof", tmp_path / "offers"), Member.open("dbof", tmp_path / "member", "3")
    assert list(offers.read().sizes) == list(result.details["sizes"]) == ["8", "auto", "3"]
    many = sum(math.prod(shape) for shape in shapes.values())
    assert count_by_bits(member.model("8") / WEIGHTS_FILE)[8] == many
    assert count_by_bits(member.model("3") / WEIGHTS_FILE)[3] == many
    stored = dict(iterate_quantized(member.model("auto") / WEIGHTS_FILE))
    table = {row["name"]: row for row in result.details["allocation"]["variables"]}
    for name, weight in stored.items():
        if name in shapes:
            assert isinstance(weight, QuantizedArray)
            assert (table[name]["bits"], table[name]["bytes_after"]) == (weight.bits, weight.nbytes)
            assert table[name]["loss_2_bits"] > table[name]["loss_4_bits"]
        else:
            assert table[name]["bits"] == 32
            assert table[name]["loss_2_bits"] is None
    assert result.metrics["bits"] == 8
    assert {row["bits"] for row in result.details["variables"]} == {8, 32}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"bits": 5}, "bits"),
        ({"bits": []}, "one or more different"),
        ({"bits": [8, 8]}, "one or more different"),
        ({"method": "uniform", "bits": "auto"}, "uniform has 8 bits, received bits: auto"),
        ({"method": "uniform", "bits": [8, 4]}, "uniform has 8 bits, received bits: 8, 4"),
        ({"method": "float16"}, "method"),
        ({"max_gap_loss": -0.1}, "max_gap_loss"),
        ({"max_bytes": 0}, "max_bytes"),
    ],
)
def test_settings_that_do_not_fit_are_refused(config, said):
    with pytest.raises(ConfigError, match=said):
        QuantizationConfig.parse(config, "recipe.yaml: quantization")
