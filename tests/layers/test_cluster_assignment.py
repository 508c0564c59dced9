"""The largest assignments, and where their gradient goes."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from yt8m.layers.cluster_assignment import largest_assignments

# One video, four frames, three clusters: one largest frame, two equal ones, and two that differ by rounding.
ASSIGNMENT = np.array(
    [[[0.1, 0.5, 2.0], [0.9, 0.5, np.nextafter(np.float32(2), np.float32(0))], [0.3, 0.2, 1.0], [0.0, 0.0, 0.0]]],
    np.float32,
)


def gradient(function: Callable[[Any], Any], at: Any) -> np.ndarray:
    """Return the gradient of a function's sum on either backend."""
    if keras.backend.backend() == "jax":
        jax = pytest.importorskip("jax")
        return np.asarray(jax.grad(lambda value: function(value).sum())(at))
    tensorflow = pytest.importorskip("tensorflow")
    value = tensorflow.constant(at)
    with tensorflow.GradientTape() as tape:
        tape.watch(value)
        total = tensorflow.reduce_sum(function(value))
    return np.asarray(tape.gradient(total, value))


@pytest.mark.parametrize("training", [True, False])
def test_values_are_the_largest(training: bool) -> None:
    largest = keras.ops.convert_to_numpy(largest_assignments(keras.ops.convert_to_tensor(ASSIGNMENT), training))
    np.testing.assert_array_equal(largest, np.array([[0.9, 0.5, 2.0]], np.float32))


def test_frames_that_differ_by_rounding_share_the_gradient() -> None:
    """A comparison by `==` gives all to one of them, or to none where XLA rounds differently when it compares."""
    received = gradient(lambda value: largest_assignments(value, True), ASSIGNMENT)
    np.testing.assert_array_equal(received, [[[0, 0.5, 0.5], [1, 0.5, 0.5], [0, 0, 0], [0, 0, 0]]])


def test_the_gradient_of_random_values_is_that_of_their_maximum() -> None:
    values = np.random.default_rng(1).random((4, 9, 30), np.float32)
    expected = gradient(lambda value: keras.ops.max(value, axis=1), values)
    np.testing.assert_allclose(gradient(lambda value: largest_assignments(value, True), values), expected)
    assert ((values.max(axis=1, keepdims=True) - values < 1e-5).sum(axis=1) == 1).all(), "ties would say nothing"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_training_has_the_gradient_of_a_cluster_for_any_type(dtype: str) -> None:
    values = keras.ops.cast(np.random.default_rng(2).random((2, 5, 8), np.float32), dtype)
    received = gradient(lambda value: keras.ops.cast(largest_assignments(value, True), "float32"), values)
    np.testing.assert_allclose(received.astype(np.float32).sum(axis=1), np.ones((2, 8)), rtol=1e-2)
