import keras
import numpy as np
import pytest

from yt8m.layers.dequantize import Dequantize


def test_every_real_frame_is_the_unit_vector_of_its_dequantized_bytes():
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 8), np.uint8)
    values = np.asarray(Dequantize()(frames, np.array([3, 3], np.int32)))
    expected = frames * (4 / 255) + 4 / 512 - 2
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize("padding", [0, 127, 255])
def test_padding_is_exactly_zero_whatever_its_bytes(padding):
    frames = np.full((2, 4, 8), padding, np.uint8)
    values = np.asarray(Dequantize()(frames, np.array([1, 3], np.int32)))
    assert not values[0, 1:].any()
    assert not values[1, 3:].any()
    np.testing.assert_allclose(np.linalg.norm(values[1, :3], axis=-1), 1, rtol=1e-5)


def test_frames_stay_float32_under_mixed_precision():
    layer = Dequantize(dtype="mixed_bfloat16")
    values = layer(np.zeros((1, 2, 8), np.uint8), np.array([2], np.int32))
    assert keras.backend.standardize_dtype(values.dtype) == "float32"
