"""Quick scan of shards: counts of videos, classes and frames, without reading the frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m import storage
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
    """

    shards: tuple[Shard, ...]
    class_counts: NDArray[np.int64]
    num_frames: int


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
    frames = 0
    columns = ("shard", "num_frames", "labels")
    stream = stream_videos(uris, spec, on_bad, report, with_frames=False)
    counted = stream.map(lambda video: {name: video[name] for name in columns})
    for batch in iterate_with_progress(counted, uris, report, description):
        videos += np.bincount(batch["shard"], minlength=len(uris))
        class_counts += batch["labels"].sum(0, dtype=np.int64)
        frames += int(batch["num_frames"].sum())
    shards = tuple(
        Shard(uri=uri, videos=int(count), size_bytes=storage.stat(uri).size, checksum=report.checksums[uri])
        for uri, count in zip(uris, videos, strict=True)
        if count
    )
    return Scan(shards, class_counts, frames)


def hold_out_all(uris: Sequence[str], spec: DataSpec, on_bad: OnBad) -> Partition:
    """Scan labeled shards and return a partition that holds out all of them.

    Raises:
        DataError: No video has a label, or as in `scan_shards`.
    """
    scan = scan_shards(uris, spec, on_bad, ReadReport(), "shards")
    if not scan.class_counts.any():
        raise DataError(
            f"{uris[0]}: no labeled video in {len(uris)} shards. Give labeled shards, or use `yt8m predict`."
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
