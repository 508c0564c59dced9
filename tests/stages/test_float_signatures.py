"""Signatures for floats: the predictions are, bit for bit, those of the shards that an import makes of these floats."""

import keyword

import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_ensemble import export_ensemble, random_videos, write_quantized_model, write_weights
from yt8m.data.format import DataSpec, dequantize, quantize, scale_and_offset
from yt8m.export.description import ExportDescription, float_inputs
from yt8m.export.exported_model import ExportedModel

FEATURES = {"rgb": 5, "a/b é": 3, "class": 2}
RANGES = {"a/b é": (0.0, 6.7), "class": (-1e-3, 3e-3)}
SPEC = DataSpec(features=FEATURES, num_classes=30, max_frames=9, ranges=RANGES)
VIDEO_LEVEL = SPEC.model_copy(update={"max_frames": 1})


def export(folder, spec):
    model = write_quantized_model(folder / "model", 0, spec=spec)
    return export_ensemble({"model": model}, write_weights(folder / "weights.json", {"model": 1.0}), folder)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return export(tmp_path_factory.mktemp("floats"), SPEC)


def edges(name, spec):
    """Return the values between two bytes with their neighbors, and values at and beyond the ends of the range."""
    low, high = spec.range_of(name)
    scale, offset = scale_and_offset(low, high)
    between = ((np.arange(255) + 0.5) * scale + offset).astype(np.float32)
    neighbors = [np.nextafter(between, np.float32(direction)) for direction in (-np.inf, np.inf)]
    ends = [low, high, 2 * low - high, 2 * high - low, -3e38, 3e38, 0.0]
    return np.concatenate([between, *neighbors, np.array(ends, np.float32)])


def videos_of_edges(spec, seed=0):
    """Make videos of all edges, in random order and length: floats by feature, bytes, and the numbers of frames."""
    rng = np.random.default_rng(seed)
    parts = {}
    for name, size in spec.features.items():
        values = rng.permutation(edges(name, spec))
        videos = -(-len(values) // (spec.max_frames * size))
        parts[name] = np.resize(values, (videos, spec.max_frames, size))
    most = max(map(len, parts.values()))
    floats = {name: np.resize(values, (most, *values.shape[1:])) for name, values in parts.items()}
    frames = np.concatenate([quantize(values, *spec.range_of(name)) for name, values in floats.items()], axis=2)
    return floats, frames, rng.integers(1, spec.max_frames + 1, most, dtype=np.int32)


def call(folder, signature, floats, num_frames):
    names = ExportDescription.load(folder).float_inputs
    function = tf.saved_model.load(str(folder)).signatures[signature]
    inputs = {names[feature]: tf.constant(values) for feature, values in floats.items()}
    return function(**inputs, num_frames=tf.constant(num_frames))


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec", [SPEC, pytest.param(VIDEO_LEVEL, marks=pytest.mark.slow)], ids=["frames", "video level"]
)
def test_floats_at_all_edges_of_bytes_give_the_predictions_of_the_bytes(spec, tmp_path):
    folder = export(tmp_path, spec)
    floats, frames, num_frames = videos_of_edges(spec)
    expected = ExportedModel(folder).probabilities(frames, num_frames)
    received = call(folder, "floats_probabilities", floats, num_frames)["probabilities"]
    np.testing.assert_array_equal(received, expected)
    assert np.ptp(expected, axis=0).max() > 1e-4, "the videos should differ for the comparison to mean anything"


def test_the_most_likely_classes_of_floats_are_those_of_the_bytes(exported):
    frames, num_frames = random_videos([9, 1, 4], SPEC)
    model = ExportedModel(exported)
    ends = np.cumsum(list(FEATURES.values()))[:-1]
    split = zip(FEATURES, np.split(frames, ends, axis=2), strict=True)
    floats = {name: dequantize(values, *SPEC.range_of(name)) for name, values in split}
    for found, expected in zip(model.top_of_floats(floats, num_frames), model.top(frames, num_frames), strict=True):
        np.testing.assert_array_equal(found, expected)


def some_floats(frames=4):
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=(2, frames, size)).astype(np.float32) for name, size in FEATURES.items()}


def test_what_is_after_the_end_of_a_video_or_of_the_model_does_not_matter(exported):
    floats, numbers = some_floats(frames=12), np.array([2, 12], np.int32)
    kept = {name: np.nan_to_num(values[:, :9]) for name, values in floats.items()}
    expected = call(exported, "floats_probabilities", kept, np.minimum(numbers, 9))["probabilities"]
    for values in floats.values():
        values[0, 2:], values[1, 9:] = np.nan, np.inf
    received = call(exported, "floats_probabilities", floats, numbers)["probabilities"]
    np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_an_error_that_names_the_video(exported, value):
    floats = some_floats()
    floats["class"][1, 3, 0] = value
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"rgb, a/b .*, class must be finite;.*\[1\]"):
        call(exported, "floats", floats, np.array([4, 4], np.int32))
    call(exported, "floats", floats, np.array([4, 3], np.int32))


@pytest.mark.parametrize(
    ("shape", "numbers", "message"),
    [
        ((2, 3, 2), [4, 4], r"class must have 2 values per frame, and .* as rgb; of both:\] \[2 4 5\] \[2 3 2\]"),
        ((2, 4, 1), [4, 4], r"class must have 2 values per frame"),
        ((1, 4, 2), [4, 4], r"class must have 2 values per frame"),
        ((2, 4, 2), [4], r"num_frames must hold one number for each video;.*\[2\] \[1\]"),
        ((2, 4, 2), [4, 0], r"num_frames must be between 1 and the length of frames.*\[4\] \[1\] \[0\]"),
        ((2, 4, 2), [5, 4], r"num_frames must be between 1 and the length of frames.*\[4\] \[0\] \[5\]"),
    ],
)
def test_shapes_that_do_not_fit_are_an_error(exported, shape, numbers, message):
    floats = some_floats() | {"class": np.zeros(shape, np.float32)}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        call(exported, "floats", floats, np.array(numbers, np.int32))


def test_an_empty_batch_of_floats_is_fine(exported):
    nothing = {name: values[:0] for name, values in some_floats().items()}
    assert call(exported, "floats", nothing, np.zeros(0, np.int32))["scores"].shape == (0, 20)


def test_every_feature_has_an_input_with_a_name_that_python_takes():
    features = ["rgb", "audio_2", "a/b", "a b", "class", "num_frames", "self", "_x", "3d", "é"]
    found = float_inputs(features)
    assert list(found) == features
    assert found["rgb"] == "rgb"
    assert found["audio_2"] == "audio_2"
    assert len(set(found.values()) | {"num_frames", "self"}) == len(features) + 2
    assert all(name.isidentifier() and name.isascii() and name[0].isalpha() for name in found.values())
    assert not any(map(keyword.iskeyword, found.values()))
