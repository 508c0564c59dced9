"""Stage `prepare`: divides shards into training and hold-out, and counts what is in them."""

import time
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, list_shards, split_shards
from yt8m.data.read_report import ReadReport
from yt8m.errors import DataError
from yt8m.stages.result import StageResult

# Bad records that the partition lists; all are counted.
MAX_LISTED_RECORDS = 1000


class PrepareConfig(Config):
    """Which shards there are and how they are divided.

    Attributes:
        training: Globs of shards that train.
        validation: Globs of shards of which `holdout_shards` are held out; the others train, too.
        holdout_shards: Validation shards to hold out.
        seed: Chooses them.
        spec: Features, classes and length of the videos.
        on_bad: Whether bad records and damaged shards are skipped and reported or stop this stage and those that read
            the partition's shards after it.
    """

    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = Field(min_length=1)
    holdout_shards: PositiveInt
    seed: NonNegativeInt = 0
    spec: DataSpec = DataSpec()
    on_bad: Literal["skip", "fail"] = "skip"


def prepare(*, config: PrepareConfig, output: Path) -> StageResult:
    """Write the partition.

    Args:
        config: Shards, and how they are divided.
        output: The partition, a JSON file.

    Returns:
        Counts and sizes; details: the damaged shards and the first bad records.

    Raises:
        DataError: A glob that matches nothing, a shard on both sides, too few validation shards, no usable
            video on a side, or (under `on_bad="fail"`) a bad record or damaged shard.
    """
    from yt8m.data.scan import scan_shards  # noqa: PLC0415 - TensorFlow; recipes need PrepareConfig only

    start = time.monotonic()
    training_uris, holdout_uris = split_shards(
        list_shards("training", config.training),
        list_shards("validation", config.validation),
        config.holdout_shards,
        config.seed,
    )
    report = ReadReport()
    training = scan_shards(training_uris, config.spec, config.on_bad, report, "training shards")
    holdout = scan_shards(holdout_uris, config.spec, config.on_bad, report, "hold-out shards")
    for side, scan, uris in (("training", training, training_uris), ("hold-out", holdout, holdout_uris)):
        if not scan.shards:
            raise DataError(_nothing_usable(side, uris, report))
    damaged, bad = report.findings_in([*training_uris, *holdout_uris])
    partition = Partition(
        spec=config.spec,
        seed=config.seed,
        training=training.shards,
        holdout=holdout.shards,
        class_counts=tuple(training.class_counts.tolist()),
        damaged_shards=tuple(damaged),
        skipped_records=tuple(bad[:MAX_LISTED_RECORDS]),
        num_skipped_records=report.total_bad_records,
        on_bad=config.on_bad,
    )
    partition.save(output)
    frames = training.num_frames + holdout.num_frames
    return _result(partition, frames, time.monotonic() - start)


def _nothing_usable(side: str, uris: list[str], report: ReadReport) -> str:
    damaged, bad = report.findings_in(uris)
    first = next(map(str, [*damaged, *bad]), f"{uris[0]}: no record")
    return f"no usable video in the {side} shards ({len(uris)}). First problem: {first}. Check `spec` and the globs."


def _result(partition: Partition, frames: int, seconds: float) -> StageResult:
    counts = np.asarray(partition.class_counts)
    videos = partition.num_training_videos + partition.num_holdout_videos
    shards = (*partition.training, *partition.holdout)
    metrics = {
        "training_videos": float(partition.num_training_videos),
        "holdout_videos": float(partition.num_holdout_videos),
        "training_shards": float(len(partition.training)),
        "holdout_shards": float(len(partition.holdout)),
        "size_bytes": float(sum(shard.size_bytes for shard in shards)),
        "mean_frames": frames / videos,
        "mean_labels": float(counts.sum()) / partition.num_training_videos,
        "classes_without_training_video": float((counts == 0).sum()),
        "damaged_shards": float(len(partition.damaged_shards)),
        "skipped_records": float(partition.num_skipped_records),
        "seconds": seconds,
    }
    details = {
        "digest": partition.digest,
        "damaged_shards": [str(shard) for shard in partition.damaged_shards],
        "skipped_records": [str(record) for record in partition.skipped_records[:100]],
    }
    return StageResult(metrics, details)
