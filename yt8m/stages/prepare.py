"""Stage `prepare`: divides shards into a training and a hold-out list, and counts their videos."""

import logging
import time
from collections.abc import Container, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from yt8m.config import Config
from yt8m.data.description import check_described, descriptions_of
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, list_shards, split_shards
from yt8m.data.read_report import ReadReport
from yt8m.data.vocabulary.names import ClassNames
from yt8m.errors import DataError
from yt8m.holdout import Division
from yt8m.stages.result import StageResult

if TYPE_CHECKING:
    from yt8m.data.checking.sides import Sides
    from yt8m.data.scan import Scan

_LOGGER = logging.getLogger("yt8m.data")

# Maximum number of bad records in the partition; further ones are only counted.
MAX_LISTED_RECORDS = 1000
# Number of classes without a training video to name.
MOST_CLASSES = 10


class PrepareConfig(Config):
    """Shards of a data set and their division into training and hold-out shards.

    Attributes:
        training: Glob patterns of the training shards. Empty means only validation shards.
        validation: Glob patterns of the validation shards. Those that are not held out become training shards.
        holdout_shards: Number of validation shards to hold out.
        report_share: Share of the hold-out videos that figures are reported on. Decisions read only the others. 0
            decides and reports on all of them.
        seed: Random seed for choosing the hold-out shards and for dividing their videos.
        spec: Features, classes and length of the videos.
        on_bad: `skip` to leave out and report bad records and the rest of damaged shards, `fail` to stop at the first.
            Later stages that read the shards do the same.
    """

    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = Field(min_length=1)
    holdout_shards: PositiveInt
    report_share: float = Field(default=0.5, ge=0, lt=1)
    seed: NonNegativeInt = 0
    spec: DataSpec = DataSpec()
    on_bad: Literal["skip", "fail"] = "skip"


def prepare(*, config: PrepareConfig, output: Path) -> StageResult:
    """Divide shards and the hold-out videos, read the shards to their end and write the partition.

    Args:
        config: Shards and their division.
        output: Path for the partition, a JSON file.

    Returns:
        Metrics with counts and sizes; details `digest` (of the partition), `part`, on which all figures are computed
        (`report` or `hold-out`), `damaged_shards`, `skipped_records` (the first bad records), `copies` (shards that are
        left out, because another one has their content), `shared_videos` (on both sides), `untrained_labels` and
        `classes_without_training_video` (sentences and a list of classes; empty if there are none), and `doubts`
        (sentences about what else may be wrong with the data).

    Raises:
        ConfigError: A file `dataset.json` beside the shards is no description of them.
        DataError: The description of the shards says something else than the configuration or than that of other
            shards, a pattern matches no shard, a shard or most hold-out videos are on both sides, there are too few
            validation shards, a side has no usable video or no label, all training videos have the same labels or the
            same features, one side has frames and the other one vector per video, the hold-out cannot be divided into
            two parts with labels, or (under `on_bad="fail"`) a record is bad or a shard damaged.
    """
    # TensorFlow; recipes need PrepareConfig only.
    from yt8m.data.checking.sides import (  # noqa: PLC0415
        Sides,
        check_frames,
        check_labels,
        check_shared_videos,
        explain_shared,
        explain_untrained,
        figures_of,
        find_copies,
        find_doubts,
    )
    from yt8m.data.scan import scan_shards  # noqa: PLC0415

    start = time.monotonic()
    given, validation_uris = list_shards("training", config.training), list_shards("validation", config.validation)
    training_uris, holdout_uris = split_shards(given, validation_uris, config.holdout_shards, config.seed)
    # Without training shards, one of them is left to train on.
    spare_shards = len(validation_uris) - len(holdout_uris) - (not given)
    # Before hours of reading.
    check_described(descriptions_of([*training_uris, *holdout_uris]), config.spec)
    report = ReadReport()
    seed = config.seed
    group_seed = seed if config.spec.layout.group else None
    holdout = scan_shards(holdout_uris, config.spec, config.on_bad, report, "hold-out shards", group_seed=seed)
    if holdout.class_counts.any():
        # Before the training shards are read, which may take hours.
        _divide(holdout, config, spare_shards)
    training = scan_shards(training_uris, config.spec, config.on_bad, report, "training shards", group_seed=group_seed)
    for side, scan, uris in (("training", training, training_uris), ("hold-out", holdout, holdout_uris)):
        if not scan.shards:
            raise DataError(_nothing_usable(side, uris, report, config.spec))
    names = ClassNames.of_shards([*training_uris, *holdout_uris], config.spec.num_classes)
    sides = Sides(training, holdout, names)
    check_frames(sides, config.spec)
    check_labels(sides, config.spec)
    copies = find_copies(sides)
    if copies:
        training, holdout = (_without(scan, copies, config) for scan in (training, holdout))
        sides = Sides(training, holdout, names)
    check_shared_videos(sides, config.spec)
    training_uris, holdout_uris = ([uri for uri in uris if uri not in copies] for uris in (training_uris, holdout_uris))
    damaged, bad = report.findings_in([*training_uris, *holdout_uris])
    skipped = sum(report.num_bad_records.get(uri, 0) for uri in (*training_uris, *holdout_uris))
    doubts = list(find_doubts(sides, copies, config.spec))
    if skipped:
        doubts += _doubts_about_records(sides, skipped, str(bad[0]), report, config.spec)
    for doubt in doubts:
        _LOGGER.warning("%s", doubt)
    division = _divide(holdout, config, spare_shards)
    partition = Partition(
        spec=config.spec,
        seed=seed,
        training=training.shards,
        holdout=holdout.shards,
        select_counts=holdout.count_select(division),
        class_counts=tuple(training.class_counts.tolist()),
        fewest_labels=min(training.fewest_labels, holdout.fewest_labels),
        most_labels=max(training.most_labels, holdout.most_labels),
        division=division,
        damaged_shards=tuple(damaged),
        skipped_records=tuple(bad[:MAX_LISTED_RECORDS]),
        num_skipped_records=skipped,
        on_bad=config.on_bad,
    )
    partition.save(output)
    frames = training.num_frames + holdout.num_frames
    result = _result(partition, len(validation_uris), frames, time.monotonic() - start)
    shared, untrained = explain_shared(sides, config.spec), explain_untrained(sides)
    missing = np.flatnonzero(training.class_counts == 0).tolist()
    found = {
        "copies": [f"{copy} has the content of {original}" for copy, original in copies.items()],
        "doubts": [doubt for doubt in doubts if doubt not in (shared, untrained)],
        "shared_videos": shared,
        "untrained_labels": untrained,
        "classes_without_training_video": names.labels(missing, MOST_CLASSES) if missing else "",
    }
    return StageResult(result.metrics | figures_of(sides, copies), result.details | found)


def _divide(holdout: "Scan", config: PrepareConfig, spare_shards: int) -> Division:
    return Division.of(
        holdout.group_hashes, holdout.has_label, config.report_share, config.seed, spare_shards=spare_shards
    )


def _without(scan: "Scan", copies: Container[str], config: PrepareConfig) -> "Scan":
    """Return the counts of a side without copies, which are read again to subtract theirs."""
    from yt8m.data.scan import scan_shards  # noqa: PLC0415

    uris = [shard.uri for shard in scan.shards if shard.uri in copies]
    return scan.without(scan_shards(uris, config.spec, "skip", ReadReport(log=False), "copies")) if uris else scan


def _nothing_usable(side: str, uris: list[str], report: ReadReport, spec: DataSpec) -> str:
    from yt8m.data.checking.diagnosis import diagnose  # noqa: PLC0415 - TensorFlow

    damaged, bad = report.findings_in(uris)
    first = next(map(str, [*damaged, *bad]), f"{uris[0]}: no record")
    # Files without a record have nothing that other settings could read.
    settings = "Check the features and classes of the recipe." if bad else "Give intact TFRecord files."
    remedy = diagnose(report.samples, spec) or settings
    return (
        f"no usable video in the {side} shards (shards: {len(uris)}). First problem: {first}. {remedy} If these are "
        "not the shards you meant, check the glob patterns."
    )


def _doubts_about_records(
    sides: "Sides", skipped: int, first: str, report: ReadReport, spec: DataSpec
) -> Iterator[str]:
    """Yield sentences about the records that were skipped."""
    from yt8m.data.checking.remarks import remark_on_label_numbers  # noqa: PLC0415 - TensorFlow

    records = skipped + sum(scan.videos for scan in sides.by_name.values())
    yield f"{skipped:,} of {records:,} records were skipped ({skipped / records:.1%}), for instance {first}."
    class_counts = sides.training.class_counts + sides.holdout.class_counts
    if remark := remark_on_label_numbers(report.samples, spec, class_counts):
        yield remark


def _result(partition: Partition, validation_shards: int, frames: int, seconds: float) -> StageResult:
    counts = np.asarray(partition.class_counts)
    videos = partition.num_training_videos + partition.num_holdout_videos
    shards = (*partition.training, *partition.holdout)
    metrics = {
        "training_videos": float(partition.num_training_videos),
        "holdout_videos": float(partition.num_holdout_videos),
        "select_videos": float(partition.division.select_videos),
        "report_videos": float(partition.division.report_videos),
        "training_shards": float(len(partition.training)),
        "holdout_shards": float(len(partition.holdout)),
        "validation_shards": float(validation_shards),
        "size_bytes": float(sum(shard.size_bytes for shard in shards)),
        "mean_frames": frames / videos,
        "mean_labels": float(counts.sum()) / partition.num_training_videos,
        "fewest_labels": float(partition.fewest_labels),
        "most_labels": float(partition.most_labels),
        "classes_without_training_video": float((counts == 0).sum()),
        "damaged_shards": float(len(partition.damaged_shards)),
        "skipped_records": float(partition.num_skipped_records),
        "seconds": seconds,
    }
    details = {
        "digest": partition.digest,
        "part": partition.division.part,
        "damaged_shards": [str(shard) for shard in partition.damaged_shards],
        "skipped_records": [str(record) for record in partition.skipped_records[:100]],
    }
    return StageResult(metrics, details)
