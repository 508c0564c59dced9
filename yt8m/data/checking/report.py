"""Result of checking shards: statistics of the videos, duplicates and defects."""

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from yt8m.config import Config
from yt8m.data.format import DataSpec, dequantize, id_text
from yt8m.data.read_report import BadRecord, DamagedShard
from yt8m.data.vocabulary.names import ClassNames

PERCENTILES = (1, 5, 25, 50, 75, 90, 99)
# Maximum number of unseen classes in a summary; more are only counted.
MAX_LISTED_CLASSES = 20
# Maximum number of duplicate ids in a report; further ones are only counted.
MAX_LISTED_DUPLICATES = 100


class Distribution(Config):
    """Distribution of a count per video, such as frames or labels.

    Attributes:
        minimum: Smallest count.
        mean: Mean count.
        maximum: Largest count.
        percentiles: Percentiles by percentage: "1", "5", "25", "50", "75", "90", "99".
    """

    minimum: int
    mean: float
    maximum: int
    percentiles: dict[str, float]

    @classmethod
    def of(cls, counts: NDArray[np.integer]) -> Self | None:
        """Compute the distribution of counts; return None if there are none."""
        if not counts.size:
            return None
        return cls(
            minimum=int(counts.min()),
            mean=float(counts.mean()),
            maximum=int(counts.max()),
            percentiles={str(share): float(np.percentile(counts, share)) for share in PERCENTILES},
        )


class ByteStatistics(Config):
    """Statistics of the bytes of a feature over all frames of all videos.

    Attributes:
        minimum: Smallest byte.
        mean: Mean byte.
        standard_deviation: Standard deviation of the bytes.
        maximum: Largest byte.
        saturated_share: Share of the bytes that are 0 or 255.
        value_mean: Mean of the dequantized values.
    """

    minimum: int
    mean: float
    standard_deviation: float
    maximum: int
    saturated_share: float
    value_mean: float

    @classmethod
    def of(cls, histogram: NDArray[np.int64], low: float, high: float) -> Self | None:
        """Compute the statistics of a feature; return None if it has no bytes.

        Args:
            histogram: How often every byte occurs, int64 (256,).
            low: Lowest value of the feature's range.
            high: Highest value of the feature's range.
        """
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
            value_mean=float(histogram @ dequantize(levels.astype(np.uint8), low, high).astype(np.float64) / total),
        )


class DuplicateId(Config):
    """An id that occurs more than once.

    Attributes:
        id: Id of the videos.
        shards: URI of each video's shard; a shard with two such videos occurs twice.
    """

    id: str
    shards: tuple[str, ...]


class CheckReport(Config):
    """Statistics, duplicates and defects of shards.

    Attributes:
        spec: Expected features, classes and length.
        shards: Number of shards.
        size_bytes: Total size of the shards.
        videos: Number of usable videos.
        frames: Distribution of the frames per video before truncation; None without videos.
        videos_to_be_cut: Number of videos with more than `max_frames` frames, which readers truncate.
        labels: Total number of labels.
        smallest_label: Smallest class that occurs; None without labels.
        largest_label: Largest class that occurs; None without labels.
        labels_per_video: Distribution of the labels per video; None without videos.
        unlabelled_videos: Number of videos without labels.
        unseen_classes: Classes without a video.
        duplicate_ids: First ids that occur more than once, in the order of ids.
        num_duplicate_ids: Total number of ids that occur more than once.
        features: Byte statistics of each feature; None without videos.
        damaged_shards: Shards that cannot be read to their end.
        bad_records: First bad records of every shard.
        num_bad_records: Total number of bad records.
        diagnosis: What the bad records have and how to read them, or doubts about the labels; often empty.
        doubts: What may be wrong with the features, in sentences.
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
    diagnosis: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """True if every record of every shard is a usable video."""
        return not self.damaged_shards and not self.num_bad_records

    def summary(self, names: ClassNames) -> Iterator[tuple[str, str]]:
        """Yield lines that describe the shards and videos, as pairs of a name and a text; defects are not listed.

        Args:
            names: Names of the classes.
        """
        unseen = self.unseen_classes
        few = f": {', '.join(map(names.label, unseen))}" if 0 < len(unseen) <= MAX_LISTED_CLASSES else ""
        labels = ""
        if self.smallest_label is not None and self.largest_label is not None:
            labels = f", from {names.label(self.smallest_label)} to {names.label(self.largest_label)}"
        yield "shards", f"{self.shards:,} ({self.size_bytes:,} bytes), {len(self.damaged_shards)} damaged"
        yield "videos", f"{self.videos:,}, plus {self.num_bad_records:,} bad records"
        yield from _describe(self.frames, "frames per video")
        yield "truncated videos", f"{self.videos_to_be_cut:,} with more than {self.spec.max_frames} frames"
        yield "labels", f"{self.labels:,}{labels}"
        yield from _describe(self.labels_per_video, "labels per video")
        yield "unlabeled videos", f"{self.unlabelled_videos:,}"
        yield "unseen classes", f"{len(unseen):,} of {self.spec.num_classes:,}{few}"
        yield "duplicate ids", f"{self.num_duplicate_ids:,}"
        for name, found in self.features.items():
            text = "no bytes"
            if found:
                text = (
                    f"{found.minimum} to {found.maximum}, mean {found.mean:.1f}, sd {found.standard_deviation:.1f}, "
                    f"{found.saturated_share:.1%} saturated; mean value {found.value_mean:.3f}"
                )
            yield f"bytes of {name}", text


def _describe(found: Distribution | None, name: str) -> Iterator[tuple[str, str]]:
    if not found:
        yield name, "none"
        return
    yield name, f"{found.minimum} to {found.maximum}, mean {found.mean:.1f}"
    yield f"  percentiles {'/'.join(found.percentiles)}", "/".join(f"{value:g}" for value in found.percentiles.values())


def find_duplicates(
    ids: NDArray[np.bytes_], shards: NDArray[np.integer], uris: Sequence[str]
) -> tuple[tuple[DuplicateId, ...], int]:
    """Find ids that occur more than once.

    Args:
        ids: Ids of the videos, (N,).
        shards: Index of each video's shard in `uris`, (N,).
        uris: URIs of the shards.

    Returns:
        The first duplicate ids in the order of ids, and the total number of duplicate ids.
    """
    order = np.argsort(ids, kind="stable")
    unique, first, counts = np.unique(ids[order], return_index=True, return_counts=True)
    repeated = np.flatnonzero(counts > 1)
    found = []
    for number in repeated[:MAX_LISTED_DUPLICATES]:
        places = shards[order[first[number] : first[number] + counts[number]]]
        name = id_text(unique[number])
        found.append(DuplicateId(id=name, shards=tuple(uris[place] for place in places)))
    return tuple(found), len(repeated)
