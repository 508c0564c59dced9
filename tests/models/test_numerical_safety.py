"""Training and prediction give no NaN for any frames, in float32 and in mixed bfloat16."""

from functools import cache

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.models.conftest import SMALL
from tests.models.single_steps import train_once, trainer
from tests.support.trainings import resolved
from yt8m.data.format import DataSpec
from yt8m.models import build, build_from_bytes
from yt8m.training.loop import build_optimizer

# Saturated, middle and arbitrary bytes, many equal frames, and videos of any length, including 0.
BYTES = st.sampled_from([0, 127, 128, 255]) | st.integers(0, 255)
FRAMES = arrays(np.uint8, (3, 5, 16), elements=BYTES, fill=st.sampled_from([0, 127, 255]))
COUNTS = st.tuples(*[st.integers(0, 5)] * 3)
# Training steps of the others take seconds to trace.
QUICK_AND_SLOW = [
    name if name in ("logistic", "dbof") else pytest.param(name, marks=pytest.mark.slow) for name in SMALL
]
POLICIES = ("float32", pytest.param("mixed_bfloat16", marks=pytest.mark.slow))


def build_under(policy, make, config, spec):
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(policy)
    try:
        return make(config, spec)
    finally:
        keras.config.set_dtype_policy("float32")


def in_training(network):
    return trainer(network, build_optimizer(resolved(learning_rate=0.01)))


@cache
def model_on_bytes(config, spec_json, policy):
    return in_training(build_under(policy, build_from_bytes, config, DataSpec.model_validate_json(spec_json)))


def check_training(model, small, frames, counts):
    videos = {"frames": frames, "num_frames": np.array(counts, np.int32)}
    assert np.isfinite(train_once(model, videos))
    assert all(np.isfinite(weight).all() for weight in model.network.get_weights())
    assert np.isfinite(small.predict(model.network, videos)).all()


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(frames=FRAMES, counts=COUNTS)
def test_training_on_any_bytes_keeps_weights_and_predictions_finite(config, small, policy, frames, counts):
    check_training(model_on_bytes(config, small.spec.model_dump_json(), policy), small, frames, counts)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("config", QUICK_AND_SLOW, indirect=True)
def test_frames_of_zeros_are_harmless(config, small, policy):
    """Bytes never dequantize to such frames, so this tests models whose input is floats."""
    model = in_training(build_under(policy, build, config, small.spec))
    check_training(model, small, np.zeros((3, 5, 16), np.float32), [5, 1, 0])


@pytest.mark.parametrize("name", ["logistic", pytest.param("dbof", marks=pytest.mark.slow)])  # a head of each kind
def test_predictions_of_exactly_0_and_1_are_harmless(name, small):
    network = build_from_bytes(small.configs[name], small.spec)
    (bias,) = (weight for weight in network.weights if weight.path in ("head/dense/bias", "head/experts/bias"))
    bias.assign(np.resize([-200.0, -200.0, 200.0, 200.0], bias.shape))
    check_training(in_training(network), small, small.videos()["frames"], [9, 9, 4, 1])


def test_mixed_precision_predicts_what_float32_does(config, small):
    full = build_from_bytes(config, small.spec)
    mixed = build_under("mixed_bfloat16", build_from_bytes, config, small.spec)
    small.randomize(full)
    small.randomize(mixed)
    predicted = mixed(small.videos())
    assert keras.backend.standardize_dtype(predicted.dtype) == "float32"
    assert all(keras.backend.standardize_dtype(weight.dtype) == "float32" for weight in mixed.weights)
    # Over many random weights and videos the largest difference was 0.004.
    np.testing.assert_allclose(np.asarray(predicted), np.asarray(full(small.videos())), atol=0.01)
