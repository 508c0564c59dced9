"""The shards of an imported data set: which video goes to which shard."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m.data.encoding import FrameBuffer, encode_video, frame_bytes
from yt8m.data.importing.dividing.split import split_units
from yt8m.data.importing.dividing.units import Units
from yt8m.data.importing.survey import Survey
from yt8m.data.shards import LEAST_TRAINING_SHARDS, LEAST_VALIDATION_SHARDS, shard_name, shard_sizes
from yt8m.data.tfrecord import RECORD_OVERHEAD
from yt8m.errors import DataError

# Side of videos without labels in a data set in which others have labels. Neither `train*` nor `test*` matches it.
UNLABELED = "unlabeled-test"
# Least numbers of shards, first with enough videos, then with few.
_LEAST_SHARDS = {
    "train": (LEAST_TRAINING_SHARDS, 2),
    "validate": (LEAST_VALIDATION_SHARDS, 2),
    "test": (2, 1),
    UNLABELED: (1, 1),
}
_FEW_VIDEOS_PER_SHARD = 4
_SHARD_BYTES = 100_000_000


class ShardPlan(NamedTuple):
    """Shards of a data set.

    Attributes:
        videos: Number of videos by side.
        shards: Number of shards by side.
        names: Names of all shards.
        sizes: Number of videos of every shard.
        places: Index of every video's shard, (N,).
        size_bytes: Size of all shards together, estimated.
        untrained: Number of classes that have videos, but none for training. 0 if there are not both sides.
        unvalidated: Number of classes that have videos, but none for validation. 0 if there are not both sides.
        validation_groups: Number of groups on the validation side. 0 without groups, or without this side.
    """

    videos: Mapping[str, int]
    shards: Mapping[str, int]
    names: list[str]
    sizes: list[int]
    places: NDArray[np.uint32]
    size_bytes: int
    untrained: int
    unvalidated: int
    validation_groups: int


def plan_shards(
    survey: Survey,
    features: Mapping[str, int],
    num_classes: int,
    shares: Mapping[str, float],
    *,
    seed: int,
    videos_per_shard: int,
) -> ShardPlan:
    """Divide videos among sides and shards.

    Args:
        survey: What is known about the videos.
        features: Size of every feature.
        num_classes: Number of classes.
        shares: Share of the labeled videos on every side; of all videos if none has labels.
        seed: Random seed.
        videos_per_shard: Largest number of videos of a shard, if they are small.

    Returns:
        The plan. Videos without labels are on a side of their own, unless no video has labels.

    Raises:
        DataError: There are too few videos or groups.
    """
    sides, names, missing = _sides(survey, num_classes, shares, seed)
    groups = 0
    if survey.groups is not None and "validate" in names:
        groups = len(np.unique(survey.groups[sides == names.index("validate")]))
    size_bytes = _size_bytes(survey, features)
    per_shard = max(1, min(videos_per_shard, _SHARD_BYTES * survey.videos // size_bytes))
    rng = np.random.default_rng([seed, 2])
    places = np.empty(survey.videos, np.uint32)
    shards: list[str] = []
    sizes: list[int] = []
    videos, counts = {}, {}
    for side, name in enumerate(names):
        members = np.flatnonzero(sides == side)
        usual, fewest = _LEAST_SHARDS[name]
        least = min(usual, max(fewest, len(members) // _FEW_VIDEOS_PER_SHARD))
        found = shard_sizes(len(members), per_shard, least)
        numbers = np.arange(len(shards), len(shards) + len(found), dtype=np.uint32)
        places[members] = rng.permutation(np.repeat(numbers, found))
        shards += [shard_name(name, number) for number in range(len(found))]
        sizes += found
        videos[name], counts[name] = len(members), len(found)
    return ShardPlan(videos, counts, shards, sizes, places, size_bytes, *missing, groups)


def _size_bytes(survey: Survey, features: Mapping[str, int]) -> int:
    """Estimate the size of all records from that of a short one."""
    record = encode_video(b"", [0], 1, [FrameBuffer(name, size, 1) for name, size in features.items()])
    frame = sum(map(frame_bytes, features.values()))
    overhead = len(record) - frame + RECORD_OVERHEAD
    return survey.frames * frame + survey.ids_bytes + survey.videos * overhead


def _sides(
    survey: Survey, num_classes: int, shares: Mapping[str, float], seed: int
) -> tuple[NDArray[np.uint8], list[str], tuple[int, int]]:
    """Return the side of every video, the names of the sides, and how many classes training and validation lack."""
    if not survey.has_labels and set(shares) - {"test"}:
        raise DataError(
            "--split: videos without labels can be predicted, but not trained on. Give --labels, or leave --split out."
        )
    chosen = survey.class_counts > 0 if survey.has_labels else np.ones(survey.videos, np.bool_)
    videos = Units.of_videos(survey.class_counts[chosen], survey.classes, num_classes)
    if survey.groups is None:
        found = split_units(videos, shares, seed)
    else:
        kept, groups = np.unique(survey.groups[chosen], return_inverse=True)
        found = split_units(videos.grouped(groups.astype(np.uint32), len(kept)), shares, seed)[groups]
    untrained = unvalidated = 0
    if {"train", "validate"} <= shares.keys():
        counts = dict(zip(shares, videos.class_counts(found, len(shares)), strict=True))
        seen = np.sum(list(counts.values()), 0) > 0
        untrained, unvalidated = (int((seen & (counts[side] == 0)).sum()) for side in ("train", "validate"))
    sides = np.full(survey.videos, len(shares), np.uint8)
    sides[chosen] = found
    names = [*shares, *([] if chosen.all() else [UNLABELED])]
    return sides, names, (untrained, unvalidated)
