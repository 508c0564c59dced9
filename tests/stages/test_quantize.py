import numpy as np
import pytest

from tests.support.weights import read_weights
from yt8m.data.format import DataSpec
from yt8m.errors import DataError
from yt8m.models.dbof import DBoFConfig
from yt8m.models.files import read_description, save_weights
from yt8m.quantization.files import iterate_quantized
from yt8m.quantization.quantized_array import QuantizedArray
from yt8m.stages.quantize import QuantizeConfig, quantize

SPEC = DataSpec(features={"rgb": 8, "audio": 4}, num_classes=6, max_frames=10)
MODEL = DBoFConfig(num_clusters=4, hidden_units=5)


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
    quantize(model=model, config=QuantizeConfig(), output=tmp_path / "out")
    stored = dict(iterate_quantized(tmp_path / "out" / "weights.safetensors"))
    assert isinstance(stored["large/kernel"], QuantizedArray)
    assert not isinstance(stored["just/kernel"], QuantizedArray)
    before, after = read_weights(model), read_weights(tmp_path / "out")
    np.testing.assert_array_equal(after["just/kernel"], before["just/kernel"])
    np.testing.assert_array_equal(after["seed"], before["seed"])
    assert after["seed"].dtype == np.uint32


def test_metrics_match_the_files(model, tmp_path):
    result = quantize(model=model, config=QuantizeConfig(), output=tmp_path / "out")
    before, after = read_weights(model), read_weights(tmp_path / "out")
    difference = np.abs(after["large/kernel"] - before["large/kernel"])
    assert result.metrics["largest_error"] == pytest.approx(difference.max())
    assert result.metrics["mean_error"] == pytest.approx(difference.mean())
    assert result.metrics["bytes_before"] == (model / "weights.safetensors").stat().st_size
    assert result.metrics["bytes_after"] == (tmp_path / "out" / "weights.safetensors").stat().st_size
    assert result.metrics["quantized_variables"] == 1
    rows = {row["name"]: row for row in result.details["variables"]}
    assert rows["large/kernel"]["bytes_before"] == 120_000
    assert rows["large/kernel"]["bytes_after"] == 30_000 + 1024
    assert rows["just/kernel"]["bytes_after"] == rows["just/kernel"]["bytes_before"]
    assert all(type(value) is float for value in result.metrics.values())


def test_the_model_keeps_its_configuration(model, tmp_path):
    quantize(model=model, config=QuantizeConfig(method="kmeans"), output=tmp_path / "out")
    assert read_description(tmp_path / "out") == read_description(model)


def test_a_quantized_model_is_not_quantized_again(model, tmp_path):
    quantize(model=model, config=QuantizeConfig(), output=tmp_path / "once")
    with pytest.raises(DataError, match=r"large/kernel: already quantized"):
        quantize(model=tmp_path / "once", config=QuantizeConfig(), output=tmp_path / "twice")
    assert not (tmp_path / "twice").exists()


def test_a_diverged_model_is_refused_with_the_name_of_its_variable(tmp_path):
    kernel = np.zeros((200, 200), np.float32)
    kernel[3, 3] = np.nan
    save_weights(tmp_path / "model", {"dense/kernel": kernel}, MODEL, SPEC)
    with pytest.raises(DataError, match=r"weights\.safetensors: dense/kernel: the weights contain NaN"):
        quantize(model=tmp_path / "model", config=QuantizeConfig(), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
