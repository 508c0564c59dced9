"""Frequencies, numbers and co-occurrence of labels follow YouTube-8M, and some labels are missing."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from yt8m.data.synthetic.classes import KINDS, Classes, make_classes
from yt8m.data.synthetic.labels import LabelSampler, VideoLabels

# The labels of so many videos take seconds.
pytestmark = pytest.mark.slow

N = 12_000
MISSING = 0.2


@pytest.fixture(scope="module")
def classes() -> Classes:
    return make_classes(np.random.default_rng(3), 3862)


@pytest.fixture(scope="module")
def videos(classes: Classes) -> list[VideoLabels]:
    rng = np.random.default_rng(4)
    sampler = LabelSampler(rng, classes, MISSING)
    return [video for _ in range(N // 2000) for video in sampler.sample(rng, 2000)]


def test_labels_ascend_without_duplicates_and_are_present(videos: list[VideoLabels]) -> None:
    for video in videos:
        assert list(video.given) == sorted(set(video.given))
        assert set(video.given) <= set(video.present)
        assert len(video.given) >= 1


def test_videos_have_three_labels_on_average(videos: list[VideoLabels]) -> None:
    counts = np.array([len(video.given) for video in videos])
    assert counts.mean() == pytest.approx(3.0, abs=0.05 + 4 * counts.std() / np.sqrt(N))
    assert (counts == 1).mean() == pytest.approx(0.246, abs=4 * np.sqrt(0.25 / N))


def test_the_most_frequent_classes_hold_29_61_and_90_percent(videos: list[VideoLabels]) -> None:
    shares = np.bincount([label for video in videos for label in video.given], minlength=3862) / (3.0 * N)
    # Calibration uses 4,000 videos per round; sampling alone would be within 0.01.
    assert np.cumsum(shares)[[9, 99, 999]] == pytest.approx([0.29, 0.61, 0.90], abs=0.03)


def test_the_most_frequent_pair_occurs_in_13_percent_of_videos(videos: list[VideoLabels]) -> None:
    pairs = Counter(pair for video in videos for pair in combinations(video.given, 2))
    (pair, count), (_, second) = pairs.most_common(2)
    assert pair == (0, 1)
    assert count / N == pytest.approx(0.13, abs=0.02)
    # Other pairs also occur far more often than by chance, but less often than this one.
    assert 0.01 < second / N < 0.08


def test_the_configured_share_of_labels_is_missing(videos: list[VideoLabels]) -> None:
    present, given = (sum(len(getattr(video, name)) for video in videos) for name in ("present", "given"))
    assert 1 - given / present == pytest.approx(MISSING, abs=0.01)


def test_no_label_is_missing_at_share_zero(classes: Classes) -> None:
    rng = np.random.default_rng(5)
    for video in LabelSampler(rng, classes, 0.0).sample(rng, 100):
        assert set(video.given) == set(video.present)


def test_an_implied_class_occurs_with_its_parent(classes: Classes, videos: list[VideoLabels]) -> None:
    parents = sum(1 in video.given for video in videos)
    both = sum(1 in video.given and 0 in video.given for video in videos)
    assert both / parents == pytest.approx(0.93, abs=0.03)


def test_mirrored_order_classes_exclude_each_other(classes: Classes, videos: list[VideoLabels]) -> None:
    for video in videos:
        assert not any(classes.mirrored.get(label) in video.present for label in video.present)


@pytest.mark.parametrize("num_classes", [1, 2, 5, 13, 24, 48, 72])
def test_small_sets_of_classes_are_complete(num_classes: int) -> None:
    rng = np.random.default_rng(6)
    classes = make_classes(rng, num_classes)
    assert sorted(label for kind in KINDS for label in classes.of_kind(kind)) == list(range(num_classes))
    assert set(classes.mirrored) == set(classes.of_kind("order"))
    assert set(classes.implied.values()) == set(classes.of_kind("cooccurrence"))
    given = [video.given for video in LabelSampler(rng, classes, 0.2).sample(rng, 50)]
    assert all(0 <= label < num_classes for labels in given for label in labels)
