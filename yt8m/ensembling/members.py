"""Loading of the members' hold-out predictions, with a check that all are of the same videos."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from yt8m.errors import DataError
from yt8m.predictions import Predictions


def load_members(paths: Mapping[str, Path], top_k: int) -> dict[str, Predictions]:
    """Read the predictions of several models on the same videos.

    Memory is 6 * K bytes per video and member: 1.3 GB for 9 members with K = 100 on 232,072 videos.

    Args:
        paths: Predictions file of each member by name.
        top_k: Number of classes per video to score; each file must hold at least as many, or all classes.

    Returns:
        The predictions by name, in the given order.

    Raises:
        DataError: There are no members, a file holds too few classes per video, or two files differ in videos, their
            order, labels or number of classes.
    """
    if not paths:
        raise DataError("predictions: expected at least one member, received none. Name the models to combine.")
    members: dict[str, Predictions] = {}
    for name, path in paths.items():
        members[name] = Predictions.load(path)
        first = next(iter(members))
        _check_depth(members[name], path, top_k)
        _check_same(members[first], members[name], paths[first], path)
    if members[first].num_videos == 0:
        raise DataError(f"{paths[first]}: expected predictions of at least one video, received none.")
    return members


def _check_depth(member: Predictions, path: Path, top_k: int) -> None:
    needed = min(top_k, member.num_classes)
    if member.top_k < needed:
        raise DataError(
            f"{path}: expected at least the top {needed} classes of every video, received the top {member.top_k}. "
            "Evaluate again with a larger top_k."
        )


def _check_same(first: Predictions, other: Predictions, first_path: Path, path: Path) -> None:
    both = f"{first_path} and {path}"
    remedy = "Evaluate both on the same partition."
    if first.num_classes != other.num_classes:
        raise DataError(f"{both}: different number of classes, {first.num_classes} and {other.num_classes}. {remedy}")
    if first.num_videos != other.num_videos:
        raise DataError(f"{both}: different number of videos, {first.num_videos} and {other.num_videos}. {remedy}")
    differing = np.flatnonzero(first.ids != other.ids)
    if differing.size:
        at = int(differing[0])
        ids = f"{first.ids[at].decode(errors='replace')!r} and {other.ids[at].decode(errors='replace')!r}"
        raise DataError(f"{both}: different ids at video {at}, {ids}. {remedy}")
    if not (np.array_equal(first.label_ptr, other.label_ptr) and np.array_equal(first.labels, other.labels)):
        raise DataError(f"{both}: the same videos with different labels. {remedy}")
