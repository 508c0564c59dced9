import keras
import numpy as np
import pytest

from yt8m.data.format import DataSpec
from yt8m.layers.dequantize import Dequantize

SPEC = DataSpec(features={"rgb": 5, "audio": 3})


def test_every_real_frame_is_the_unit_vector_of_its_dequantized_bytes():
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 8), np.uint8)
    values = np.asarray(Dequantize(SPEC)(frames, np.array([3, 3], np.int32)))
    expected = frames * (4 / 255) + 4 / 512 - 2
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize("padding", [0, 127, 255])
def test_padding_is_exactly_zero_whatever_its_bytes(padding):
    frames = np.full((2, 4, 8), padding, np.uint8)
    values = np.asarray(Dequantize(SPEC)(frames, np.array([1, 3], np.int32)))
    assert not values[0, 1:].any()
    assert not values[1, 3:].any()
    np.testing.assert_allclose(np.linalg.norm(values[1, :3], axis=-1), 1, rtol=1e-5)


def test_frames_stay_float32_under_mixed_precision():
    layer = Dequantize(SPEC, dtype="mixed_bfloat16")
    values = layer(np.zeros((1, 2, 8), np.uint8), np.array([2], np.int32))
    assert keras.backend.standardize_dtype(values.dtype) == "float32"


def test_features_are_dequantized_to_their_own_ranges():
    spec = DataSpec(features={"rgb": 3, "audio": 2}, ranges={"audio": (-1.0, 9.0)})
    frames = np.array([[[0, 128, 255, 0, 255]]], np.uint8)
    values = np.asarray(Dequantize(spec)(frames, np.array([1], np.int32)))[0, 0]
    expected = np.array([-2 + 4 / 512, 128 * 4 / 255 - 2 + 4 / 512, 2 + 4 / 512, -1 + 10 / 512, 9 + 10 / 512])
    np.testing.assert_allclose(values, expected / np.sqrt((expected**2).sum()), atol=1e-6)


def test_values_in_the_default_range_are_bit_for_bit_those_of_one_scale_and_offset():
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 8), np.uint8)
    num_frames = np.array([3, 2], np.int32)
    explicit = DataSpec(features={"rgb": 5, "audio": 3}, ranges={"rgb": (-2.0, 2.0), "audio": (-2.0, 2.0)})
    before = keras.ops.cast(frames, "float32") * (4 / 255) + (4 / 512 - 2.0)
    norm = keras.ops.sum(keras.ops.square(before), axis=-1, keepdims=True)
    before = np.array(before * keras.ops.rsqrt(keras.ops.maximum(norm, 1e-12)))
    before[1, 2:] = 0
    for spec in (SPEC, explicit):
        np.testing.assert_array_equal(np.asarray(Dequantize(spec)(frames, num_frames)), before)
