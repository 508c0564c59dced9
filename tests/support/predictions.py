"""Synthetic predictions of ensemble members, with a shared signal and independent noise."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from yt8m.metrics import StreamingMetrics
from yt8m.predictions import Predictions, PredictionsBuilder


def members(
    num_members: int = 3,
    *,
    videos: int = 400,
    classes: int = 60,
    top_k: int = 60,
    levels: int = 0,
    noise: float = 1.0,
    seed: int = 0,
) -> list[Predictions]:
    """Draw predictions of members with increasing noise. `levels` > 0 rounds them, so that many scores tie."""
    rng = np.random.default_rng(seed)
    popularity = -1.2 * np.log1p(np.arange(classes))
    truth = popularity + rng.normal(0, 2.0, (videos, classes))
    labels = rng.random((videos, classes)) < 1 / (1 + np.exp(3 - truth))
    ids = [f"v{i:05}" for i in range(videos)]
    found = []
    for member in range(num_members):
        logits = truth + rng.normal(0, noise * (1 + 0.3 * member), truth.shape) - 3
        probabilities: np.ndarray = (1 / (1 + np.exp(-logits))).astype(np.float32)
        if levels:
            probabilities = np.floor(probabilities * levels) / np.float32(levels)
        builder = PredictionsBuilder(classes, top_k)
        builder.append(ids, probabilities, labels)
        found.append(builder.build())
    return found


def halved(found: list[Predictions]) -> list[Predictions]:
    """Put every second video into *report*, from the second one on."""
    return [replace(member, report=np.arange(member.num_videos) % 2 == 1) for member in found]


def with_noise(predictions: Predictions, noise: float, seed: int = 0) -> Predictions:
    """Add noise to the logits of all classes, as quantization does; 0 gives the same predictions."""
    table = dense(predictions)
    logits = np.log(np.maximum(table, 1e-7)) - np.log1p(-np.minimum(table, 1 - 1e-6))
    logits += np.random.default_rng(seed).normal(0, noise, table.shape) if noise else 0
    scores = (1 / (1 + np.exp(-logits))).astype(np.float32) if noise else table
    classes = np.argsort(-scores, axis=1, kind="stable")[:, : predictions.top_k]
    return replace(predictions, classes=classes.astype(np.uint16), scores=np.take_along_axis(scores, classes, axis=1))


def dense(predictions: Predictions) -> np.ndarray:
    """Return the probabilities (N, C), 0 beyond the stored top K."""
    table = np.zeros((predictions.num_videos, predictions.num_classes), np.float32)
    np.put_along_axis(table, predictions.classes.astype(np.int64), predictions.scores, axis=1)
    return table


def multi_hot(predictions: Predictions) -> np.ndarray:
    """Return the labels (N, C)."""
    table = np.zeros((predictions.num_videos, predictions.num_classes), np.uint8)
    table[np.repeat(np.arange(predictions.num_videos), np.diff(predictions.label_ptr)), predictions.labels] = 1
    return table


def gap_of_mean(found: list[Predictions], weights: np.ndarray, rows: np.ndarray | None = None) -> float:
    """Compute the GAP of the weighted mean over all classes, without any shortcut."""
    mean = sum(w * dense(m) for w, m in zip(weights.astype(np.float32), found, strict=True))
    labels = multi_hot(found[0])
    metrics = StreamingMetrics(labels.shape[1])
    metrics.update(mean if rows is None else mean[rows], labels if rows is None else labels[rows])
    return metrics.result()["gap"]


def assert_same_predictions(first: Path, second: Path) -> None:
    """Check that two files hold the same predictions, bit for bit. The order of their metadata is random."""
    one, other = Predictions.load(first), Predictions.load(second)
    for name in ("ids", "classes", "scores", "label_ptr", "labels", "report"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
