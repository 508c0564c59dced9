"""No NaN, whatever the frames, in float32 and in mixed bfloat16."""

from functools import cache

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from yt8m.models import build, build_from_bytes
from yt8m.records.bytes import dequantize
from yt8m.records.spec import DataSpec

# Saturated, middle and arbitrary bytes; many frames all alike; one frame or more; videos without any.
BYTES = st.sampled_from([0, 127, 128, 255]) | st.integers(0, 255)
FRAMES = arrays(np.uint8, (3, 5, 16), elements=BYTES, fill=st.sampled_from([0, 127, 255]))
COUNTS = st.tuples(*[st.integers(0, 5)] * 3)
POLICIES = ("float32", "mixed_bfloat16")


@cache
def model_of(config, spec_json, policy):
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(policy)
    try:
        return build(config, DataSpec.model_validate_json(spec_json))
    finally:
        keras.config.set_dtype_policy("float32")


def check_training(model, small, frames, counts):
    videos = {"frames": frames, "num_frames": np.array(counts, np.int32)}
    small.train_once(model, videos)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert np.isfinite(small.predict(model, videos)).all()


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(values=FRAMES, counts=COUNTS)
def test_training_on_any_bytes_keeps_weights_and_predictions_finite(config, small, policy, values, counts):
    frames = dequantize(values)
    frames /= np.linalg.norm(frames, axis=-1, keepdims=True)
    frames[np.arange(5) >= np.array(counts)[:, None]] = 0
    check_training(model_of(config, small.spec.model_dump_json(), policy), small, frames, counts)


@pytest.mark.parametrize("policy", POLICIES)
def test_frames_of_zeros_are_harmless(config, small, policy):
    model = model_of(config, small.spec.model_dump_json(), policy)
    check_training(model, small, np.zeros((3, 5, 16), np.float32), [5, 1, 0])


def test_mixed_precision_predicts_what_float32_does(config, small):
    full = build_from_bytes(config, small.spec)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = build_from_bytes(config, small.spec)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(full.get_weights())
    predicted = mixed(small.videos())
    assert keras.backend.standardize_dtype(predicted.dtype) == "float32"
    assert all(keras.backend.standardize_dtype(weight.dtype) == "float32" for weight in mixed.weights)
    np.testing.assert_allclose(np.asarray(predicted), np.asarray(full(small.videos())), atol=0.03)
