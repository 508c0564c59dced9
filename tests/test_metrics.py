import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yt8m.metrics import StreamingMetrics, gap_of_keys, keys_from_top
from yt8m.predictions import PredictionsBuilder

Array = npt.NDArray[np.float32]


def ranked(scores: Array, k: int) -> list[int]:
    return sorted(range(len(scores)), key=lambda c: (-scores[c], c))[:k]


def average_precision(pool: list[tuple[float, int]], positives: int) -> float:
    """Compute equation 1 by brute force, with equal scores as one threshold."""
    total = 0.0
    for threshold in {score for score, hit in pool if hit}:
        at_least = [hit for score, hit in pool if score >= threshold]
        here = sum(hit for score, hit in pool if score == threshold)
        total += here * sum(at_least) / len(at_least)
    return total / positives if positives else 0.0


def naive(scores: Array, labels: npt.NDArray[np.uint8], k: int) -> dict[str, float]:
    tops = [ranked(row, k) for row in scores]
    pool = [(scores[v, c], int(labels[v, c]), c) for v, top in enumerate(tops) for c in top]
    labeled = np.flatnonzero(labels.sum(axis=0))
    per_class = [average_precision([(s, h) for s, h, d in pool if d == c], labels[:, c].sum()) for c in labeled]
    counts = labels.sum(axis=1)
    perr = [labels[v, ranked(scores[v], n)].sum() / n if n else 0.0 for v, n in enumerate(counts)]
    return {
        "gap": average_precision([(s, h) for s, h, _ in pool], labels.sum()),
        "map": float(np.mean(per_class)) if per_class else 0.0,
        "hit_at_1": float(np.mean([labels[v, top[0]] for v, top in enumerate(tops)])),
        "perr": float(np.mean(perr)),
        "videos": float(len(scores)),
    }


def streamed(scores: Array, labels: npt.NDArray[np.uint8], k: int = 20, batch: int = 7) -> dict[str, float]:
    metrics = StreamingMetrics(scores.shape[1], k)
    for start in range(0, len(scores), batch):
        metrics.update(scores[start : start + batch], labels[start : start + batch])
    return metrics.result()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    videos=st.integers(1, 25),
    classes=st.integers(1, 30),
    k=st.integers(1, 25),
    levels=st.sampled_from([2, 10, 10**6]),
    share=st.sampled_from([0.0, 0.1, 0.7]),
)
def test_metrics_equal_a_naive_loop(*, seed: int, videos: int, classes: int, k: int, levels: int, share: float):
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, levels + 1, (videos, classes)) / levels).astype(np.float32)
    labels = (rng.random((videos, classes)) < share).astype(np.uint8)
    assert streamed(scores, labels, k) == pytest.approx(naive(scores, labels, k), abs=1e-12)


def test_hand_computed_case():
    # In order: 0.9 right, 0.8 wrong, 0.7 right, 0.6 wrong; one label is beyond the top 2.
    scores = np.array([[0.9, 0.8, 0.1], [0.6, 0.2, 0.7]], np.float32)
    labels = np.array([[1, 0, 1], [0, 0, 1]], np.uint8)
    result = streamed(scores, labels, k=2)
    assert result["gap"] == pytest.approx((1 / 1 + 2 / 3) / 3)
    # Class 0: 1. Class 2: one of its two labels is found, in first place.
    assert result["map"] == pytest.approx((1 + 1 / 2) / 2)
    assert result["hit_at_1"] == 1.0
    assert result["perr"] == pytest.approx((1 / 2 + 1) / 2)


def test_accuracy_counts_videos_and_balanced_accuracy_counts_classes():
    metrics = StreamingMetrics(4)
    assert metrics.accuracy() == {"accuracy": 0.0, "balanced_accuracy": 0.0}
    # Three of four videos of class 0 are right and the one of class 2 is not; classes 1 and 3 have no video.
    right = [[0.9, 0.1, 0.0, 0.0]] * 3
    metrics.update([*right[:2], [0.1, 0.2, 0.7, 0.0]], np.eye(4)[[0, 0, 0]])
    metrics.update([*right[:1], [0.3, 0.3, 0.2, 0.2]], np.eye(4)[[0, 2]])
    assert metrics.accuracy() == {"accuracy": 3 / 5, "balanced_accuracy": (3 / 4 + 0) / 2}
    assert metrics.accuracy()["accuracy"] == metrics.result()["hit_at_1"]


def test_without_labels_every_metric_is_zero():
    result = streamed(np.full((4, 6), 0.5, np.float32), np.zeros((4, 6), np.uint8))
    assert result == {"gap": 0.0, "map": 0.0, "hit_at_1": 0.0, "perr": 0.0, "videos": 4.0}


def test_without_videos_every_metric_is_zero():
    assert set(StreamingMetrics(3862).result().values()) == {0.0}


def test_one_video_with_perfect_scores_gets_one():
    result = streamed(np.array([[0.9, 0.1, 0.8]], np.float32), np.array([[1, 0, 1]], np.uint8))
    assert result == {"gap": 1.0, "map": 1.0, "hit_at_1": 1.0, "perr": 1.0, "videos": 1.0}


def test_equal_scores_everywhere_give_the_share_of_labels():
    labels = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], np.uint8)
    assert streamed(np.full((2, 4), 0.25, np.float32), labels)["gap"] == pytest.approx(2 / 8)


def test_the_order_of_videos_and_batches_changes_nothing():
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 20, (60, 40)).astype(np.float32)
    labels = (rng.random((60, 40)) < 0.1).astype(np.uint8)
    order = rng.permutation(60)
    assert streamed(scores, labels) == pytest.approx(streamed(scores[order], labels[order], batch=60), abs=1e-12)


def test_gap_over_all_classes_is_the_average_precision_of_scikit_learn():
    # Average precision of four pooled predictions, from scikit-learn's documentation: 0.8333.
    scores = np.array([[0.1, 0.4], [0.35, 0.8]], np.float32)
    assert streamed(scores, np.array([[0, 0], [1, 1]], np.uint8))["gap"] == pytest.approx(0.8333, abs=1e-4)


def test_stored_predictions_give_the_same_gap():
    rng = np.random.default_rng(2)
    scores = rng.random((300, 50), np.float32)
    labels = (rng.random((300, 50)) < 0.05).astype(np.uint8)
    builder = PredictionsBuilder(50, 30)
    builder.append([str(i) for i in range(300)], scores, labels)
    stored = builder.build()
    gap = gap_of_keys(keys_from_top(stored.classes, stored.scores, stored.label_ptr, stored.labels), len(stored.labels))
    assert gap == pytest.approx(streamed(scores, labels)["gap"], abs=1e-12)
