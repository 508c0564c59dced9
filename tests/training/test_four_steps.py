"""Four training steps against NumPy: loss, penalty, per-tensor clipping, Adam, stairs of the learning rate.

The network is one penalized logistic layer, whose gradients are written down by hand.
"""

import keras
import numpy as np
import pytest

from yt8m.training.config import TrainingConfig
from yt8m.training.optimizer import build_optimizer
from yt8m.training.training_model import TrainingModel

B, D, C, STEPS = 8, 5, 7, 4
PENALTY = 0.05
CONFIG = TrainingConfig(
    epochs=1, batch_size=B, learning_rate=0.01, learning_rate_decay=0.5, decay_examples=16, clip_norm=1.0
)


def data():
    random = np.random.default_rng(11)
    features = random.normal(size=(STEPS, B, D))
    labels = (random.random((STEPS, B, C)) < 0.3).astype(np.float64)
    soft_targets = random.random((STEPS, B, C))
    kernel, bias = random.normal(size=(D, C), scale=0.5), random.normal(size=C)
    return features, labels, soft_targets, kernel, bias


def gradients(x, targets, kernel, bias):
    """Of mean over videos of the summed cross entropy, plus PENALTY * |kernel|^2."""
    p = 1 / (1 + np.exp(-(x @ kernel + bias)))
    by_p = -(targets / (p + 1e-5) - (1 - targets) / (1 - p + 1e-5)) / B
    by_logit = by_p * p * (1 - p)
    logs = targets * np.log(p + 1e-5) + (1 - targets) * np.log(1 - p + 1e-5)
    loss = -logs.sum() / B + PENALTY * (kernel**2).sum()
    return loss, [x.T @ by_logit + 2 * PENALTY * kernel, by_logit.sum(axis=0)]


def numpy_steps(label_weight):
    features, labels, soft_targets, kernel, bias = data()
    weights = [kernel.copy(), bias.copy()]
    first = [np.zeros_like(weight) for weight in weights]
    second = [np.zeros_like(weight) for weight in weights]
    losses, clipped = [], []
    for step in range(STEPS):
        targets = label_weight * labels[step] + (1 - label_weight) * soft_targets[step]
        loss, found = gradients(features[step], targets, *weights)
        losses.append(loss)
        rate = 0.01 * 0.5 ** (step * B // 16)
        for index, gradient in enumerate(found):
            norm = np.sqrt((gradient**2).sum())
            clipped.append(norm > 1)
            gradient = gradient / max(norm, 1.0)  # noqa: PLW2901 - the formula
            first[index] = 0.9 * first[index] + 0.1 * gradient
            second[index] = 0.999 * second[index] + 0.001 * gradient**2
            corrected = rate * np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
            weights[index] -= corrected * first[index] / (np.sqrt(second[index]) + 1e-8)
    assert any(clipped)
    assert not all(clipped)
    return losses, weights


@pytest.mark.parametrize("label_weight", [1.0, 0.5])
def test_four_steps_agree_with_numpy(label_weight):
    features, labels, soft_targets, kernel, bias = data()
    inputs = keras.Input((D,))
    outputs = keras.layers.Dense(C, activation="sigmoid", kernel_regularizer=keras.regularizers.L2(PENALTY))(inputs)
    network = keras.Model(inputs, outputs)
    network.set_weights([kernel, bias])
    model = TrainingModel(network, label_weight=label_weight)
    optimizer = build_optimizer(CONFIG)
    model.compile(optimizer=optimizer)
    losses = []
    for step in range(STEPS):
        targets = {"labels": labels[step].astype(np.uint8)}
        if label_weight < 1:
            targets["soft_targets"] = soft_targets[step].astype(np.float32)
        model.reset_metrics()
        losses.append(model.train_on_batch(features[step].astype(np.float32), targets, return_dict=True)["loss"])
    expected_losses, expected_weights = numpy_steps(label_weight)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    for variable, expected in zip(network.weights, expected_weights, strict=True):
        np.testing.assert_allclose(np.asarray(variable), expected, atol=2e-6)
