"""Splits are stratified, keep groups whole, and depend on the seed alone."""

import numpy as np
import pytest

from yt8m.data.importing.dividing.split import split_units
from yt8m.data.importing.dividing.units import Units
from yt8m.errors import DataError

SHARES = {"train": 0.8, "validate": 0.1, "test": 0.1}


def _videos(labels, num_classes):
    counts = np.array([len(each) for each in labels], np.uint16)
    return Units.of_videos(counts, np.array([c for each in labels for c in each], np.uint16), num_classes)


def _split(labels, num_classes, shares=SHARES, seed=0):
    """Split single videos; return the sides and the number of videos by side and class."""
    sides = split_units(_videos(labels, num_classes), shares, seed)
    table = np.zeros((len(shares), num_classes), int)
    for side, classes in zip(sides, labels, strict=True):
        for number in classes:
            table[side, number] += 1
    return sides, table


def test_every_class_is_divided_as_the_shares_say() -> None:
    sides, table = _split([[number % 37] for number in range(800)], 37)
    assert np.bincount(sides).tolist() == [640, 80, 80]
    assert np.all(np.abs(table - table.sum(0) * np.array([[0.8], [0.1], [0.1]])) < 1)


def test_classes_of_videos_with_several_labels_are_divided_about_as_the_shares_say() -> None:
    rng = np.random.default_rng(0)
    labels = [sorted(set(rng.integers(0, 20, rng.integers(1, 5)).tolist())) for _ in range(2000)]
    sides, table = _split(labels, 20)
    assert np.bincount(sides) == pytest.approx([1600, 200, 200], rel=0.1)
    assert table[1] / table.sum(0) == pytest.approx(np.full(20, 0.1), abs=0.03)
    assert table[2] / table.sum(0) == pytest.approx(np.full(20, 0.1), abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_rare_classes_are_on_both_sides(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = [sorted({min(int(number), 599) for number in rng.zipf(1.5, 3)}) for _ in range(5000)]
    _, table = _split(labels, 600, seed=seed)
    several = table.sum(0) >= 2
    assert several.sum() > 100
    assert np.all(table[:2, several] > 0)


@pytest.mark.parametrize(("classes", "videos"), [(500, 1000), (333, 999), (200, 1000), (5000, 6000), (1000, 1000)])
@pytest.mark.parametrize("held_out", [0.1, 0.2])
def test_shares_hold_with_few_videos_per_class(classes: int, videos: int, held_out: float) -> None:
    shares = {"train": 1 - 2 * held_out, "validate": held_out, "test": held_out}
    sides, table = _split([[number % classes] for number in range(videos)], classes, shares)
    assert np.bincount(sides) / videos == pytest.approx(list(shares.values()), abs=0.0101)
    # Training comes first: no class is only on another side while one has two videos for training.
    assert np.all(table[0] > 0) or np.all(table[0] <= 1)
    assert np.count_nonzero(table[1]) == pytest.approx(held_out * videos, rel=0.11)


def test_frequent_classes_keep_their_shares_beside_rare_ones() -> None:
    labels = [[number % 5] for number in range(2000)] + [[5 + number % 200] for number in range(600)]
    _, table = _split(labels, 205)
    assert np.all(np.abs(table[1, :5] - 40) <= 1)
    assert np.all(table[0, 5:] > 0)
    assert np.count_nonzero(table[1, 5:]) > 60  # a tenth of their videos, each of another class


def test_shares_hold_if_every_group_has_classes_of_its_own() -> None:
    groups = np.repeat(np.arange(100, dtype=np.uint32), 10)
    sides = split_units(_videos([[number // 10] for number in range(1000)], 100).grouped(groups, 100), SHARES, 0)
    assert np.bincount(sides) == pytest.approx([80, 10, 10], abs=1)


def test_classes_that_share_their_videos_are_on_both_sides() -> None:
    # The two single videos of class 2 are those of classes 0 and 1, which would both go to training.
    labels = [[0, 2], [1, 2], *([[3]] * 50)]
    _, table = _split(labels, 4, {"train": 0.9, "validate": 0.1})
    assert table[:, 2].tolist() == [1, 1]


def test_groups_stay_whole_and_have_about_the_shares() -> None:
    rng = np.random.default_rng(0)
    labels = [[int(number)] for number in rng.integers(0, 10, 1000)]
    groups = rng.integers(0, 40, 1000).astype(np.uint32)
    units = _videos(labels, 10).grouped(groups, 40)
    sides = split_units(units, SHARES, 0)
    assert sides.shape == (40,)
    sizes = np.bincount(sides[groups])
    assert sizes / 1000 == pytest.approx([0.8, 0.1, 0.1], abs=0.03)


def test_a_side_gets_a_group_even_if_all_are_large() -> None:
    units = _videos([[0]] * 90, 1).grouped(np.repeat(np.arange(3, dtype=np.uint32), 30), 3)
    assert sorted(split_units(units, SHARES, 0)) == [0, 1, 2]


def test_the_seed_decides() -> None:
    labels = [[number % 5] for number in range(100)]
    first, again, other = (_split(labels, 5, seed=seed)[0].tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_videos_without_classes_are_divided_too() -> None:
    assert np.bincount(_split([[]] * 50, 1)[0]).tolist() == [40, 5, 5]


def test_too_few_videos_are_refused_with_the_least_number() -> None:
    with pytest.raises(DataError, match=r"4 videos are too few. At least 5 are needed"):
        _split([[0]] * 4, 1)
    sides, _ = _split([[0]] * 5, 1)
    assert np.bincount(sides).tolist() == [2, 2, 1]


def test_too_few_groups_are_refused() -> None:
    units = _videos([[0]] * 90, 1).grouped(np.repeat(np.arange(2, dtype=np.uint32), 45), 2)
    with pytest.raises(DataError, match="2 groups of videos cannot be divided among train, validate, test"):
        split_units(units, SHARES, 0)


def _split_groups(sizes, shares=SHARES, seed=0, classes=lambda _, number: number % 5):
    """Split groups of videos; return the side of every group, and the number of classes without a training video."""
    groups = np.repeat(np.arange(len(sizes), dtype=np.uint32), sizes)
    labels = [[classes(int(group), number)] for number, group in enumerate(groups)]
    sides = split_units(_videos(labels, 50).grouped(groups, len(sizes)), shares, seed)
    trained = {label[0] for label, group in zip(labels, groups, strict=True) if sides[group] == 0}
    return sides, len({label[0] for label in labels} - trained)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("sizes", "shares", "expected"),
    [
        ([100] * 10, SHARES, [7, 2, 1]),
        ([100] * 5, SHARES, [2, 2, 1]),
        ([100] * 4, {"train": 0.8, "validate": 0.2}, [2, 2]),
        ([500, 150, 100, 100, 90, 60], SHARES, [3, 2, 1]),
        ([40] * 5, {"test": 0.1, "validate": 0.1, "train": 0.8}, [1, 2, 2]),
    ],
)
def test_a_hold_out_has_two_groups_where_there_are_enough(sizes, shares, expected, seed: int) -> None:
    sides, _ = _split_groups(sizes, shares, seed)
    assert np.bincount(sides, minlength=len(shares)).tolist() == expected
    assert _split_groups(sizes, shares, seed)[0].tolist() == sides.tolist()


@pytest.mark.parametrize(
    ("sizes", "shares"),
    [
        ([100] * 4, SHARES),
        ([100] * 3, {"train": 0.8, "validate": 0.2}),
        ([1000, 1, 300], {"train": 0.8, "validate": 0.2}),
    ],
)
def test_training_does_not_give_away_its_last_groups(sizes, shares) -> None:
    sides, _ = _split_groups(sizes, shares)
    assert (np.bincount(sides)[0], np.bincount(sides)[1]) == (2, 1)


def test_the_second_group_of_the_hold_out_is_like_the_first_and_takes_no_class_from_training() -> None:
    # Group 0 alone has the classes from 10; groups of 30 and of 200 videos could be spared, too.
    sizes = [101, 30, 200, 100, 100, 100, 100, 100, 100, 100]
    sides, untrained = _split_groups(sizes, classes=lambda group, n: 10 + n % 5 if group == 0 else n % 5)
    held_out = sorted(np.array(sizes)[sides == 1].tolist())
    assert held_out == [100, 100]
    assert untrained == 0
