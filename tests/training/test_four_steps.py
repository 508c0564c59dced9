"""Four training steps against NumPy: loss, penalty, per-tensor clipping, Adam, staircase learning rate.

The model is the frame-level logistic baseline, whose gradients are derived by hand, including batch normalization.
"""

import numpy as np
import pytest

from tests.support.trainings import resolved
from yt8m.data.format import DataSpec
from yt8m.models import build_from_bytes
from yt8m.models.head import LogisticConfig
from yt8m.models.logistic import FrameLevelLogisticConfig
from yt8m.training.loop import build_optimizer
from yt8m.training.training_model import TrainingModel

B, T, D, C, STEPS = 8, 4, 5, 7, 4
PENALTY = 0.2
SPEC = DataSpec(features={"rgb": 3, "audio": 2}, num_classes=C, max_frames=T)
MODEL = FrameLevelLogisticConfig(num_sampled_frames="all", head=LogisticConfig(l2_penalty=PENALTY))
CONFIG = resolved(epochs=1, batch_size=B, learning_rate=0.01, learning_rate_decay=0.5, decay_examples=16, clip_norm=1.0)
GAMMA, BETA, MEAN, VARIANCE = (
    f"pooling/input_normalization/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")
)
KERNEL, BIAS = "head/dense/kernel", "head/dense/bias"


def data():
    random = np.random.default_rng(11)
    frames = random.integers(0, 256, (STEPS, B, T, D), np.uint8)
    num_frames = random.integers(1, T + 1, (STEPS, B)).astype(np.int32)
    labels = (random.random((STEPS, B, C)) < 0.3).astype(np.uint8)
    soft_targets = random.random((STEPS, B, C)).astype(np.float32)
    return frames, num_frames, labels, soft_targets


def first_weights():
    random = np.random.default_rng(12)
    return {
        GAMMA: random.uniform(0.5, 2, D),
        BETA: random.normal(size=D, scale=0.3),
        MEAN: random.normal(size=D),
        VARIANCE: random.uniform(0.5, 2, D),
        KERNEL: random.normal(size=(D, C), scale=0.5),
        BIAS: random.normal(size=C),
    }


def differentiate(frames, num_frames, targets, w):
    """Compute the loss, its gradients, and mean and variance of the real frames.

    The loss is the mean over videos of the summed cross entropy, plus PENALTY * |kernel|^2 / 2.
    """
    real = (np.arange(T) < num_frames[:, None])[:, :, None]
    count = num_frames[:, None]
    x = frames * (4 / 255) + 4 / 512 - 2
    x = x / np.linalg.norm(x, axis=-1, keepdims=True) * real
    mean = x.sum((0, 1)) / real.sum()
    variance = ((x - mean) ** 2 * real).sum((0, 1)) / real.sum()
    normalized = (x - mean) / np.sqrt(variance + 1e-3) * real
    pooled = w[GAMMA] * normalized.sum(1) / count + w[BETA]
    p = 1 / (1 + np.exp(-(pooled @ w[KERNEL] + w[BIAS])))
    logs = targets * np.log(p + 1e-5) + (1 - targets) * np.log(1 - p + 1e-5)
    loss = -logs.sum() / B + PENALTY * (w[KERNEL] ** 2).sum() / 2
    by_logit = -(targets / (p + 1e-5) - (1 - targets) / (1 - p + 1e-5)) / B * p * (1 - p)
    by_pooled = by_logit @ w[KERNEL].T
    gradients = {
        GAMMA: (by_pooled * normalized.sum(1) / count).sum(0),
        BETA: by_pooled.sum(0),
        KERNEL: pooled.T @ by_logit + PENALTY * w[KERNEL],
        BIAS: by_logit.sum(0),
    }
    return loss, gradients, {MEAN: mean, VARIANCE: variance}


def numpy_steps(label_weight, warmup_steps):
    frames, num_frames, labels, soft_targets = data()
    weights = first_weights()
    first, second = ({name: np.zeros_like(weight) for name, weight in weights.items()} for _ in range(2))
    losses, clipped = [], []
    for step in range(STEPS):
        targets = label_weight * labels[step] + (1 - label_weight) * soft_targets[step]
        loss, gradients, statistics = differentiate(frames[step], num_frames[step], targets, weights)
        losses.append(loss)
        rate = 0.01 * 0.5 ** (step * B // 16) * min((step + 1) / (warmup_steps + 1), 1)
        for name, gradient in gradients.items():
            norm = np.sqrt((gradient**2).sum())
            clipped.append(norm > 1)
            gradient = gradient / max(norm, 1.0)  # noqa: PLW2901 - the formula
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            corrected = rate * np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
            weights[name] = weights[name] - corrected * first[name] / (np.sqrt(second[name]) + 1e-8)
        for name, value in statistics.items():
            weights[name] = 0.999 * weights[name] + 0.001 * value
    assert any(clipped)
    assert not all(clipped)
    return losses, weights


@pytest.mark.parametrize(("label_weight", "warmup_steps"), [(1.0, 0), (0.5, 0), (1.0, 2)])
def test_four_steps_agree_with_numpy(label_weight, warmup_steps):
    frames, num_frames, labels, soft_targets = data()
    network = build_from_bytes(MODEL, SPEC)
    for variable in network.weights:
        variable.assign(first_weights()[variable.path])
    model = TrainingModel(network, label_weight=label_weight)
    model.compile(optimizer=build_optimizer(CONFIG.model_copy(update={"warmup_steps": warmup_steps})))
    losses = []
    for step in range(STEPS):
        targets = {"labels": labels[step]} | ({"soft_targets": soft_targets[step]} if label_weight < 1 else {})
        inputs = {"frames": frames[step], "num_frames": num_frames[step]}
        model.reset_metrics()
        losses.append(model.train_on_batch(inputs, targets, return_dict=True)["loss"])
    expected_losses, expected_weights = numpy_steps(label_weight, warmup_steps)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    assert {variable.path for variable in network.weights} == set(expected_weights)
    for variable in network.weights:
        np.testing.assert_allclose(
            np.asarray(variable), expected_weights[variable.path], atol=2e-6, err_msg=variable.path
        )
