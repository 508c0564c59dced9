"""Seeded split of videos into training, validation and test videos, stratified by labels or by whole groups."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import DataError

# Least number of videos of each side. The hold-out consists of validation shards, and one alone cannot be divided.
LEAST_VIDEOS = {"train": 2, "validate": 2, "test": 1}
# Units that are looked at to find one that a side can spare.
_CANDIDATES = 1000
_UNASSIGNED = 255


class Units:
    """What stays on one side: single videos, or groups of videos.

    Args:
        sizes: Number of videos of every unit, (U,).
        owners: Unit of every entry of `classes`, ascending, (E,).
        classes: Class that occurs in the unit, (E,).
        weights: Number of the unit's videos with that class, (E,). None means 1.
        num_classes: Number of classes.
    """

    def __init__(
        self,
        sizes: NDArray[np.integer],
        owners: NDArray[np.uint32],
        classes: NDArray[np.uint16],
        weights: NDArray[np.int64] | None,
        num_classes: int,
    ) -> None:
        self.sizes, self.owners, self.classes, self.weights = sizes, owners, classes, weights
        self.num_classes = num_classes

    @classmethod
    def of_videos(cls, counts: NDArray[np.uint16], classes: NDArray[np.uint16], num_classes: int) -> "Units":
        """Make a unit of every video.

        Args:
            counts: Number of classes of every video, (N,).
            classes: Classes of all videos, one video after the other, (E,).
            num_classes: Number of classes.
        """
        owners = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)
        return cls(np.ones(len(counts), np.uint8), owners, classes, None, num_classes)

    def grouped(self, groups: NDArray[np.uint32], num_groups: int) -> "Units":
        """Join videos to groups.

        Args:
            groups: Number of every video's group, (N,).
            num_groups: Number of groups.
        """
        pairs = groups[self.owners].astype(np.int64) * self.num_classes + self.classes
        pairs, weights = np.unique(pairs, return_counts=True)
        owners, classes = np.divmod(pairs, self.num_classes)
        sizes = np.bincount(groups, minlength=num_groups)
        return Units(sizes, owners.astype(np.uint32), classes.astype(np.uint16), weights, self.num_classes)

    def ends(self) -> NDArray[np.int64]:
        """Return where the entries of every unit begin, and where the last ones end, (U + 1,)."""
        return np.searchsorted(self.owners, np.arange(len(self.sizes) + 1, dtype=np.uint32))

    def class_counts(self, sides: NDArray[np.uint8], num_sides: int) -> NDArray[np.int64]:
        """Count the videos of every class on every side, (S, C)."""
        places = sides[self.owners].astype(np.int64) * self.num_classes + self.classes
        counts = np.bincount(places, self.weights, num_sides * self.num_classes)
        return counts.astype(np.int64).reshape(num_sides, self.num_classes)


def split_units(units: Units, shares: Mapping[str, float], seed: int) -> NDArray[np.uint8]:
    """Assign units to sides, so that the videos of every class are divided as the shares say.

    For single videos, the rarest class comes first. Each of its videos, in random order, goes to the side that lacks
    most videos of this class, or the largest share of its videos if that is equal (Sechidis et al., On the
    Stratification of Multi-Label Data, 2011, with the classes in a fixed order). A class with two or more videos gets
    at least one on the training and on the validation side, as far as the other classes of its videos allow.

    Groups stay whole. From the largest to the smallest, each goes to the side where the squared differences between the
    videos that a side has and those that it should have, of all classes and in total, increase least.

    Args:
        units: Videos, or groups of videos.
        shares: Share of the videos on every side.
        seed: Random seed.

    Returns:
        Index of every unit's side in `shares`, (U,).

    Raises:
        DataError: There are too few units.
    """
    names = list(shares)
    least = [LEAST_VIDEOS[name] for name in names]
    total = int(units.sizes.sum())
    if total < sum(least):
        parts = ", ".join(f"{count} for {name}" for name, count in zip(names, least, strict=True))
        raise DataError(
            f"--split: {total} videos are too few. At least {sum(least)} are needed ({parts}). Import more videos, or "
            "leave a side out."
        )
    rank = np.random.default_rng([seed, 1]).permutation(len(units.sizes)).astype(np.uint32)
    if units.weights is not None:
        sides = _assign_groups(units, units.weights, np.array(list(shares.values())), rank)
    else:
        sides = _assign_videos(units, list(shares.values()), names, rank)
        if {"train", "validate"} <= shares.keys():
            _put_on_both_sides(units, sides, names)
    _fill(units, sides, names, rank)
    return sides


def _assign_videos(units: Units, shares: list[float], names: list[str], rank: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Assign single videos one after the other, class by class; `rank` orders those of a class."""
    counts = np.bincount(units.classes, minlength=units.num_classes)
    needs = _needs(counts, shares, names)
    wanted = [share * len(units.sizes) for share in shares]
    lacking = list(wanted)
    sides = np.full(len(units.sizes), _UNASSIGNED, np.uint8)
    ends = units.ends()

    def place(video: int, row: list[int]) -> None:
        side = max(range(len(shares)), key=lambda each: (row[each], lacking[each] / wanted[each]))
        sides[video] = side
        lacking[side] -= 1
        for number in units.classes[ends[video] : ends[video + 1]].tolist():
            needs[number][side] -= 1

    by_class = np.lexsort((rank[units.owners], units.classes))
    starts = np.cumsum(counts) - counts
    for number in np.argsort(counts, kind="stable").tolist():
        for entry in by_class[starts[number] : starts[number] + counts[number]]:
            video = int(units.owners[entry])
            if sides[video] == _UNASSIGNED:
                place(video, needs[number])
    for video in np.argsort(rank):
        if sides[video] == _UNASSIGNED:
            place(int(video), [0] * len(shares))
    return sides


def _needs(counts: NDArray[np.int64], shares: list[float], names: list[str]) -> list[list[int]]:
    """Return the number of videos that every side should get, by class.

    What rounding takes from a side is given to it at the next classes.

    Args:
        counts: Number of videos by class.
        shares: Share of every side.
        names: Names of the sides.
    """
    needs: list[list[int]] = [[] for _ in counts]
    owed = [0.0] * len(shares)
    required = [side for side, name in enumerate(names) if name in {"train", "validate"}]
    for number in np.argsort(counts, kind="stable").tolist():
        count = int(counts[number])
        exact = [share * count for share in shares]
        rounded = [int(each + 1e-9) for each in exact]
        for _ in range(count - sum(rounded)):
            lacks = [each + debt - given for each, debt, given in zip(exact, owed, rounded, strict=True)]
            rounded[lacks.index(max(lacks))] += 1
        if count >= len(required):
            for side in required:
                if not rounded[side]:
                    rounded[rounded.index(max(rounded))] -= 1
                    rounded[side] = 1
        owed = [debt + each - given for debt, each, given in zip(owed, exact, rounded, strict=True)]
        needs[number] = rounded
    return needs


def _assign_groups(
    units: Units, weights: NDArray[np.int64], shares: NDArray[np.float64], rank: NDArray[np.uint32]
) -> NDArray[np.uint8]:
    """Assign groups one after the other, from the largest to the smallest; `rank` orders groups of equal size."""
    counts = np.bincount(units.classes, weights, units.num_classes)
    # Number of videos that every side should have and still lacks, by class; the last column counts all videos.
    wanted = shares[:, None] * np.append(counts, units.sizes.sum())
    lacking = wanted.copy()
    sides = np.full(len(units.sizes), _UNASSIGNED, np.uint8)
    ends = units.ends()
    for group in np.lexsort((rank, -units.sizes.astype(np.int64))):
        entries = slice(ends[group], ends[group + 1])
        columns = np.append(units.classes[entries].astype(np.int64), units.num_classes)
        videos = np.append(weights[entries], units.sizes[group])
        increase = (videos**2 - 2 * videos * lacking[:, columns]) / wanted[:, columns]
        side = int(increase.sum(1).argmin())
        sides[group] = side
        lacking[side, columns] -= videos
    return sides


def _put_on_both_sides(units: Units, sides: NDArray[np.uint8], names: list[str]) -> None:
    """Move videos of classes that are missing on the training or validation side, where no other class suffers."""
    counts = units.class_counts(sides, len(names))
    totals = counts.sum(0)
    required = [names.index("train"), names.index("validate")]
    ends = units.ends()
    for side in required:
        for number in np.flatnonzero((totals >= 2) & (counts[side] == 0)):
            for unit in units.owners[units.classes == number].tolist():
                classes = units.classes[ends[unit] : ends[unit + 1]]
                here = int(sides[unit])
                if here in required and np.any((counts[here, classes] < 2) & (totals[classes] >= 2)):
                    continue
                counts[here, classes] -= 1
                counts[side, classes] += 1
                sides[unit] = side
                break


def _fill(units: Units, sides: NDArray[np.uint8], names: list[str], rank: NDArray[np.uint32]) -> None:
    """Move units to sides that have too few videos, from the largest side."""
    sizes = np.bincount(sides, units.sizes, len(names)).astype(np.int64)
    ends = units.ends()
    for side, name in enumerate(names):
        while sizes[side] < LEAST_VIDEOS[name]:
            donor = int(sizes.argmax())
            counts = units.class_counts(sides, len(names))[donor]
            candidates = np.flatnonzero(sides == donor)
            candidates = candidates[np.lexsort((rank[candidates], units.sizes[candidates]))][:_CANDIDATES]
            spare = [unit for unit in candidates if sizes[donor] - units.sizes[unit] >= LEAST_VIDEOS[names[donor]]]
            if donor == side or not spare:
                raise DataError(
                    f"--split: {len(units.sizes)} groups of videos cannot be divided among {', '.join(names)} so that "
                    f"each has enough videos ({name}: at least {LEAST_VIDEOS[name]}). Use smaller groups, or leave a "
                    "side out."
                )
            unit = max(
                spare, key=lambda each: int(counts[units.classes[ends[each] : ends[each + 1]]].min(initial=10**9))
            )
            sides[unit] = side
            sizes[donor] -= units.sizes[unit]
            sizes[side] += units.sizes[unit]
