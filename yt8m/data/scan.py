"""Quick scan of shards: counts of videos, classes, frames and bytes, reading one frame of each video."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m import storage
from yt8m.data.checking.diagnosis import diagnose
from yt8m.data.checking.labels import explain_missing_labels, first_records
from yt8m.data.format import DataSpec, clipped_share, id_text
from yt8m.data.partition import Partition, Shard
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import data_errors, stream_videos
from yt8m.data.stream import OnBad
from yt8m.errors import DataError
from yt8m.holdout import Division, hash_keys
from yt8m.progress import progress

Dataset = Any
Batch = dict[str, NDArray[Any]]

_BATCH_SIZE = 256


@dataclass(frozen=True)
class FeatureBytes:
    """Bytes of a feature in the middle frames of videos.

    Attributes:
        clipped_share: Share of the bytes that are at an end of the range, where values outside of it are.
        constant: Whether all videos have the same bytes.
    """

    clipped_share: float
    constant: bool


@dataclass(frozen=True)
class Scan:
    """Counts over shards.

    Attributes:
        shards: Shards with at least one usable video.
        class_counts: Number of videos per class, int64 (C,).
        num_frames: Total number of frames.
        labeled: Number of videos with a label, by shard.
        fewest_labels: Smallest number of labels of a video, copies of shards included; 0 without videos.
        most_labels: Largest number of labels of a video, copies of shards included.
        id_hashes: Hash of the id of every video, int64 (N,), in the order of the shards.
        group_hashes: Hash of the group of every video, or of its id if it has none, with the seed of the scan, uint64
            (N,); see `yt8m.holdout`. Empty without a seed.
        has_label: Whether every video has a label, bool (N,).
        frame_level: Number of videos with lists of frames, by shard. The others have one vector each.
        features: Bytes of each feature, copies of shards included.
    """

    shards: tuple[Shard, ...]
    class_counts: NDArray[np.int64]
    num_frames: int
    labeled: Mapping[str, int]
    fewest_labels: int
    most_labels: int
    id_hashes: NDArray[np.int64]
    group_hashes: NDArray[np.uint64]
    has_label: NDArray[np.bool_]
    frame_level: Mapping[str, int]
    features: Mapping[str, FeatureBytes]

    @property
    def videos(self) -> int:
        """Number of usable videos `N`."""
        return len(self.id_hashes)

    @property
    def ends(self) -> NDArray[np.int64]:
        """Index after the last video of each shard."""
        return np.cumsum([shard.videos for shard in self.shards])

    def place_of(self, video: int) -> tuple[str, int]:
        """Return the URI of the shard with the video of this index, and the index within the shard."""
        ends = self.ends
        shard = self.shards[number := int(np.searchsorted(ends, video, side="right"))]
        return shard.uri, video - int(ends[number]) + shard.videos

    def videos_in(self, other: "Scan") -> NDArray[np.int64]:
        """Return the indices of the videos whose id a video of another scan has."""
        return np.flatnonzero(np.isin(self.id_hashes, other.id_hashes))

    def count_select(self, division: Division) -> tuple[int, ...]:
        """Count the videos of each shard that decide under a division of these videos."""
        select = ~division.hashes_in_report(self.group_hashes)
        return tuple(int(each.sum()) for each in np.split(select, self.ends[:-1]))

    def without(self, part: "Scan") -> "Scan":
        """Return the counts without those of some of the shards."""
        left_out = {shard.uri for shard in part.shards}
        kept = np.repeat([shard.uri not in left_out for shard in self.shards], [shard.videos for shard in self.shards])
        return Scan(
            shards=tuple(shard for shard in self.shards if shard.uri not in left_out),
            class_counts=self.class_counts - part.class_counts,
            num_frames=self.num_frames - part.num_frames,
            labeled={uri: count for uri, count in self.labeled.items() if uri not in left_out},
            fewest_labels=self.fewest_labels,
            most_labels=self.most_labels,
            id_hashes=self.id_hashes[kept],
            group_hashes=self.group_hashes[kept] if self.group_hashes.size else self.group_hashes,
            has_label=self.has_label[kept],
            frame_level={uri: count for uri, count in self.frame_level.items() if uri not in left_out},
            features=self.features,
        )


def scan_shards(
    uris: Sequence[str],
    spec: DataSpec,
    on_bad: OnBad,
    report: ReadReport,
    description: str,
    *,
    group_seed: int | None = None,
) -> Scan:
    """Read shards to their end and count their videos, with a progress bar.

    Args:
        uris: Paths or URIs of the shards.
        spec: Expected features, classes and length.
        on_bad: `skip` to leave out bad records and the rest of damaged shards, `fail` to stop at the first.
        report: Collector of bad records and damaged shards.
        description: Label of the progress bar.
        group_seed: Seed of the hashes of groups. None leaves them out.

    Returns:
        Counts, sizes and checksums.

    Raises:
        DataError: A bad record or damaged shard under `fail`.
        StorageError: A shard cannot be opened.
    """
    videos = np.zeros(len(uris), np.int64)
    class_counts = np.zeros(spec.num_classes, np.int64)
    labeled = np.zeros(len(uris), np.int64)
    fewest, most = spec.num_classes, 0
    id_hashes, group_hashes, has_label = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)], [np.zeros(0, np.bool_)]
    frame_level = np.zeros(len(uris), np.int64)
    found = _Bytes(spec)
    frames = 0
    stream = stream_videos(uris, spec, on_bad, report, with_frames=False)
    counted = stream.map(_counted_columns)
    for batch in iterate_with_progress(counted, uris, report, description):
        videos += np.bincount(batch["shard"], minlength=len(uris))
        class_counts += batch["labels"].sum(0, dtype=np.int64)
        frames += int(batch["num_frames"].sum())
        labels = batch["labels"].sum(1, dtype=np.int64)
        labeled += np.bincount(batch["shard"][labels > 0], minlength=len(uris))
        fewest, most = min(fewest, int(labels.min())), max(most, int(labels.max()))
        frame_level += np.bincount(batch["shard"][batch["frame_level"]], minlength=len(uris))
        found.add(batch["frames"][:, 0])
        id_hashes.append(batch["id_hashes"])
        has_label.append(labels > 0)
        if group_seed is not None:
            group_hashes.append(hash_keys(batch["groups"], group_seed))
    shards = tuple(
        Shard(uri=uri, videos=int(count), size_bytes=storage.stat(uri).size, checksum=report.checksums[uri])
        for uri, count in zip(uris, videos, strict=True)
        if count
    )
    return Scan(
        shards=shards,
        class_counts=class_counts,
        num_frames=frames,
        labeled={uri: int(count) for uri, count, used in zip(uris, labeled, videos, strict=True) if used},
        fewest_labels=fewest if shards else 0,
        most_labels=most,
        id_hashes=np.concatenate(id_hashes),
        group_hashes=np.concatenate(group_hashes),
        has_label=np.concatenate(has_label),
        frame_level={uri: int(count) for uri, count, used in zip(uris, frame_level, videos, strict=True) if used},
        features=found.by_feature(),
    )


class _Bytes:
    """Running statistics of the bytes of each feature."""

    def __init__(self, spec: DataSpec) -> None:
        self._spec = spec
        self._smallest = np.full(spec.num_features, 255, np.uint8)
        self._largest = np.zeros(spec.num_features, np.uint8)
        self._extreme = np.zeros((2, spec.num_features), np.int64)
        self._videos = 0

    def add(self, frames: NDArray[np.uint8]) -> None:
        np.minimum(self._smallest, frames.min(0), out=self._smallest)
        np.maximum(self._largest, frames.max(0), out=self._largest)
        self._extreme += [(frames == byte).sum(0) for byte in (0, 255)]
        self._videos += len(frames)

    def by_feature(self) -> dict[str, FeatureBytes]:
        first, found = 0, {}
        for name, size in self._spec.features.items():
            values = slice(first, first + size)
            lowest, highest = self._extreme[:, values].sum(1).tolist()
            found[name] = FeatureBytes(
                clipped_share=clipped_share(lowest, highest, self._videos * size, *self._spec.range_of(name)),
                constant=bool((self._smallest[values] >= self._largest[values]).all()),
            )
            first += size
        return found


def _counted_columns(video: dict[str, Any]) -> dict[str, Any]:
    # A hash takes 8 bytes, whatever the length of the id.
    hashes = tf.strings.to_hash_bucket_fast(video["ids"], np.iinfo(np.int64).max)
    kept = ("shard", "num_frames", "labels", "groups", "frame_level", "frames")
    return {name: video[name] for name in kept} | {"id_hashes": hashes}


def read_ids(uri: str, spec: DataSpec) -> list[str]:
    """Read the ids of the usable videos of a shard, in file order."""
    videos = stream_videos([uri], spec, "skip", ReadReport(log=False), with_frames=False)
    with data_errors():
        ids = list(videos.map(lambda video: video["ids"]).as_numpy_iterator())
    return [id_text(video_id) for video_id in ids]


def name_video(scan: Scan, number: int, spec: DataSpec) -> str:
    """Name the video of this index by its id and its shard, which is read."""
    uri, index = scan.place_of(number)
    return f"'{read_ids(uri, spec)[index]}' in {uri}"


def hold_out_all(uris: Sequence[str], spec: DataSpec, on_bad: OnBad) -> Partition:
    """Scan labeled shards and return a partition that holds out all of them.

    Raises:
        DataError: No video has a label, or as in `scan_shards`.
    """
    report = ReadReport()
    scan = scan_shards(uris, spec, on_bad, report, "shards")
    if not scan.shards:
        damaged, bad = report.findings_in(uris)
        first = next(map(str, [*damaged, *bad]), f"{uris[0]}: no record")
        has = diagnose(report.samples, spec)
        features = ", ".join(f"{name} of {size} values" for name, size in spec.features.items())
        # Files that are no TFRecord files have no record that could lack features.
        wanted = f"The model takes {features}: give labeled shards that have them." if bad else "Give other shards."
        raise DataError(
            f"no usable video (shards: {len(uris)}). First problem: {first}. {has}{' ' if has else ''}{wanted}"
        )
    if not scan.class_counts.any():
        instead = explain_missing_labels(first_records(scan.shards[0].uri), spec)
        raise DataError(
            f"{uris[0]}: no labeled video (shards: {len(uris)}): {instead} `yt8m predict` reads videos without labels."
        )
    counts = tuple(scan.class_counts.tolist())
    return Partition(
        spec=spec,
        seed=0,
        training=(),
        holdout=scan.shards,
        class_counts=counts,
        fewest_labels=scan.fewest_labels,
        most_labels=scan.most_labels,
        on_bad=on_bad,
    )


def iterate_with_progress(
    videos: Dataset, uris: Sequence[str], report: ReadReport, description: str
) -> Iterator[Batch]:
    """Iterate over batches of videos and show how many shards have been read.

    Args:
        videos: Dataset made from `stream_videos`.
        uris: Paths or URIs of the shards of the stream.
        report: Collector of bad records and damaged shards of the stream.
        description: Label of the progress bar.

    Yields:
        Batches of videos as NumPy arrays.

    Raises:
        DataError: A bad record or damaged shard under `fail`.
        StorageError: A shard cannot be opened.
    """
    done = 0
    with data_errors(), progress(description, len(uris), unit="shards") as advance:
        for batch in videos.batch(_BATCH_SIZE).prefetch(2).as_numpy_iterator():
            yield batch
            finished = sum(uri in report.checksums for uri in uris)
            if finished > done:
                advance(finished - done)
                done = finished
        if done < len(uris):  # the last shards have no usable video
            advance(len(uris) - done)
