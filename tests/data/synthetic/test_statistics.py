"""Sampled values follow the statistics measured on YouTube-8M."""

import numpy as np
import pytest

from yt8m.data.synthetic.statistics import class_shares, label_count_shares, sample_frame_counts


def test_most_frequent_classes_hold_the_measured_shares_of_labels() -> None:
    held = np.cumsum(class_shares(3862))
    assert held[[9, 99, 999]] == pytest.approx([0.29, 0.61, 0.905], abs=0.005)


@pytest.mark.parametrize("num_classes", [1, 24, 48, 3862])
def test_class_shares_descend_and_sum_to_one(num_classes: int) -> None:
    shares = class_shares(num_classes)
    assert shares.shape == (num_classes,)
    assert shares.sum() == pytest.approx(1)
    assert (np.diff(shares) <= 0).all()
    assert shares.min() > 0


def test_videos_have_three_labels_on_average() -> None:
    shares = label_count_shares(12)
    assert shares @ np.arange(1, 13) == pytest.approx(3.0, abs=0.05)


def test_frame_counts_have_the_measured_quantiles() -> None:
    N = 40_000
    counts = sample_frame_counts(np.random.default_rng(1), N, 300)
    # The standard error of a quantile is at most 0.0025 in rank, which is less than 2 frames for each of these.
    assert np.percentile(counts, [1, 5, 25, 50, 75, 90]) == pytest.approx([121, 129, 175, 235, 300, 300], abs=2)
    assert (counts == 300).mean() == pytest.approx(0.30, abs=4 * np.sqrt(0.3 * 0.7 / N))
    assert counts.mean() == pytest.approx(230, abs=2)
    assert 0 < (counts == 301).sum() < 30


def test_short_videos_keep_the_shape_of_the_distribution() -> None:
    counts = sample_frame_counts(np.random.default_rng(1), 10_000, 24)
    assert counts.min() >= 9
    assert (counts >= 24).mean() == pytest.approx(0.32, abs=0.03)


def test_a_video_has_at_least_one_frame() -> None:
    assert sample_frame_counts(np.random.default_rng(1), 100, 1).min() == 1
