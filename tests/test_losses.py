import keras
import numpy as np
import pytest

from yt8m.layers.softmax import SoftmaxRegression
from yt8m.losses import as_distribution, binary_crossentropy, categorical_crossentropy, mixed_targets
from yt8m.training.training_model import TrainingModel

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
    loss = float(binary_crossentropy(mixed_targets(labels, soft_targets, label_weight), probabilities))
    assert loss == pytest.approx(expected, rel=1e-5)


def test_the_label_weight_weighs_the_labels(batch):
    labels, soft_targets, probabilities = batch
    assert float(binary_crossentropy(mixed_targets(labels, soft_targets, 1.0), probabilities)) == pytest.approx(
        float(binary_crossentropy(labels, probabilities)), rel=1e-6
    )


def test_bfloat16_predictions_are_compared_in_float32(batch):
    labels, _, probabilities = batch
    low = keras.ops.cast(probabilities, "bfloat16")
    loss = binary_crossentropy(labels, low)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert float(loss) == pytest.approx(numpy_crossentropy(labels, probabilities), rel=0.02)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_categorical_crossentropy_by_hand():
    loss = float(categorical_crossentropy([[0, 1, 0], [1, 0, 0]], [[0.2, 0.5, 0.3], [0.9, 0.1, 0.0]]))
    assert loss == pytest.approx(-(np.log(0.5 + EPSILON) + np.log(0.9 + EPSILON)) / 2, rel=1e-5)
    assert float(categorical_crossentropy([[1, 0]], [[0.0, 1.0]])) == pytest.approx(-np.log(EPSILON), rel=1e-5)


def test_soft_targets_of_any_teacher_become_distributions():
    found = np.asarray(as_distribution(np.array([[0.5, 0.25, 0.5], [0.1, 0.2, 0.7], [0.0, 0.0, 0.0]], np.float16)))
    np.testing.assert_allclose(found, [[0.4, 0.2, 0.4], [0.1, 0.2, 0.7], [0.0, 0.0, 0.0]], atol=1e-3)
    np.testing.assert_allclose(found.sum(axis=1), [1, 1, 0], atol=1e-6)


@pytest.mark.parametrize("label_weight", [None, 0.0, 0.3])
def test_a_step_of_a_softmax_model_follows_the_gradient_of_the_formula(label_weight):
    random = np.random.default_rng(5)
    x, kernel, penalty = random.normal(size=(4, 3)), random.normal(size=(3, 5)), 0.1
    labels = np.eye(5)[[0, 3, 3, 1]]
    soft = random.random((4, 5))
    targets = {"labels": labels} if label_weight is None else {"labels": labels, "soft_targets": soft}
    mixed = labels
    if label_weight is not None:
        mixed = label_weight * labels + (1 - label_weight) * soft / soft.sum(axis=1, keepdims=True)

    def loss_of(weights: np.ndarray) -> float:
        p = softmax(x @ weights)
        return float(-(mixed * np.log(p + EPSILON)).sum(axis=1).mean() + penalty * (weights**2).sum() / 2)

    expected = np.zeros_like(kernel)
    for place in np.ndindex(*kernel.shape):
        shift = np.zeros_like(kernel)
        shift[place] = 1e-5
        expected[place] = (loss_of(kernel + shift) - loss_of(kernel - shift)) / 2e-5

    inputs = keras.Input((3,))
    layer = SoftmaxRegression(5, penalty)
    model = TrainingModel(keras.Model(inputs, layer(inputs)), label_weight=label_weight or 0.0)
    layer.dense.kernel.assign(kernel)
    model.compile(keras.optimizers.SGD(1.0), jit_compile=keras.backend.backend() == "jax")
    given = {name: value.astype(np.float32) for name, value in targets.items()}
    loss = model.train_on_batch(x.astype(np.float32), given)
    assert float(np.ravel(loss)[0]) == pytest.approx(loss_of(kernel), rel=1e-5)
    np.testing.assert_allclose(kernel - np.asarray(layer.dense.kernel), expected, atol=1e-5)
