"""What `check_shards` found."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from yt8m.config import Config
from yt8m.data.format import DataSpec, dequantize
from yt8m.data.read_report import BadRecord, DamagedShard

PERCENTILES = (1, 5, 25, 50, 75, 90, 99)


class Distribution(Config):
    """How a count (frames, labels) is spread over videos.

    Attributes:
        minimum: Smallest.
        mean: Mean.
        maximum: Largest.
        percentiles: By percentage: "1", "5", "25", "50", "75", "90", "99".
    """

    minimum: int
    mean: float
    maximum: int
    percentiles: dict[str, float]

    @classmethod
    def of(cls, counts: NDArray[np.integer]) -> Self | None:
        """The distribution of at least one count; `None` of no counts."""
        if not counts.size:
            return None
        return cls(
            minimum=int(counts.min()),
            mean=float(counts.mean()),
            maximum=int(counts.max()),
            percentiles={str(share): float(np.percentile(counts, share)) for share in PERCENTILES},
        )


class ByteStatistics(Config):
    """Bytes of a feature, over all frames of all videos.

    Attributes:
        minimum: Smallest byte.
        mean: Mean byte.
        standard_deviation: Of the bytes.
        maximum: Largest byte.
        saturated_share: Bytes that are 0 or 255.
        value_mean: Mean of the values that the bytes stand for.
    """

    minimum: int
    mean: float
    standard_deviation: float
    maximum: int
    saturated_share: float
    value_mean: float

    @classmethod
    def of(cls, histogram: NDArray[np.int64]) -> Self | None:
        """Statistics from the number of times each byte occurs, int64 (256,); `None` of no bytes."""
        total = int(histogram.sum())
        if not total:
            return None
        levels = np.arange(256)
        occurring = np.flatnonzero(histogram)
        mean = float(histogram @ levels / total)
        return cls(
            minimum=int(occurring[0]),
            mean=mean,
            standard_deviation=float(np.sqrt(histogram @ (levels - mean) ** 2 / total)),
            maximum=int(occurring[-1]),
            saturated_share=float((histogram[0] + histogram[255]) / total),
            value_mean=float(histogram @ dequantize(levels.astype(np.uint8)).astype(np.float64) / total),
        )


class DuplicateId(Config):
    """An id that more than one video has.

    Attributes:
        id: The id.
        shards: Where those videos are; a shard can occur twice.
    """

    id: str
    shards: tuple[str, ...]


class CheckReport(Config):
    """What is in shards.

    Attributes:
        spec: What was expected.
        shards: Number of shards.
        size_bytes: Of all shards.
        videos: Usable videos.
        frames: Frames per video, before any are cut.
        videos_to_be_cut: Videos with more than `max_frames` frames.
        labels: Labels in all.
        smallest_label: The smallest class that occurs.
        largest_label: The largest class that occurs.
        labels_per_video: How many labels videos have.
        unlabelled_videos: Videos without labels.
        unseen_classes: Classes that no video has.
        duplicate_ids: The first ids that more than one video has.
        num_duplicate_ids: All of them.
        features: Bytes of each feature; `None` without videos.
        damaged_shards: Shards that cannot be read to their end.
        bad_records: The first records of every shard that are no usable videos.
        num_bad_records: All of them.
    """

    spec: DataSpec
    shards: int
    size_bytes: int
    videos: int
    frames: Distribution | None
    videos_to_be_cut: int
    labels: int
    smallest_label: int | None
    largest_label: int | None
    labels_per_video: Distribution | None
    unlabelled_videos: int
    unseen_classes: tuple[int, ...]
    duplicate_ids: tuple[DuplicateId, ...]
    num_duplicate_ids: int
    features: dict[str, ByteStatistics | None]
    damaged_shards: tuple[DamagedShard, ...]
    bad_records: tuple[BadRecord, ...]
    num_bad_records: int

    @property
    def healthy(self) -> bool:
        """Whether every record of every shard is a usable video."""
        return not self.damaged_shards and not self.num_bad_records


# Duplicate ids that a report lists; all are counted.
MAX_LISTED_DUPLICATES = 100


def find_duplicates(
    ids: NDArray[np.bytes_], shards: NDArray[np.integer], uris: Sequence[str]
) -> tuple[tuple[DuplicateId, ...], int]:
    """Find ids that occur more than once.

    Args:
        ids: (N,) the videos' ids.
        shards: (N,) index of each video's shard.
        uris: The shards.

    Returns:
        The first of them in the order of ids, and how many there are.
    """
    order = np.argsort(ids, kind="stable")
    unique, first, counts = np.unique(ids[order], return_index=True, return_counts=True)
    repeated = np.flatnonzero(counts > 1)
    found = []
    for number in repeated[:MAX_LISTED_DUPLICATES]:
        places = shards[order[first[number] : first[number] + counts[number]]]
        name = unique[number].decode("utf-8", "replace")
        found.append(DuplicateId(id=name, shards=tuple(uris[place] for place in places)))
    return tuple(found), len(repeated)
