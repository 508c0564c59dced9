import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.weights import read_weights
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition
from yt8m.ensembling.members import Member, Offers, load_members
from yt8m.errors import DataError
from yt8m.metrics import gap_of_keys, keys_from_top
from yt8m.models.dbof import DBoFConfig
from yt8m.models.files import read_description, save_weights
from yt8m.predictions import Predictions
from yt8m.quantization.config import QuantizationConfig
from yt8m.quantization.files import iterate_quantized
from yt8m.quantization.quantized_array import QuantizedArray
from yt8m.stages.evaluate import EvaluateConfig, evaluate
from yt8m.stages.quantize import QuantizeConfig, quantize, quantize_weights

SPEC = DataSpec(features={"rgb": 8, "audio": 4}, num_classes=6, max_frames=10)
MODEL = DBoFConfig(num_clusters=4, hidden_units=5)

PAPER = QuantizationConfig(threshold_elements=17_000)


@pytest.fixture
def model(tmp_path):
    draw = np.random.default_rng(1).normal
    weights = {
        "large/kernel": draw(size=(100, 300)).astype(np.float32),
        "just/kernel": draw(size=(170, 100)).astype(np.float32),
        "seed": np.array([1, 2], np.uint32),
    }
    save_weights(tmp_path / "model", weights, MODEL, SPEC)
    return tmp_path / "model"


def test_variables_over_the_threshold_are_quantized_and_17000_elements_are_not(model, tmp_path):
    quantize_weights(model=model, bits=8, config=PAPER, output=tmp_path / "out")
    stored = dict(iterate_quantized(tmp_path / "out" / "weights.safetensors"))
    assert isinstance(stored["large/kernel"], QuantizedArray)
    assert not isinstance(stored["just/kernel"], QuantizedArray)
    before, after = read_weights(model), read_weights(tmp_path / "out")
    np.testing.assert_array_equal(after["just/kernel"], before["just/kernel"])
    np.testing.assert_array_equal(after["seed"], before["seed"])
    assert after["seed"].dtype == np.uint32


def test_metrics_match_the_files(model, tmp_path):
    result = quantize_weights(model=model, bits=8, config=PAPER, output=tmp_path / "out")
    before, after = read_weights(model), read_weights(tmp_path / "out")
    difference = np.abs(after["large/kernel"] - before["large/kernel"])
    assert result.metrics["largest_error"] == pytest.approx(difference.max())
    assert result.metrics["mean_error"] == pytest.approx(difference.mean())
    assert result.metrics["bytes_before"] == (model / "weights.safetensors").stat().st_size
    assert result.metrics["bytes_after"] == (tmp_path / "out" / "weights.safetensors").stat().st_size
    assert result.metrics["quantized_variables"] == 1
    assert result.metrics["parameters"] == 100 * 300 + 170 * 100 + 2
    rows = {row["name"]: row for row in result.details["variables"]}
    assert rows["large/kernel"]["bytes_before"] == 120_000
    assert rows["large/kernel"]["bytes_after"] == 30_000 + 1024
    assert rows["just/kernel"]["bytes_after"] == rows["just/kernel"]["bytes_before"]
    assert all(type(value) is float for value in result.metrics.values())
    stated = {"value": 17_000, "reason": "stated in the recipe", "automatic": False}
    assert result.details["settings"] == {"threshold_elements": stated}


def test_by_default_matrices_of_few_features_and_classes_are_quantized_too(model, tmp_path):
    result = quantize_weights(model=model, bits=8, config=QuantizationConfig(), output=tmp_path / "out")
    assert result.details["settings"]["threshold_elements"]["automatic"]
    assert result.details["threshold_elements"] == result.details["settings"]["threshold_elements"]["value"] == 1000
    quantized = {row["name"] for row in result.details["variables"] if row["quantized"]}
    assert quantized == {"large/kernel", "just/kernel"}


def test_the_model_keeps_its_configuration(model, tmp_path):
    quantize_weights(model=model, bits=8, config=QuantizationConfig(bits=4, method="kmeans"), output=tmp_path / "out")
    assert read_description(tmp_path / "out") == read_description(model)


def test_a_quantized_model_is_not_quantized_again(model, tmp_path):
    quantize_weights(model=model, bits=8, config=PAPER, output=tmp_path / "once")
    with pytest.raises(DataError, match=r"large/kernel: already quantized"):
        quantize_weights(model=tmp_path / "once", bits=8, config=PAPER, output=tmp_path / "twice")
    assert not (tmp_path / "twice").exists()


def test_a_diverged_model_is_refused_with_the_name_of_its_variable(tmp_path):
    kernel = np.zeros((200, 200), np.float32)
    kernel[3, 3] = np.nan
    save_weights(tmp_path / "model", {"dense/kernel": kernel}, MODEL, SPEC)
    with pytest.raises(DataError, match=r"weights\.safetensors: dense/kernel: the weights contain NaN"):
        quantize_weights(model=tmp_path / "model", bits=8, config=QuantizationConfig(), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


CONFIG = QuantizeConfig(bits=8, threshold_elements=20, evaluation=EvaluateConfig(batch_size=4, top_k=7))


@pytest.fixture(scope="module")
def predicted(trained, small_partition, tmp_path_factory):
    """The predictions of the trained model."""
    path = tmp_path_factory.mktemp("predicted") / "predictions"
    evaluate(partition=small_partition, model=trained, config=CONFIG.evaluation, predictions=path)
    return path


@pytest.fixture(scope="module")
def made(trained, small_partition, predicted, tmp_path_factory):
    """A member, its offers, and the result of the stage that made them."""
    folder = tmp_path_factory.mktemp("made") / "member"
    offers = folder.with_name("offers")
    result = quantize(
        partition=small_partition, model=trained, predictions=predicted, config=CONFIG, output=folder, offers=offers
    )
    return Member.open("dbof1", folder, "8"), Offers.open("dbof1", offers), result


def test_a_member_holds_the_quantized_model_and_its_offers_both_predictions(
    made, trained, small_partition, predicted, tmp_path
):
    member, offers, result = made
    alone = quantize_weights(model=trained, bits=8, config=CONFIG, output=tmp_path / "alone")
    for name in ("weights.safetensors", "config.json"):
        assert (member.model("8") / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert offers.float_predictions.read_bytes() == predicted.read_bytes()
    measured = evaluate(
        partition=small_partition,
        model=member.model("8"),
        config=CONFIG.evaluation,
        predictions=tmp_path / "predictions",
    )
    stored, expected = (Predictions.load(path) for path in (offers.predictions("8"), tmp_path / "predictions"))
    for array in ("ids", "classes", "scores", "label_ptr", "labels"):
        np.testing.assert_array_equal(getattr(stored, array), getattr(expected, array))
    assert {path.name for path in member.folder.iterdir()} == {"8", "training.json"}
    assert {path.name for path in offers.folder.iterdir()} == {"offers.json", "8.safetensors", "float.safetensors"}
    size_bytes = sum(path.stat().st_size for path in (member.folder / "8").iterdir())
    assert offers.read().model_dump() == {"family": "dbof", "sizes": {"8": size_bytes}}
    assert result.details["sizes"] == {"8": size_bytes}
    assert (member.folder / "training.json").read_bytes() == (trained / "training.json").read_bytes()
    timed = {"seconds", "videos_per_second"}
    assert {name: result.metrics[name] for name in measured.metrics.keys() - timed} == {
        name: value for name, value in measured.metrics.items() if name not in timed
    }
    assert {name: result.metrics[name] for name in alone.metrics.keys() - timed} == {
        name: value for name, value in alone.metrics.items() if name not in timed
    }
    assert result.metrics["evaluation_seconds"] > 0
    assert result.details["variables"] == alone.details["variables"]


def test_the_error_of_the_loss_is_that_on_drawn_videos_of_the_report(made):
    _, offers, result = made
    both = [Predictions.load(path) for path in (offers.float_predictions, offers.predictions("8"))]
    reported = both[0].rows_report
    rng, differences = np.random.default_rng(0), []
    for _ in range(200):
        rows = reported[rng.integers(0, len(reported), len(reported))]
        drawn = [each.rows(rows) for each in both]
        keys = [keys_from_top(each.classes, each.scores, each.label_ptr, each.labels) for each in drawn]
        gaps = [gap_of_keys(each, len(drawn[0].labels)) for each in keys]
        differences.append(gaps[0] - gaps[1])
    assert result.metrics["quantization_loss_error"] == pytest.approx(np.std(differences, ddof=1))


def test_predictions_of_the_quantized_model_are_its_own(made):
    _, offers, _ = made
    floats, quantized = load_members({"float": offers.float_predictions, "8": offers.predictions("8")}, 7).values()
    assert not np.array_equal(floats.scores, quantized.scores)


def test_quantized_weights_are_what_they_always_were(tmp_path):
    """The digest was computed before members existed."""
    kernel = (np.arange(20_000, dtype=np.float32) % 997 / 500 - 1).reshape(200, 100)
    save_weights(tmp_path / "model", {"dense/kernel": kernel, "dense/bias": kernel[0]}, MODEL, SPEC)
    quantize_weights(model=tmp_path / "model", bits=8, config=QuantizationConfig(), output=tmp_path / "out")
    written = (tmp_path / "out" / "weights.safetensors").read_bytes()
    assert hashlib.sha256(written).hexdigest() == "0dc13d529b31a66ca5d2e820d686e12306066d2687aab8730e4e2b915cdcb1fc"


def stored(predictions, folder, **changes):
    replace(Predictions.load(predictions), **changes).save(folder / "changed")
    return folder / "changed"


@pytest.mark.parametrize("what", ["videos", "classes", "top_k"])
def test_predictions_of_another_shape_are_refused_before_the_model_is_read(what, small_partition, predicted, tmp_path):
    found = Predictions.load(predicted)
    changes: dict[str, dict[str, Any]] = {
        "videos": {"ids": found.ids[1:], "classes": found.classes[1:], "scores": found.scores[1:]},
        "classes": {"num_classes": 11},
        "top_k": {"classes": found.classes[:, :5], "scores": found.scores[:, :5]},
    }
    received = {
        "videos": "10 videos, 10 classes, the top 7",
        "classes": "11 videos, 11 classes, the top 7",
        "top_k": "11 videos, 10 classes, the top 5",
    }
    with pytest.raises(
        DataError,
        match=rf"changed: expected .*\(11 videos, 10 classes, the top 7 .* received others \({received[what]}",
    ):
        quantize(
            partition=small_partition,
            model=tmp_path / "none",
            predictions=stored(predicted, tmp_path, **changes[what]),
            config=CONFIG,
            output=tmp_path / "member",
            offers=tmp_path / "offers",
        )


@pytest.mark.parametrize("what", ["ids", pytest.param("labels", marks=pytest.mark.slow)])
def test_predictions_of_other_videos_are_refused_and_leave_no_member(
    what, trained, small_partition, predicted, tmp_path
):
    found = Predictions.load(predicted)
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "ids": ({"ids": found.ids[::-1].copy()}, "different ids at video 0"),
        "labels": ({"labels": (found.labels + 1).astype(np.uint16)}, "the same videos with different labels"),
    }
    changes, message = cases[what]
    with pytest.raises(DataError, match=message):
        quantize(
            partition=small_partition,
            model=trained,
            predictions=stored(predicted, tmp_path, **changes),
            config=CONFIG,
            output=tmp_path / "member",
            offers=tmp_path / "offers",
        )
    assert not (tmp_path / "member").exists()
    assert not (tmp_path / "offers").exists()


def test_missing_predictions_and_foreign_files_are_refused(trained, small_partition, tmp_path):
    (tmp_path / "foreign").write_text("{}")
    for name in ("missing", "foreign"):
        with pytest.raises(DataError, match=f"{name}: expected the predictions of a model"):
            quantize(
                partition=small_partition,
                model=trained,
                predictions=tmp_path / name,
                config=CONFIG,
                output=tmp_path / "member",
                offers=tmp_path / "offers",
            )


def test_a_model_for_other_data_is_refused(model, small_partition, predicted, tmp_path):
    assert Partition.load(small_partition).spec != SPEC
    with pytest.raises(DataError):
        quantize(
            partition=small_partition,
            model=model,
            predictions=predicted,
            config=CONFIG,
            output=tmp_path / "member",
            offers=tmp_path / "offers",
        )
    assert not (tmp_path / "member").exists()
    assert not (tmp_path / "offers").exists()
