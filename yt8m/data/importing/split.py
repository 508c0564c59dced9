"""Seeded split of videos into training, validation and test videos, stratified by labels or by whole groups."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import DataError
from yt8m.words import count

# Least number of videos of each side. The hold-out consists of validation shards, and one alone cannot be divided.
LEAST_VIDEOS = {"train": 2, "validate": 2, "test": 1}
# Largest part of a side's videos, and of all videos, by which it may have more or fewer than its share.
_SLACK_OF_SIDE = 0.1
_SLACK_OF_ALL = 0.01
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
    Stratification of Multi-Label Data, 2011, with the classes in a fixed order). Every class gets a video for training
    first. Classes that are too rare for a whole video of the validation share get one while the share lasts, the less
    rare ones first. A side may have a tenth more videos than its share, and at most 1% of all videos.

    Groups stay whole. From the largest to the smallest, each goes to the side where the squared differences between the
    videos that a side has and those that it should have, of all classes and in total, increase least. A side that would
    get more than its share takes no group, unless all would.

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
            _put_on_both_sides(units, sides, shares)
    _fill(units, sides, names, rank)
    return sides


def _slack(share: float, total: int) -> float:
    """Return by how many of `total` a side may miss its share."""
    return max(1.0, min(_SLACK_OF_SIDE * share, _SLACK_OF_ALL) * total)


def _assign_videos(units: Units, shares: list[float], names: list[str], rank: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Assign single videos one after the other, class by class; `rank` orders those of a class."""
    counts = np.bincount(units.classes, minlength=units.num_classes)
    order = np.lexsort((np.random.default_rng(rank[:1]).permutation(len(counts)), counts))
    needs = _needs(counts, order[np.searchsorted(counts[order], 1) :].tolist(), shares, names)
    wanted = [share * len(units.sizes) for share in shares]
    slack = [_slack(share, len(units.sizes)) for share in shares]
    lacking = list(wanted)
    sides = np.full(len(units.sizes), _UNASSIGNED, np.uint8)
    ends = units.ends()

    def place(video: int, row: list[int]) -> None:
        # Shares add up to 1, so there is a side with less than its share.
        free = [side for side in range(len(shares)) if lacking[side] + slack[side] >= 1]
        side = max(free, key=lambda each: (row[each], lacking[each] / wanted[each]))
        sides[video] = side
        lacking[side] -= 1
        for number in units.classes[ends[video] : ends[video + 1]].tolist():
            needs[number][side] -= 1

    by_class = np.lexsort((rank[units.owners], units.classes))
    starts = np.cumsum(counts) - counts
    for number in order.tolist():
        for entry in by_class[starts[number] : starts[number] + counts[number]]:
            video = int(units.owners[entry])
            if sides[video] == _UNASSIGNED:
                place(video, needs[number])
    for video in np.argsort(rank):
        if sides[video] == _UNASSIGNED:
            place(int(video), [0] * len(shares))
    return sides


def _needs(counts: NDArray[np.int64], order: list[int], shares: list[float], names: list[str]) -> list[list[int]]:
    """Return the number of videos that every side should get, by class.

    What rounding takes from a side is given to it at the next classes.

    Args:
        counts: Number of videos by class.
        order: Classes with videos, the rarest first.
        shares: Share of every side.
        names: Names of the sides.
    """
    needs = [[0] * len(shares) for _ in counts]
    rare = 0
    if {"train", "validate"} <= set(names):
        rare = int(np.searchsorted(counts[order] * shares[names.index("validate")], 1))
        _needs_of_rare(needs, counts, order[:rare], dict(zip(names, shares, strict=True)))
    owed = [0.0] * len(shares)
    for number in order[rare:]:
        exact = [share * int(counts[number]) for share in shares]
        rounded = [int(each + 1e-9) for each in exact]
        for _ in range(int(counts[number]) - sum(rounded)):
            lacks = [each + debt - given for each, debt, given in zip(exact, owed, rounded, strict=True)]
            rounded[lacks.index(max(lacks))] += 1
        if "train" in names and not rounded[names.index("train")]:
            rounded[rounded.index(max(rounded))] -= 1
            rounded[names.index("train")] = 1
        owed = [debt + each - given for debt, each, given in zip(owed, exact, rounded, strict=True)]
        needs[number] = rounded
    return needs


def _needs_of_rare(
    needs: list[list[int]], counts: NDArray[np.int64], order: list[int], shares: Mapping[str, float]
) -> None:
    """Set the needs of classes of which the validation side should get less than one video.

    Args:
        needs: Number of videos by class and side, to be changed.
        counts: Number of videos by class.
        order: These classes, the rarest first.
        shares: Share of every side.
    """
    sides = {name: side for side, name in enumerate(shares)}
    total = int(counts[order].sum())
    for number in order:
        needs[number][sides["train"]] = int(counts[number])

    def give(name: str, wanted: int, candidates: list[int], least: int) -> int:
        """Move a video of each class from training to another side; return how many are still wanted."""
        chosen = [number for number in candidates if needs[number][sides["train"]] > least][: max(wanted, 0)]
        for number in chosen:
            needs[number][sides["train"]] -= 1
            needs[number][sides[name]] += 1
        return wanted - len(chosen)

    extra = int(_slack(shares["validate"], int(counts.sum())))
    held_out = give("validate", round(shares["validate"] * total) + extra, order[::-1], 1) - extra
    tested, before = round(shares.get("test", 0) * total), 0
    others = sorted(order, key=lambda number: (needs[number][sides["validate"]], -counts[number]))
    while tested != before:
        before, tested = tested, give("test", tested, others, 1)
    give("test", tested, order, 0)
    give("validate", held_out, order, 0)


def _assign_groups(
    units: Units, weights: NDArray[np.int64], shares: NDArray[np.float64], rank: NDArray[np.uint32]
) -> NDArray[np.uint8]:
    """Assign groups one after the other, from the largest to the smallest; `rank` orders groups of equal size."""
    counts = np.bincount(units.classes, weights, units.num_classes)
    # Number of videos that every side should have and still lacks, by class; the last column counts all videos.
    wanted = shares[:, None] * np.append(counts, units.sizes.sum())
    lacking = wanted.copy()
    slack = np.array([_slack(share, int(units.sizes.sum())) for share in shares])
    sides = np.full(len(units.sizes), _UNASSIGNED, np.uint8)
    ends = units.ends()
    for group in np.lexsort((rank, -units.sizes.astype(np.int64))):
        entries = slice(ends[group], ends[group + 1])
        columns = np.append(units.classes[entries].astype(np.int64), units.num_classes)
        videos = np.append(weights[entries], units.sizes[group])
        increase = ((videos**2 - 2 * videos * lacking[:, columns]) / wanted[:, columns]).sum(1)
        left = lacking[:, -1] + slack - units.sizes[group]
        side = int(np.where(left >= 0, increase, np.inf).argmin() if (left >= 0).any() else left.argmax())
        sides[group] = side
        lacking[side, columns] -= videos
    return sides


def _put_on_both_sides(units: Units, sides: NDArray[np.uint8], shares: Mapping[str, float]) -> None:
    """Move videos of classes that are missing in training or validation, where shares and other classes allow it."""
    names = list(shares)
    counts = units.class_counts(sides, len(names))
    totals = counts.sum(0)
    sizes = np.bincount(sides, minlength=len(names))
    wanted = np.array(list(shares.values())) * len(sides)
    slack = np.array([_slack(share, len(sides)) for share in shares.values()])
    required = [names.index("train"), names.index("validate")]
    ends = units.ends()
    for side, least in zip(required, (1, 2), strict=True):
        for number in np.flatnonzero((totals >= least) & (counts[side] == 0)):
            if sizes[side] + 1 > wanted[side] + slack[side]:
                break
            for unit in units.owners[units.classes == number].tolist():
                classes = units.classes[ends[unit] : ends[unit + 1]]
                here = int(sides[unit])
                if sizes[here] - 1 < wanted[here] - slack[here]:
                    continue
                if here in required and np.any((counts[here, classes] < 2) & (totals[classes] >= 2)):
                    continue
                counts[here, classes] -= 1
                counts[side, classes] += 1
                sizes[here] -= 1
                sizes[side] += 1
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
                groups = count(len(units.sizes), "group")
                raise DataError(
                    f"--split: {groups} of videos cannot be divided among {', '.join(names)} so that each has enough "
                    f"videos ({name}: at least {LEAST_VIDEOS[name]}). Use smaller groups, or leave a side out."
                )
            unit = max(
                spare, key=lambda each: int(counts[units.classes[ends[each] : ends[each + 1]]].min(initial=10**9))
            )
            sides[unit] = side
            sizes[donor] -= units.sizes[unit]
            sizes[side] += units.sizes[unit]
