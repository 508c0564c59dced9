"""The choice of bits for each variable, and the sizes in which stage `quantize` offers a model."""

import itertools
import math

import numpy as np
import pytest

from yt8m.bit_allocation import choose
from yt8m.bit_allocation.choose import Choice, choose_bits, divide, search_allocation
from yt8m.bit_allocation.sample import Sample, expected_gap
from yt8m.data.partition import Partition
from yt8m.ensembling.members import Member, Offers
from yt8m.errors import BudgetError, ConfigError
from yt8m.models.files import WEIGHTS_FILE
from yt8m.quantization.allocation import Allocation
from yt8m.quantization.config import QuantizationConfig
from yt8m.quantization.files import count_by_bits, iterate_floats, iterate_quantized
from yt8m.quantization.methods import quantized_bytes
from yt8m.quantization.quantized_columns import Piece, Quantized, QuantizedColumns
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
        shapes,
        config=QuantizationConfig(bits="auto", **config),
        threshold_elements=THRESHOLD,
        examples=examples,
        batch_size=4,
        gap_top_k=20,
    )


def size_of(bits, shapes):
    pieces = [(piece, each) for given in bits.values() for piece, each in given.items()]
    assert sum(piece.stop - piece.start for piece, _ in pieces) == sum(shape[-1] for shape in shapes.values())
    return sum(quantized_bytes((shapes[p.name][0], p.stop - p.start), each) for p, each in pieces)


def test_without_a_limit_of_loss_a_model_gets_the_fewest_bytes(trained, small_partition, shapes):
    found = choice(trained, small_partition, shapes, max_gap_loss=1.0)
    assert {bits for pieces in found.bits.values() for bits in pieces.values()} == {2}
    assert [len(pieces) for pieces in found.bits.values()] == [1] * len(shapes)


def test_the_chosen_bits_keep_within_the_limit_on_the_sample(trained, small_partition, shapes):
    found = choice(trained, small_partition, shapes, max_gap_loss=0.01)
    assert found.checks
    passed = [
        check["bytes"]
        for check in found.checks
        if check["gap_loss"] - check["gap_loss_error"] <= 0.01 and check["expected_loss"] <= 0.015
    ]
    most = sum(quantized_bytes(shape, 8) for shape in shapes.values())
    # Pieces with as many bits share a codebook at the end.
    assert size_of(found.bits, shapes) <= min([*passed, most])
    assert {piece.name for piece in found.sensitivities} == set(shapes)
    for losses in found.sensitivities.values():
        assert losses[2] > losses[4] >= -1e-6


def test_the_same_model_gets_the_same_bits(trained, small_partition, shapes):
    assert choice(trained, small_partition, shapes) == choice(trained, small_partition, shapes)


def test_a_limit_of_bytes_is_kept_or_refused(trained, small_partition, shapes):
    pieces = choice(trained, small_partition, shapes).sensitivities
    parts = [(shapes[piece.name][0], piece.stop - piece.start) for piece in pieces]
    least = sum(min(quantized_bytes(part, bits) for bits in (2, 3, 4, 6, 8)) for part in parts)
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


def test_the_expected_gap_is_the_mean_over_all_labels_that_are_possible():
    reference = np.array([[0.2, 0.9, 0.4], [0.5, 0.1, 0.7]], np.float32)
    other = np.array([[0.3, 0.8, 0.1], [0.9, 0.2, 0.6]], np.float32)
    top_k = 2
    counted = [(0, 0), (0, 1), (1, 0), (1, 2)]  # the top two of each video
    ranked = sorted(counted, key=lambda place: -other[place])
    chances = [float(reference[place]) for place in ranked]
    expected = 0.0
    for labels in itertools.product((0, 1), repeat=len(ranked)):
        likely = math.prod(p if label else 1 - p for p, label in zip(chances, labels, strict=True))
        sums = [sum(labels[:rank]) / rank for rank in range(1, len(labels) + 1)]
        expected += likely * sum(precision for precision, label in zip(sums, labels, strict=True) if label)
    assert expected_gap(reference, other, top_k) == pytest.approx(expected / float(reference.sum()), rel=1e-6)


def test_the_expected_gap_falls_as_predictions_differ():
    rng = np.random.default_rng(0)
    reference = rng.beta(0.1, 2.0, (200, 50)).astype(np.float32)
    noise = rng.normal(size=reference.shape)
    variants = [np.clip(reference * np.exp(scale * noise), 0, 1).astype(np.float32) for scale in (0.0, 0.1, 0.3, 1.0)]
    found = [expected_gap(reference, variant, 20) for variant in variants]
    assert found == sorted(found, reverse=True)
    assert found[0] - found[1] < found[1] - found[2] < found[2] - found[3]


def test_a_model_that_predicts_nothing_has_an_expected_gap_of_0():
    assert expected_gap(np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32), 2) == 0


@pytest.mark.parametrize(
    ("shape", "classes", "threshold", "stops"),
    [
        ((256, 7724), 3862, 17_000, [268, 508, 988, 1948, 3868, 7724]),
        ((256, 3862), 3862, 17_000, [134, 254, 494, 974, 1934, 3862]),
        ((64, 144), 72, 1000, [16, 32, 48, 80, 144]),
        ((64, 144), 72, 1024, [48, 80, 144]),
        ((4096, 7), 7, 5000, [2, 4, 7]),
        ((64, 144), 72, 10_000, [144]),
        ((1024, 512), 3862, 17_000, [128, 256, 384, 512]),
        ((1024, 66), 3862, 17_000, [66]),
        ((100_000,), 10, 17_000, [100_000]),
        ((), 10, 0, [1]),
    ],
)
def test_columns_of_classes_are_divided_by_halves_and_others_into_quarters(shape, classes, threshold, stops):
    pieces = divide("w", shape, classes, threshold)
    assert [piece.stop for piece in pieces] == stops
    assert [piece.start for piece in pieces] == [0, *stops[:-1]]
    if classes > 7 and len(pieces) > 1:
        assert all((piece.stop - piece.start) % 8 == 0 for piece in pieces[1:])


@pytest.mark.parametrize(
    ("limit", "least", "tried"),
    [
        (0.010, 5, [4, 6, 5]),  # the expected loss decides
        (0.010, 3, [4, 2, 3]),  # the loss on labels decides
        (0.010, 7, [4, 6, 5]),
        (1.000, 7, [4, 6, 7]),
        (0.000, 7, [4, 2, 1]),
    ],
)
def test_the_smallest_allocation_within_both_limits_is_found(limit, least, tried, monkeypatch):
    """Allocation `n` of 8 is expected to lose `0.0029 n`, and loses no more than the limit on labels up to `least`."""
    found = [Allocation({Piece("a", 0, 9): index}, 100 - index, 0.001 * index) for index in range(8)]
    monkeypatch.setattr(choose, "expected_gap", lambda _exact, predictions, _top_k: 0.5 - 0.0029 * predictions)

    class Meter:
        def predict(self, _sample, bits):
            return sum(bits.get("a", {}).values())

    class Videos:
        def lost_gap(self, _exact, predictions, _top_k):
            return (limit + 0.009, 0.0095) if predictions <= least else (limit + 0.01, 0.009)

    chosen, checks = search_allocation(found, Meter(), Videos(), limit, 20)  # type: ignore[arg-type]
    assert [100 - check["bytes"] for check in checks] == tried
    assert chosen == found[min(least, max(index for index in range(8) if 0.0029 * index <= 1.5 * limit))]


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
    assert set(stored) == {name.partition("[")[0] for name in table}
    for name, weight in stored.items():
        if name in shapes:
            assert isinstance(weight, Quantized)
            groups = weight.groups if isinstance(weight, QuantizedColumns) else (weight,)
            rows = [row for key, row in table.items() if key.partition("[")[0] == name]
            for row, group in zip(rows, groups, strict=True):
                assert (row["bits"], row["bytes_after"], row["shape"]) == (group.bits, group.nbytes, list(group.shape))
                assert row["loss_2_bits"] > row["loss_4_bits"]
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
        ({"bits": [8, 4], "max_bytes": 1000}, "max_bytes: bits are given, not chosen, received bits: 8, 4"),
    ],
)
def test_settings_that_do_not_fit_are_refused(config, said):
    with pytest.raises(ConfigError, match=said):
        QuantizationConfig.parse(config, "recipe.yaml: quantization")
