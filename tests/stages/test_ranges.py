"""Features with ranges of their own, from bytes to predictions, compared with formulas in NumPy."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_ensemble import export_ensemble, random_videos, write_quantized_model, write_weights
from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError
from yt8m.models.files import load_model
from yt8m.models.head import LogisticConfig
from yt8m.models.logistic import FrameLevelLogisticConfig
from yt8m.quantization.files import iterate_floats

SPEC = DataSpec(features={"rgb": 3, "audio": 2}, num_classes=30, max_frames=9, ranges={"audio": (-1.0, 9.0)})
MODEL = FrameLevelLogisticConfig(normalize_input=False, head=LogisticConfig())
LENGTHS = [4, 1, 3]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_quantized_model(tmp_path_factory.mktemp("ranges"), 3, spec=SPEC, config=MODEL)


def expected(model, frames):
    """Compute what the logistic model predicts, from its stored weights."""
    weights = dict(iterate_floats(model / "weights.safetensors"))
    (kernel,) = (array for name, array in weights.items() if name.endswith("kernel"))
    (bias,) = (array for name, array in weights.items() if name.endswith("bias"))
    low, high = np.array([-2.0, -2, -2, -1, -1]), np.array([2.0, 2, 2, 9, 9])
    values = frames * (high - low) / 255 + (high - low) / 512 + low
    values /= np.linalg.norm(values, axis=-1, keepdims=True)
    means = np.stack([values[row, :length].mean(0) for row, length in enumerate(LENGTHS)])
    return 1 / (1 + np.exp(-(means @ kernel.astype(np.float64) + bias)))


def test_a_model_reads_the_bytes_of_each_feature_in_its_range(model):
    frames, num_frames = random_videos(LENGTHS, SPEC)
    found = load_model(model).model.predict({"frames": frames, "num_frames": num_frames}, verbose=0)
    np.testing.assert_allclose(found, expected(model, frames), atol=1e-6)


def test_an_exported_model_reads_the_bytes_of_each_feature_in_its_range_and_says_how(model, tmp_path):
    exported = export_ensemble({"first": model}, write_weights(tmp_path / "weights.json", {"first": 1.0}), tmp_path)
    frames, num_frames = random_videos(LENGTHS, SPEC)
    signature = tf.saved_model.load(str(exported)).signatures["probabilities"]
    found = signature(frames=tf.constant(frames), num_frames=tf.constant(num_frames))["probabilities"]
    np.testing.assert_allclose(found, expected(model, frames), atol=1e-6)

    described = json.loads((exported / "assets.extra" / "ensemble.json").read_text())
    assert described["data"]["ranges"] == {"rgb": [-2.0, 2.0], "audio": [-1.0, 9.0]}
    formula, _, _ = described["quantization"].removeprefix("byte = ").partition(",")
    assert eval(formula, {"round": round, "value": 4.0, "low": -1.0, "high": 9.0}) == 127
    card = (exported / "README.md").read_text()
    assert "| audio | 2 | -1 | 9 |" in card
    assert described["quantization"] in card


def test_members_with_different_ranges_are_refused(model, tmp_path):
    other = write_quantized_model(tmp_path, 3, spec=SPEC.model_copy(update={"ranges": {}}), config=MODEL)
    weights = write_weights(tmp_path / "weights.json", {"first": 0.5, "other": 0.5})
    with pytest.raises(ConfigError, match=r"'other' was made for other videos than 'first' \(ranges .*-1\.0, 9\.0"):
        export_ensemble({"first": model, "other": other}, weights, tmp_path)
