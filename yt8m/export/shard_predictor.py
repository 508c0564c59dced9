"""One exported model, predicting shard after shard in a process of its own or in this one."""

import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Literal

import tensorflow as tf

from yt8m import storage
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import data_errors, read_videos
from yt8m.export.exported_model import ExportedModel
from yt8m.export.prediction_files import PredictionFormat, TopBatch
from yt8m.export.shard_task import ShardResult, ShardTask


class ShardPredictor:
    """Writes the predictions of shards with one exported model.

    Args:
        model: Folder of the exported model.
        file_format: Kind of file.
        batch_size: Videos predicted at a time, which bounds the memory.
        on_bad: Whether bad records and damaged shards are skipped and reported or stop the work.
    """

    def __init__(
        self, model: Path, file_format: PredictionFormat, batch_size: int, on_bad: Literal["skip", "fail"]
    ) -> None:
        self._model = ExportedModel(model)
        self._format = file_format
        self._batch_size = batch_size
        self._on_bad = on_bad

    def predict(self, task: ShardTask) -> ShardResult:
        """Write one shard's predictions and what came of it; the files appear when they are complete.

        Raises:
            DataError: A bad record or damaged shard under `on_bad="fail"`.
            StorageError: A shard that cannot be read.
        """
        report = ReadReport()
        batches = _Counted(self._predictions(task.shard, report))
        with data_errors(), storage.publish_file(task.part) as path:
            self._format.write_part(path, batches)
        done = _account(task.shard, report, batches.videos)
        done.save(task.record)
        return done

    def _predictions(self, shard: str, report: ReadReport) -> Iterator[TopBatch]:
        videos = read_videos(
            [shard],
            self._model.spec,
            batch_size=self._batch_size,
            on_bad=self._on_bad,
            report=report,
            with_labels=False,
        )
        for batch in videos:
            classes, scores = self._model.top(batch["frames"], batch["num_frames"])
            ids = [video.decode("utf-8", errors="replace") for video in batch["ids"].numpy()]
            yield TopBatch(ids, classes, scores)


class _Counted:
    """Batches on their way, and how many videos they hold."""

    def __init__(self, batches: Iterator[TopBatch]) -> None:
        self._batches = batches
        self.videos = 0

    def __iter__(self) -> Iterator[TopBatch]:
        for batch in self._batches:
            self.videos += len(batch.ids)
            yield batch


def _account(shard: str, report: ReadReport, videos: int) -> ShardResult:
    """What came of a shard that was read to its end or its damage."""
    damaged, bad = report.findings_in([shard])
    size = storage.stat(shard).size
    read = damaged[0].offset if damaged else size
    return ShardResult(
        videos=videos,
        bad_records=report.total_bad_records,
        damaged=bool(damaged),
        read_bytes=read,
        lost_bytes=size - read,
        problem=next((str(finding) for finding in (*bad, *damaged)), ""),
    )


def start_worker(workers: int, *arguments: object) -> None:
    """Prepare a process of a pool: its share of the cores, and what its predictor is made of.

    Args:
        workers: Processes in all.
        *arguments: As for `ShardPredictor`.
    """
    global _make_predictor  # noqa: PLW0603 - a pool's process has no other place for what its tasks share
    tf.config.threading.set_intra_op_parallelism_threads(max(1, (os.cpu_count() or 1) // workers))
    # Not made here: what goes wrong while a process is prepared never reaches the caller.
    _make_predictor = cache(partial(ShardPredictor, *arguments))  # type: ignore[arg-type]


def predict_in_worker(task: ShardTask) -> ShardResult:
    """`ShardPredictor.predict` in a process of a pool."""
    assert _make_predictor is not None
    return _make_predictor().predict(task)


_make_predictor: Callable[[], ShardPredictor] | None = None
