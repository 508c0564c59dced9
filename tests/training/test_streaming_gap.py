import numpy as np
import pytest

from yt8m.metrics import StreamingMetrics
from yt8m.training.streaming_gap import LOGIT_LIMIT, NUM_BINS, StreamingGAP


def predictions(videos: int, classes: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    labels = random.random((videos, classes)) < 0.05
    logits = labels * 4.0 - 3 + random.normal(scale=noise, size=labels.shape)
    return (1 / (1 + np.exp(-logits))).astype(np.float32), labels.astype(np.uint8)


def promised_bound(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Compute the error bound in the docstring from the definition of the bins."""
    top = np.argsort(-scores, axis=1)[:, :k]
    score, hit = np.take_along_axis(scores, top, 1).astype(np.float64), np.take_along_axis(labels, top, 1)
    bins = ((np.log(score / (1 - score)) + LOGIT_LIMIT) / (2 * LOGIT_LIMIT) * NUM_BINS).astype(int)
    right = np.bincount(bins[hit == 1], minlength=NUM_BINS)[::-1]
    wrong = np.bincount(bins[hit == 0], minlength=NUM_BINS)[::-1]
    above = np.cumsum(right + wrong) - right - wrong
    return float((right * (wrong / (above + wrong + 1)) + (right > 0) / 48).sum() / labels.sum())


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_it_is_as_near_to_the_exact_gap_as_promised(noise):
    scores, labels = predictions(1500, 40, noise)
    metric, exact = StreamingGAP(), StreamingMetrics(40)
    for part in np.array_split(np.arange(1500), 6):
        metric.update_state(labels[part], scores[part])
        exact.update(scores[part], labels[part])
    error = abs(float(metric.result()) - exact.result()["gap"])
    assert error < promised_bound(scores, labels, 20) + 1e-5
    assert error < 0.002


def test_perfect_predictions_score_one_and_useless_ones_zero():
    labels = np.eye(4, dtype=np.uint8)
    metric = StreamingGAP()
    metric.update_state(labels, labels * 0.8 + 0.1)
    assert float(metric.result()) == pytest.approx(1.0)
    metric.reset_state()
    assert float(metric.result()) == 0.0
    metric.update_state(np.zeros((4, 4)), labels * 0.8)
    assert float(metric.result()) == 0.0


def test_only_the_best_k_of_a_video_count():
    metric = StreamingGAP(top_k=2)
    metric.update_state(np.array([[0, 0, 1, 0]]), np.array([[0.9, 0.8, 0.7, 0.1]], np.float32))
    assert float(metric.result()) == 0.0


def test_scores_of_zero_and_one_are_counted():
    metric = StreamingGAP()
    metric.update_state(np.array([[1, 0]]), np.array([[1.0, 0.0]], np.float32))
    assert float(metric.result()) == pytest.approx(1.0)
