"""Prediction of shards with one exported model, in this process or in a pool of processes."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf

from yt8m import storage
from yt8m.data.checking.diagnosis import diagnose
from yt8m.data.format import DataSpec, id_text
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import data_errors, read_shards
from yt8m.export.exported_model import ExportedModel
from yt8m.export.prediction_files import PredictionFormat, TopBatch
from yt8m.export.shard_task import ShardResult, ShardTask


class ShardPredictor:
    """Predicts shards with one exported model and writes the results.

    Args:
        model: Folder of the exported model.
        spec: The model's features, classes and length, and the layout of the records.
        file_format: Format of the prediction files.
        batch_size: Number of videos per batch, which bounds memory.
        on_bad: `skip` skips and counts bad records and damaged shards, `fail` raises an error.
    """

    def __init__(
        self,
        model: Path,
        spec: DataSpec,
        file_format: PredictionFormat,
        batch_size: int,
        on_bad: Literal["skip", "fail"],
    ) -> None:
        self._model = ExportedModel(model)
        self._spec = spec
        self._format = file_format
        self._batch_size = batch_size
        self._on_bad = on_bad

    def predict(self, tasks: Sequence[ShardTask]) -> Iterator[ShardResult]:
        """Predict shards in their order; write the predictions and the `ShardResult` of each, every file atomically.

        Yields:
            The result of each shard, when its files are written.

        Raises:
            DataError: A record is bad or a shard is damaged, and `on_bad` is `fail`.
            StorageError: A shard cannot be read.
        """
        report = ReadReport()
        with data_errors():
            batches = _ShardBatches(self._batches([task.shard for task in tasks], report))
            for number, task in enumerate(tasks):
                videos = binary = 0

                def predictions(number: int = number) -> Iterator[TopBatch]:
                    nonlocal videos, binary
                    for batch in batches.of_shard(number):
                        top = self._top(batch)
                        videos += len(top.ids)
                        binary += sum(text.encode() != video for text, video in zip(top.ids, batch["ids"], strict=True))
                        yield top

                with storage.publish_file(task.part) as path:
                    self._format.write_part(path, predictions())
                done = _summarize_reading(task, report, videos, binary, self._spec)
                done.save(task.record)
                yield done

    def _batches(self, shards: Sequence[str], report: ReadReport) -> Iterator[tuple[Any, Any]]:
        batches = read_shards(
            shards,
            self._spec,
            batch_size=self._batch_size,
            on_bad=self._on_bad,
            report=report,
            with_labels=False,
        )
        yield from batches.as_numpy_iterator()

    def _top(self, batch: dict[str, Any]) -> TopBatch:
        classes, scores = self._model.top(batch["frames"], batch["num_frames"])
        return TopBatch([id_text(video) for video in batch["ids"]], classes, scores)


class _ShardBatches:
    """The batches of consecutive shards, taken shard by shard."""

    def __init__(self, batches: Iterator[tuple[Any, Any]]) -> None:
        self._batches = batches
        self._next = next(batches, None)

    def of_shard(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the batches of a shard, none if it has no video. Shards before it have been taken completely."""
        while self._next is not None and self._next[0] == number:
            yield self._next[1]
            self._next = next(self._batches, None)


def _summarize_reading(
    task: ShardTask, report: ReadReport, videos: int, binary_ids: int, spec: DataSpec
) -> ShardResult:
    """Summarize the reading of a shard, up to its end or its damage."""
    bad_records, bad, damage = report.pop_shard(task.shard)
    read = damage.offset if damage else task.size
    findings = [*bad, damage] if damage else bad
    return ShardResult(
        videos=videos,
        bad_records=bad_records,
        damaged=damage is not None,
        read_bytes=read,
        lost_bytes=task.size - read,
        problem=str(findings[0]) if findings else "",
        binary_ids=binary_ids,
        diagnosis="" if videos else diagnose(report.samples, spec, with_labels=False),
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


def predict_in_worker(tasks: Sequence[ShardTask]) -> list[ShardResult]:
    """Call `ShardPredictor.predict` in a pool process."""
    assert _make_predictor is not None
    return list(_make_predictor().predict(tasks))


_make_predictor: Callable[[], ShardPredictor] | None = None
