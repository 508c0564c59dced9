"""Quick scan of shards: counts of videos, classes and frames, without reading the frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m import storage
from yt8m.data.checking.diagnosis import diagnose
from yt8m.data.checking.labels import explain_missing_labels, first_records
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, Shard
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import data_errors, stream_videos
from yt8m.data.stream import OnBad
from yt8m.errors import DataError
from yt8m.progress import progress

Dataset = Any
Batch = dict[str, NDArray[Any]]

_BATCH_SIZE = 256


@dataclass(frozen=True)
class Scan:
    """Counts over shards.

    Attributes:
        shards: Shards with at least one usable video.
        class_counts: Number of videos per class, int64 (C,).
        num_frames: Total number of frames.
        labeled: Number of videos with a label, by shard.
        id_hashes: Hash of the id of every video, int64 (N,), in the order of the shards.
    """

    shards: tuple[Shard, ...]
    class_counts: NDArray[np.int64]
    num_frames: int
    labeled: Mapping[str, int]
    id_hashes: NDArray[np.int64]

    @property
    def videos(self) -> int:
        """Number of usable videos `N`."""
        return len(self.id_hashes)

    def shard_of(self, video: int) -> str:
        """Return the URI of the shard with the video of this index."""
        ends = np.cumsum([shard.videos for shard in self.shards])
        return self.shards[int(np.searchsorted(ends, video, side="right"))].uri

    def without(self, part: "Scan") -> "Scan":
        """Return the counts without those of some of the shards."""
        left_out = {shard.uri for shard in part.shards}
        kept = [shard.uri not in left_out for shard in self.shards]
        return Scan(
            shards=tuple(shard for shard in self.shards if shard.uri not in left_out),
            class_counts=self.class_counts - part.class_counts,
            num_frames=self.num_frames - part.num_frames,
            labeled={uri: count for uri, count in self.labeled.items() if uri not in left_out},
            id_hashes=self.id_hashes[np.repeat(kept, [shard.videos for shard in self.shards])],
        )


def scan_shards(uris: Sequence[str], spec: DataSpec, on_bad: OnBad, report: ReadReport, description: str) -> Scan:
    """Read shards to their end and count their videos, with a progress bar.

    Args:
        uris: Paths or URIs of the shards.
        spec: Expected features, classes and length.
        on_bad: `skip` to leave out bad records and the rest of damaged shards, `fail` to stop at the first.
        report: Collector of bad records and damaged shards.
        description: Label of the progress bar.

    Returns:
        Counts, sizes and checksums.

    Raises:
        DataError: A bad record or damaged shard under `fail`.
        StorageError: A shard cannot be opened.
    """
    videos = np.zeros(len(uris), np.int64)
    class_counts = np.zeros(spec.num_classes, np.int64)
    labeled = np.zeros(len(uris), np.int64)
    id_hashes = [np.zeros(0, np.int64)]
    frames = 0
    stream = stream_videos(uris, spec, on_bad, report, with_frames=False)
    counted = stream.map(_counted_columns)
    for batch in iterate_with_progress(counted, uris, report, description):
        videos += np.bincount(batch["shard"], minlength=len(uris))
        class_counts += batch["labels"].sum(0, dtype=np.int64)
        frames += int(batch["num_frames"].sum())
        labeled += np.bincount(batch["shard"], batch["labels"].any(1), minlength=len(uris)).astype(np.int64)
        id_hashes.append(batch["id_hashes"])
    shards = tuple(
        Shard(uri=uri, videos=int(count), size_bytes=storage.stat(uri).size, checksum=report.checksums[uri])
        for uri, count in zip(uris, videos, strict=True)
        if count
    )
    by_uri = dict(zip(uris, labeled.tolist(), strict=True))
    return Scan(
        shards, class_counts, frames, {shard.uri: by_uri[shard.uri] for shard in shards}, np.concatenate(id_hashes)
    )


def _counted_columns(video: dict[str, Any]) -> dict[str, Any]:
    # A hash takes 8 bytes, whatever the length of the id.
    hashes = tf.strings.to_hash_bucket_fast(video["ids"], np.iinfo(np.int64).max)
    return {name: video[name] for name in ("shard", "num_frames", "labels")} | {"id_hashes": hashes}


def read_ids(uri: str, spec: DataSpec) -> list[str]:
    """Read the ids of the usable videos of a shard, in file order."""
    videos = stream_videos([uri], spec, "skip", ReadReport(log=False), with_frames=False)
    with data_errors():
        ids = list(videos.map(lambda video: video["ids"]).as_numpy_iterator())
    return [video_id.decode("utf-8", "replace") for video_id in ids]


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
            f"no usable video in {len(uris)} shards. First problem: {first}. {has}{' ' if has else ''}{wanted}"
        )
    if not scan.class_counts.any():
        instead = explain_missing_labels(first_records(scan.shards[0].uri), spec)
        raise DataError(
            f"{uris[0]}: no labeled video in {len(uris)} shards: {instead} `yt8m predict` reads videos without labels."
        )
    counts = tuple(scan.class_counts.tolist())
    return Partition(spec=spec, seed=0, training=(), holdout=scan.shards, class_counts=counts, on_bad=on_bad)


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
