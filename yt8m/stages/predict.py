"""Stage `predict`: writes the predictions of an exported model for any number of shards."""

import hashlib
import logging
import multiprocessing
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from yt8m import storage
from yt8m.config import Config
from yt8m.data.description import spec_of_shards
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.data.partition import list_shards
from yt8m.data.vocabulary.names import read_vocabulary
from yt8m.errors import ConfigError, DataError, StorageError, WorkerError
from yt8m.export.description import ExportDescription, vocabulary_in
from yt8m.export.shard_task import RECORD_SUFFIX, ShardResult, ShardTask
from yt8m.progress import progress
from yt8m.stages.result import StageResult
from yt8m.storage.local import local_path
from yt8m.storage.names import LONGEST_NAME, fitting_name

if TYPE_CHECKING:
    from yt8m.export.prediction_files import PredictionFormat

_LOGGER = logging.getLogger("yt8m.stages")

# Most shards that a worker is given at a time, most bytes of them, and least number of groups for each worker.
_SHARDS_TOGETHER, _BYTES_TOGETHER, _GROUPS_PER_WORKER = 64, 64 << 20, 4


class PredictConfig(Config):
    """Configuration of the prediction.

    Attributes:
        batch_size: Number of videos per batch in each process.
        workers: Number of processes on this machine. Each loads the whole model.
        shard_range: Indices of the first shard to predict and of the one after the last. None means all shards. Calls
            with a range write parts only; a final call without a range joins them.
        vocabulary: File of class names for Parquet, in any form that `export.vocabulary` of a recipe may have. Empty
            takes the model's own vocabulary, if it has one.
        on_bad: `skip` skips and counts bad records and damaged shards, `fail` raises an error.
        layout: Keys and forms of the records. Keys that are not given are those of dataset.json beside the shards, or
            of the model's training data if there is no such file.
    """

    batch_size: PositiveInt = 128
    workers: PositiveInt = 1
    shard_range: tuple[int, int] | None = None
    vocabulary: str = ""
    on_bad: Literal["skip", "fail"] = "skip"
    layout: RecordLayout = RecordLayout()


def predict(*, model: Path, inputs: Sequence[str], output: str, config: PredictConfig) -> StageResult:
    """Write a submission (`.csv`) or a table with class names (`.parquet`), with videos in the order of the shards.

    The predictions of each shard are first written to a file in `<output>.parts/`. Existing parts are reused if they
    were made by the same model from the same shard with the same settings. An interrupted call therefore resumes, and
    several calls or machines can share the work by `shard_range`. Memory grows by 8 bytes per video.
    Ids that are no text are written in hexadecimal; a warning counts them and ids of several videos.

    Args:
        model: Folder of the exported model.
        inputs: Glob patterns of shards, with or without labels.
        output: URI of the file to write. The suffix decides the format.
        config: Batch size, processes, range of shards and treatment of bad records.

    Returns:
        Metrics of this call: `shards`, `videos`, `resumed_shards`, `seconds`, `videos_per_second`. Metrics of these
        shards including resumed ones: `total_videos`, `bad_records` (skipped), `damaged_shards`, and `missing_videos`,
        an estimate of the videos lost to damage.

    Raises:
        ConfigError: The output is a folder or has an unknown suffix, or the range exceeds the shards.
        StorageError: The kind of storage is unknown, or a file cannot be read or written.
        DataError: There is no exported model, no shard or no usable video, the shards are described as other data than
            the model's, the vocabulary is invalid, or `on_bad` is `fail` and a record is bad.
        WorkerError: A worker process died; finished shards are kept.
    """
    start = time.monotonic()
    _check_output(output)
    description = ExportDescription.load(model)
    shards = list_shards("inputs", inputs)
    spec = spec_of_shards(description.data, shards, config.layout, classes=False)
    vocabulary = config.vocabulary or vocabulary_in(model)
    file_format = _file_format(output, vocabulary, description, config)
    tasks = _tasks(shards, description, spec, output, vocabulary, config)
    first, last = config.shard_range or (0, len(tasks))
    if not 0 <= first < last <= len(tasks):
        raise ConfigError(f"shard_range: expected part of 0:{len(tasks)}, received {first}:{last}.")
    chosen = tasks[first:last]
    finished = {file.uri.rpartition("/")[2] for file in storage.list_files(_parts_folder(output))}
    todo = [task for task in chosen if task.record.rpartition("/")[2] not in finished]
    videos = 0
    with progress("predict", len(chosen), unit="shards", done=len(chosen) - len(todo)) as advance:
        for done in _run(todo, model, spec, file_format, config):
            videos += done.videos
            advance(note=f"{videos:,} videos, {videos / (time.monotonic() - start):.0f}/s")
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda task: ShardResult.load(task.record), chosen))
    if config.shard_range is None:
        _check_usable(found, spec, output)
        _join(tasks, found, file_format, output)
        _remove_parts(output)
    seconds = time.monotonic() - start
    return StageResult(
        {
            "shards": float(len(todo)),
            "resumed_shards": float(len(chosen) - len(todo)),
            "videos": float(videos),
            **_totals(found),
            "seconds": seconds,
            "videos_per_second": videos / seconds,
        }
    )


def _check_output(output: str) -> None:
    """Refuse an output that could not be written at the end."""
    length = len(Path(output).name.encode())
    if length > LONGEST_NAME:
        raise ConfigError(f"output: a file name has at most {LONGEST_NAME} bytes, received one of {length}.")
    if not storage.is_remote(output) and local_path(output).is_dir():
        raise ConfigError(f"output: expected the name of a file, received the folder '{output}'.")


def _file_format(
    output: str, vocabulary: str, description: ExportDescription, config: PredictConfig
) -> "PredictionFormat":
    from yt8m.export.prediction_files import PredictionsParquet, SubmissionCsv  # noqa: PLC0415 - pyarrow

    match Path(output).suffix:
        case ".csv" if config.vocabulary:
            raise ConfigError("vocabulary: a submission has no class names. Write to a file that ends in .parquet.")
        case ".csv":
            return SubmissionCsv()
        case ".parquet":
            try:
                classes, whole = description.data.num_classes, bool(config.vocabulary)
                names = read_vocabulary(vocabulary, classes, complete=whole) if vocabulary else {}
            except (DataError, StorageError) as error:
                raise type(error)(f"vocabulary: {error}") from None
            return PredictionsParquet(names)
    raise ConfigError(f"output: expected a file that ends in .csv or .parquet, received '{output}'.")


def _tasks(  # noqa: PLR0917 private
    shards: Sequence[str],
    description: ExportDescription,
    spec: DataSpec,
    output: str,
    vocabulary: str,
    config: PredictConfig,
) -> list[ShardTask]:
    """List the shards with the files of their predictions, whose names hash everything that affects the content."""
    names = storage.stat(vocabulary).fingerprint if vocabulary else ""
    settings = f"{description.identity} {description.top_k} {names} {config.on_bad} {spec.layout!r}"
    tasks = []
    for shard, found in storage.stats(shards).items():
        content = f"{settings} {shard} {found.fingerprint}"
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        part = fitting_name(f"{shard.rpartition('/')[2]}-{digest}{Path(output).suffix}", len(RECORD_SUFFIX))
        tasks.append(ShardTask(shard, found.size, storage.join(_parts_folder(output), part)))
    return tasks


def _run(
    tasks: Sequence[ShardTask], model: Path, spec: DataSpec, file_format: "PredictionFormat", config: PredictConfig
) -> Iterator[ShardResult]:
    """Predict shards in this process or in several ones, and yield their results in any order.

    A process predicts several small shards at a time, because every start of a stream takes time.
    """
    from yt8m.export.shard_predictor import (  # noqa: PLC0415 - TensorFlow
        ShardPredictor,
        predict_in_worker,
        start_worker,
    )

    arguments = (model, spec, file_format, config.batch_size, config.on_bad)
    workers = min(config.workers, len(tasks))
    if not tasks:
        return
    if workers == 1:
        yield from ShardPredictor(*arguments).predict(tasks)
        return
    # TensorFlow does not survive a fork.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, start_worker, (workers, *arguments)) as pool:
        try:
            futures = [pool.submit(predict_in_worker, group) for group in _groups(tasks, workers)]
            for future in as_completed(futures):
                yield from future.result()
        except BrokenProcessPool:
            raise WorkerError(
                f"workers: one of {workers} processes died, probably for lack of memory: each holds the whole model. "
                "Finished shards are kept; call again with fewer workers."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _groups(tasks: Sequence[ShardTask], workers: int) -> Iterator[list[ShardTask]]:
    """Divide the shards into groups of neighbors that are predicted together, several for each worker."""
    most_shards = min(_SHARDS_TOGETHER, -(-len(tasks) // (workers * _GROUPS_PER_WORKER)))
    group: list[ShardTask] = []
    for task in tasks:
        size = sum(each.size for each in group) + task.size
        if group and (len(group) == most_shards or size > _BYTES_TOGETHER):
            yield group
            group = []
        group.append(task)
    yield group


def _join(
    tasks: Sequence[ShardTask], found: Sequence[ShardResult], file_format: "PredictionFormat", output: str
) -> None:
    """Join the parts of all shards, and tell of ids that are no text or that several videos have."""
    from yt8m.export.prediction_files import IdCollector  # noqa: PLC0415 - pyarrow

    ahead, collector = storage.ReadAhead([task.part for task in tasks]), IdCollector()

    def staged(task: ShardTask) -> Path:
        part = ahead.stage_in(task.part)
        collector.add_part(file_format.ids(part))
        return part

    with storage.publish_file(output) as path:
        file_format.join(map(staged, tasks), path)
    if binary := sum(each.binary_ids for each in found):
        _LOGGER.warning("%s: %d ids are no text. They are written as 0x and hexadecimal digits.", output, binary)
    if repeated := collector.find_repeated():
        one, two = (tasks[part] for part in repeated.parts)
        example = file_format.ids(storage.stage_in(one.part))[repeated.position]
        places = f"in {one.shard} and {two.shard}" if one != two else f"twice in {one.shard}"
        _LOGGER.warning(
            "%s: %d videos have the id of another one, for instance '%s' %s. All are in the output. If one "
            "row per id is needed, remove copies from the shards; `yt8m data check` lists them.",
            output, repeated.videos, example, places,
        )  # fmt: skip


def _totals(found: Sequence[ShardResult]) -> dict[str, float]:
    """Add up the results of all shards, from this call and earlier ones."""
    videos, bad_records = sum(each.videos for each in found), sum(each.bad_records for each in found)
    # Assumes that lost records are as large as the others.
    record_bytes = sum(each.read_bytes for each in found) / max(videos + bad_records, 1)
    lost_bytes = sum(each.lost_bytes for each in found)
    return {
        "total_videos": float(videos),
        "bad_records": float(bad_records),
        "damaged_shards": float(sum(each.damaged for each in found)),
        "missing_videos": float(max(1, round(lost_bytes / record_bytes))) if lost_bytes and record_bytes else 0.0,
    }


def _check_usable(found: Sequence[ShardResult], spec: DataSpec, output: str) -> None:
    """Refuse to write a file without any video, and remove the parts so that the next call reads the shards again."""
    if any(each.videos for each in found):
        return
    _remove_parts(output)
    bad_records, damaged = sum(each.bad_records for each in found), sum(each.damaged for each in found)
    first = next((f" The first: {each.problem}." for each in found if each.problem), "")
    diagnosis = next((f" {each.diagnosis}" for each in found if each.diagnosis), "")
    features = ", ".join(f"{name} of {size} values" for name, size in spec.features.items())
    # Files that are no TFRecord files have no record that could lack features.
    wanted = f" The model takes {features}: give shards that have them." if bad_records else " Give other shards."
    raise DataError(
        f"inputs: no usable video in {len(found)} shards: {bad_records:,} bad records, {damaged:,} damaged shards."
        f"{first}{diagnosis}{wanted}"
    )


def _parts_folder(output: str) -> str:
    """Return the URI of the folder with the predictions of each shard."""
    folder, slash, name = output.rpartition("/")
    return f"{folder}{slash}{fitting_name(f'{name}.parts')}"


def _remove_parts(output: str) -> None:
    """Remove the parts of a local output. Parts in an object store are left to its lifecycle rules."""
    parts = local_path(_parts_folder(output))
    if parts.is_dir():
        shutil.rmtree(parts)
