"""Prediction of shards with one exported model, in this process or in a pool of processes."""

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
    """Predicts shards with one exported model and writes the results.

    Args:
        model: Folder of the exported model.
        file_format: Format of the prediction files.
        batch_size: Number of videos per batch, which bounds memory.
        on_bad: `skip` skips and counts bad records and damaged shards, `fail` raises an error.
    """

    def __init__(
        self, model: Path, file_format: PredictionFormat, batch_size: int, on_bad: Literal["skip", "fail"]
    ) -> None:
        self._model = ExportedModel(model)
        self._format = file_format
        self._batch_size = batch_size
        self._on_bad = on_bad

    def predict(self, task: ShardTask) -> ShardResult:
        """Predict one shard; write its predictions and its `ShardResult`, each file atomically.

        Raises:
            DataError: A record is bad or the shard is damaged, and `on_bad` is `fail`.
            StorageError: The shard cannot be read.
        """
        report = ReadReport()
        batches = _Counted(self._predictions(task.shard, report))
        with data_errors(), storage.publish_file(task.part) as path:
            self._format.write_part(path, batches)
        done = _summarize_reading(task.shard, report, batches.videos)
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
    """Iterator over batches that counts their videos."""

    def __init__(self, batches: Iterator[TopBatch]) -> None:
        self._batches = batches
        self.videos = 0

    def __iter__(self) -> Iterator[TopBatch]:
        for batch in self._batches:
            self.videos += len(batch.ids)
            yield batch


def _summarize_reading(shard: str, report: ReadReport, videos: int) -> ShardResult:
    """Summarize the reading of a shard, up to its end or its damage."""
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
    """Initialize a pool process: limit its threads and store the arguments of its predictor.

    Args:
        workers: Number of processes in the pool, which share the cores.
        *arguments: Arguments of `ShardPredictor`.
    """
    global _make_predictor  # noqa: PLW0603 - the tasks of a pool process can share only globals
    tf.config.threading.set_intra_op_parallelism_threads(max(1, (os.cpu_count() or 1) // workers))
    # Created lazily, because errors in a pool's initializer never reach the caller.
    _make_predictor = cache(partial(ShardPredictor, *arguments))  # type: ignore[arg-type]


def predict_in_worker(task: ShardTask) -> ShardResult:
    """Call `ShardPredictor.predict` in a pool process."""
    assert _make_predictor is not None
    return _make_predictor().predict(task)


_make_predictor: Callable[[], ShardPredictor] | None = None
