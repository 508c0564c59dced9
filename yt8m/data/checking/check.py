"""Thorough check of shards: statistics of the videos, duplicates and defects."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m import storage
from yt8m.data.checking.diagnosis import diagnose
from yt8m.data.checking.labels import explain_missing_labels, first_records, propose_two_classes
from yt8m.data.checking.remarks import remark_on_bytes, remark_on_label_numbers, remark_on_raw_floats
from yt8m.data.checking.report import ByteStatistics, CheckReport, Distribution, find_duplicates
from yt8m.data.format import DataSpec, clipped_share
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import stream_videos
from yt8m.data.scan import Batch, iterate_with_progress


def check_shards(uris: Sequence[str], spec: DataSpec) -> CheckReport:
    """Read shards to their end and collect statistics, with a progress bar.

    Args:
        uris: Paths or URIs of the shards.
        spec: Expected features, classes and length.

    Returns:
        Statistics, duplicate ids, bad records and damaged shards.

    Raises:
        StorageError: A shard cannot be opened.
    """
    found = ReadReport(log=False)
    tally = _Tally(spec)
    # Videos are not padded here, so they can keep all their frames.
    untruncated = spec.model_copy(update={"max_frames": np.iinfo(np.int32).max})
    videos = stream_videos(uris, untruncated, "skip", found)
    summaries = videos.map(_summarizer(spec), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    for batch in iterate_with_progress(summaries, uris, found, "checking"):
        tally.add(batch)
    return _report(uris, spec, tally, found)


def _summarizer(spec: DataSpec) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function that replaces the frames of a video by a byte histogram per feature."""
    ends = np.cumsum(list(spec.features.values()))
    ranges = [(int(end) - size, int(end)) for end, size in zip(ends, spec.features.values(), strict=True)]

    def summarize(video: dict[str, Any]) -> dict[str, Any]:
        levels = [tf.reshape(tf.cast(video["frames"][:, first:end], tf.int32), [-1]) for first, end in ranges]
        histograms = tf.stack([tf.math.bincount(each, minlength=256, maxlength=256) for each in levels])
        kept = {name: video[name] for name in ("ids", "shard", "num_frames", "labels", "frame_level")}
        return kept | {"histograms": histograms}

    return summarize


class _Tally:
    """Running totals over all videos, and columns with a few bytes per video."""

    def __init__(self, spec: DataSpec) -> None:
        self.class_counts = np.zeros(spec.num_classes, np.int64)
        self.frame_level = 0
        self.histograms = np.zeros((len(spec.features), 256), np.int64)
        self._columns: dict[str, list[NDArray[Any]]] = {
            "ids": [np.zeros(0, "S1")],
            "shard": [np.zeros(0, np.int64)],
            "num_frames": [np.zeros(0, np.int32)],
            "num_labels": [np.zeros(0, np.int64)],
        }

    def add(self, batch: Batch) -> None:
        self.class_counts += batch["labels"].sum(0, dtype=np.int64)
        self.histograms += batch["histograms"].sum(0, dtype=np.int64)
        self.frame_level += int(batch["frame_level"].sum())
        columns = {
            "ids": batch["ids"].astype(np.bytes_),
            "shard": batch["shard"],
            "num_frames": batch["num_frames"],
            "num_labels": batch["labels"].sum(1, dtype=np.int64),
        }
        for name, values in columns.items():
            self._columns[name].append(values)

    def column(self, name: str) -> NDArray[Any]:
        return np.concatenate(self._columns[name])


def _report(uris: Sequence[str], spec: DataSpec, tally: _Tally, found: ReadReport) -> CheckReport:
    num_frames, num_labels = tally.column("num_frames"), tally.column("num_labels")
    duplicates, num_duplicates = find_duplicates(tally.column("ids"), tally.column("shard"), uris)
    seen = np.flatnonzero(tally.class_counts)
    damaged, bad = found.findings_in(uris)
    return CheckReport(
        spec=spec,
        shards=len(uris),
        size_bytes=sum(storage.stat(uri).size for uri in uris),
        videos=len(num_frames),
        frames=Distribution.of(num_frames),
        videos_to_be_cut=int((num_frames > spec.max_frames).sum()),
        labels=int(num_labels.sum()),
        smallest_label=int(seen[0]) if seen.size else None,
        largest_label=int(seen[-1]) if seen.size else None,
        labels_per_video=Distribution.of(num_labels),
        unlabelled_videos=int((num_labels == 0).sum()),
        unseen_classes=tuple(np.flatnonzero(tally.class_counts == 0).tolist()),
        duplicate_ids=duplicates,
        num_duplicate_ids=num_duplicates,
        features={
            name: ByteStatistics.of(histogram, *spec.range_of(name))
            for name, histogram in zip(spec.features, tally.histograms, strict=True)
        },
        damaged_shards=tuple(damaged),
        bad_records=tuple(bad),
        num_bad_records=found.total_bad_records,
        diagnosis=_diagnosis(uris, spec, tally, found),
        doubts=tuple(_doubts(spec, tally)),
    )


def _doubts(spec: DataSpec, tally: _Tally) -> Iterator[str]:
    """Yield sentences about features that hold little, and about videos of several kinds."""
    histograms = dict(zip(spec.features, tally.histograms, strict=True))
    constant = [name for name, found in histograms.items() if (found > 0).sum() == 1]
    clipped = {
        name: clipped_share(found[0], found[255], found.sum(), *spec.range_of(name))
        for name, found in histograms.items()
    }
    if len(constant) == len(histograms):
        yield "All bytes of the features are the same: no model can tell the videos apart, so `prepare` refuses them."
    yield from remark_on_bytes(clipped, constant, spec)
    videos = len(tally.column("ids"))
    if 0 < tally.frame_level < videos:
        yield (
            f"{tally.frame_level:,} of {videos:,} videos have frames, the others one vector each. Models that learn "
            "from one do not understand the other: give shards of one kind."
        )


def _diagnosis(uris: Sequence[str], spec: DataSpec, tally: _Tally, found: ReadReport) -> str:
    num_labels = tally.column("num_labels")
    # Few bad records among good ones are no other layout.
    about_numbers = remark_on_label_numbers(found.samples, spec, tally.class_counts)
    if found.total_bad_records > len(num_labels) or about_numbers:
        return about_numbers or diagnose(found.samples, spec)
    both = tally.class_counts[:2] == (num_labels > 0).sum()
    if num_labels.any() and spec.layout.label_form == "numbers" and set(num_labels) <= {0, 2} and both.all():
        return f"Every labeled video has exactly the classes 0 and 1. {propose_two_classes(spec)}"
    if not len(num_labels):
        return ""
    payloads = first_records(uris[int(tally.column("shard")[0])])
    if spec.layout.frames == "bytes" and (misread := remark_on_raw_floats(payloads, spec)):
        return misread
    return "" if num_labels.any() else f"No label was read: {explain_missing_labels(payloads, spec)}"
