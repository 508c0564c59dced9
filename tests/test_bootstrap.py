"""GAP on drawn videos against a computation that repeats the drawn videos and sorts them anew."""

import numpy as np
import pytest

from yt8m.bootstrap import difference_error, resample_gaps, standard_error
from yt8m.metrics import pack_keys


def drawn_predictions(videos: int, *, levels: int = 0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw scores (N, 5), hits (N, 5) and numbers of labels (N,); `levels` > 0 rounds the scores, so that many tie."""
    rng = np.random.default_rng(seed)
    scores: np.ndarray = -np.sort(-rng.random((videos, 5)).astype(np.float32), axis=1)
    hits = rng.random((videos, 5)) < 0.6 * scores
    if levels:
        scores = np.floor(scores * levels) / np.float32(levels)
    return scores, hits, hits.sum(axis=1) + rng.integers(0, 2, videos)


def slow_gap(scores: np.ndarray, hits: np.ndarray, labels: int) -> float:
    """Compute equation 1 prediction by prediction; equal scores share the precision after the last of them."""
    flat, right = scores.ravel().tolist(), hits.ravel().tolist()
    total = 0.0
    for score, hit in zip(flat, right, strict=True):
        if hit:
            above = [other for value, other in zip(flat, right, strict=True) if value >= score]
            total += sum(above) / len(above)
    return total / labels if labels else 0.0


def drawings(videos: int, resamples: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, videos, videos) for _ in range(resamples)]


@pytest.mark.parametrize("levels", [0, 1, 6])
def test_the_gap_of_drawn_videos_is_that_of_the_repeated_videos(levels: int):
    scores, hits, labels = drawn_predictions(12, levels=levels)
    other = drawn_predictions(12, levels=levels, seed=1)
    found = resample_gaps([pack_keys(scores, hits), pack_keys(other[0], other[1])], labels, resamples=25, seed=4)
    for number, rows in enumerate(drawings(12, 25, 4)):
        count = int(labels[rows].sum())
        assert found[0, number] == pytest.approx(slow_gap(scores[rows], hits[rows], count))
        assert found[1, number] == pytest.approx(slow_gap(other[0][rows], other[1][rows], count))


def test_the_standard_error_is_the_spread_of_gap_over_independent_sets_of_videos():
    gaps = []
    for seed in range(60):
        scores, hits, labels = drawn_predictions(150, seed=100 + seed)
        gaps.append(slow_gap(scores, hits, int(labels.sum())))
    scores, hits, labels = drawn_predictions(150)
    error = standard_error(resample_gaps([pack_keys(scores, hits)], labels)[0])
    assert error == pytest.approx(np.std(gaps, ddof=1), rel=0.35)


def test_models_are_compared_on_the_same_drawings():
    scores, hits, labels = drawn_predictions(40)
    keys = pack_keys(scores, hits)
    one, same = resample_gaps([keys, keys], labels, resamples=10)
    assert standard_error(one) > 0
    assert standard_error(one - same) == 0
    assert difference_error(keys, keys, labels) == 0


def test_the_error_of_a_difference_is_that_of_the_same_drawings_of_both():
    scores, hits, labels = drawn_predictions(12)
    other = drawn_predictions(12, seed=1)
    differences = []
    for rows in drawings(12, 200, 0):
        count = int(labels[rows].sum())
        differences.append(slow_gap(scores[rows], hits[rows], count) - slow_gap(other[0][rows], other[1][rows], count))
    found = difference_error(pack_keys(scores, hits), pack_keys(other[0], other[1]), labels)
    assert found == pytest.approx(np.std(differences, ddof=1))


def test_the_same_seed_draws_the_same_videos():
    scores, hits, labels = drawn_predictions(20)
    keys = [pack_keys(scores, hits)]
    assert (resample_gaps(keys, labels, resamples=5) == resample_gaps(keys, labels, resamples=5)).all()
    assert (resample_gaps(keys, labels, resamples=5) != resample_gaps(keys, labels, resamples=5, seed=1)).any()


@pytest.mark.parametrize("hit", [True, False])
def test_one_video_has_no_spread(hit: bool):
    keys = pack_keys(np.full((1, 1), 0.5, np.float32), np.full((1, 1), hit))
    assert resample_gaps([keys], [1]).tolist() == [[float(hit)] * 200]


def test_no_videos_and_no_labels_give_0():
    assert resample_gaps([np.zeros((0, 3), np.uint32)], [], resamples=2).tolist() == [[0, 0]]
    assert resample_gaps([np.zeros((4, 3), np.uint32)], np.zeros(4), resamples=2).tolist() == [[0, 0]]
