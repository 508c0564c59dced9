import keras
import numpy as np
import pytest

from yt8m.losses import binary_crossentropy, distillation_loss

EPSILON = 1e-5


def numpy_crossentropy(targets: np.ndarray, probabilities: np.ndarray) -> float:
    logs = targets * np.log(probabilities + EPSILON) + (1 - targets) * np.log(1 - probabilities + EPSILON)
    return float(-logs.sum(axis=1).mean())


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    labels = (random.random((5, 11)) < 0.3).astype(np.uint8)
    return labels, random.random((5, 11)), random.random((5, 11))


def test_crossentropy_is_summed_over_classes_and_averaged_over_videos(batch):
    labels, _, probabilities = batch
    assert float(binary_crossentropy(labels, probabilities)) == pytest.approx(
        numpy_crossentropy(labels, probabilities), rel=1e-5
    )


def test_one_video_one_class_by_hand():
    assert float(binary_crossentropy([[1.0]], [[0.5]])) == pytest.approx(-np.log(0.5 + EPSILON), rel=1e-5)


def test_certain_and_wrong_costs_the_logarithm_of_epsilon():
    loss = float(binary_crossentropy([[1, 0]], [[0.0, 1.0]]))
    assert loss == pytest.approx(-2 * np.log(EPSILON), rel=1e-4)


def test_gradients_are_finite_at_the_limits():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Activation("relu"), keras.layers.Dense(2)])
    model.set_weights([np.eye(2, dtype=np.float32), np.zeros(2, np.float32)])
    model.compile(keras.optimizers.SGD(1e-9), loss=binary_crossentropy)
    loss = model.train_on_batch(np.array([[0.0, 1.0]], np.float32), np.array([[1.0, 0.0]], np.float32))
    assert np.isfinite(loss)
    assert all(np.isfinite(keras.ops.convert_to_tensor(weight)).all() for weight in model.weights)


@pytest.mark.parametrize("label_weight", [0.0, 0.3, 0.5, 1.0])
def test_distillation_is_the_weighted_sum_of_two_crossentropies(batch, label_weight):
    labels, soft_targets, probabilities = batch
    expected = label_weight * numpy_crossentropy(labels, probabilities) + (1 - label_weight) * numpy_crossentropy(
        soft_targets, probabilities
    )
    loss = float(distillation_loss(labels, soft_targets, probabilities, label_weight))
    assert loss == pytest.approx(expected, rel=1e-5)


def test_the_label_weight_weighs_the_labels(batch):
    labels, soft_targets, probabilities = batch
    assert float(distillation_loss(labels, soft_targets, probabilities, 1.0)) == pytest.approx(
        float(binary_crossentropy(labels, probabilities)), rel=1e-6
    )


def test_bfloat16_predictions_are_compared_in_float32(batch):
    labels, _, probabilities = batch
    low = keras.ops.cast(probabilities, "bfloat16")
    loss = binary_crossentropy(labels, low)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert float(loss) == pytest.approx(numpy_crossentropy(labels, probabilities), rel=0.02)
