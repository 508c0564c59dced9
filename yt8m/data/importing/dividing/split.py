"""Seeded split of videos into training, validation and test videos, stratified by labels or by whole groups."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.data.importing.dividing.units import Units
from yt8m.errors import DataError
from yt8m.words import count

# Least number of videos of each side. The hold-out consists of validation shards, and one alone cannot be divided.
LEAST_VIDEOS = {"train": 2, "validate": 2, "test": 1}
# Largest part of a side's videos, and of all videos, by which it may have more or fewer than its share.
_SLACK_OF_SIDE = 0.1
_SLACK_OF_ALL = 0.01
# Units that are looked at to find one that a side can spare.
_CANDIDATES = 1000
# Groups of the validation side that suffice to divide a hold-out into videos to decide on and videos to report on.
_DIVISIBLE = 2
# Groups that a side keeps when it gives one to the validation side, and the least part of its videos. What models learn
# from a single group is not knowledge of others.
_KEPT_GROUPS = {"train": 2, "test": 1}
# Fewest groups of which training and a hold-out that can be divided are made.
LEAST_GROUPS = _KEPT_GROUPS["train"] + _DIVISIBLE
_KEPT_SHARE = 0.5
_UNASSIGNED = 255


def split_units(units: Units, shares: Mapping[str, float], seed: int) -> NDArray[np.uint8]:
    """Assign units to sides, so that the videos of every class are divided as the shares say.

    For single videos, the rarest class comes first. Each of its videos, in random order, goes to the side that lacks
    most videos of this class, or the largest share of its videos if that is equal (Sechidis et al., On the
    Stratification of Multi-Label Data, 2011, with the classes in a fixed order). Every class gets a video for training
    first. Classes that are too rare for a whole video of the validation share get one while the share lasts, the less
    rare ones first. A side may have a tenth more videos than its share, and at most 1% of all videos.

    Groups stay whole. From the largest to the smallest, each goes to the side where the squared differences between the
    videos that a side has and those that it should have, of all classes and in total, increase least. A side that would
    get more than its share takes no group, unless all would. If the validation side has one group, it gets a second one
    from training, or else from the test, where these can spare it; see `_add_validation_group`.

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
    if units.weights is not None and {"train", "validate"} <= shares.keys():
        _add_validation_group(units, sides, names, rank)
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


def _add_validation_group(units: Units, sides: NDArray[np.uint8], names: list[str], rank: NDArray[np.uint32]) -> None:
    """Move a group to the validation side if it has only one, from a side that can spare it; first from training.

    It is a group without which no class lacks training videos, where there is one. Among these it is the one that is
    most like the group of the validation side, in the numbers of its videos of every class and of all.
    """
    validation = names.index("validate")
    own = np.flatnonzero(sides == validation)
    if len(own) >= _DIVISIBLE:
        return
    ends = units.ends()

    def counts_of(unit: int) -> NDArray[np.int64]:
        entries = slice(ends[unit], ends[unit + 1])
        assert units.weights is not None
        found = np.bincount(units.classes[entries], units.weights[entries], units.num_classes)
        return np.append(found, units.sizes[unit]).astype(np.int64)

    wanted = counts_of(int(own[0]))
    for name in sorted(set(names) & _KEPT_GROUPS.keys(), reverse=True):
        donor = names.index(name)
        members = np.flatnonzero(sides == donor)
        videos = int(units.sizes[members].sum())
        kept = max(LEAST_VIDEOS[name], _KEPT_SHARE * videos)
        spare = members[videos - units.sizes[members].astype(np.int64) >= kept]
        if len(members) <= _KEPT_GROUPS[name] or not len(spare):
            continue
        # Those of similar size, if there are many.
        spare = spare[np.lexsort((rank[spare], abs(units.sizes[spare].astype(np.int64) - wanted[-1])))][:_CANDIDATES]
        training = units.class_counts(sides, len(names))[donor] if name == "train" else np.zeros(units.num_classes)

        def cost(unit: int, training: NDArray[Any] = training) -> tuple[int, int]:
            counts = counts_of(unit)
            lost = int(((counts[:-1] > 0) & (counts[:-1] == training)).sum())
            return lost, int(((counts - wanted) ** 2).sum())

        sides[min(spare.tolist(), key=cost)] = validation
        return
