"""The test of the exported model: labeled shards of `data.test`, on which nothing was decided."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from yt8m import storage
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, find_known, list_shards
from yt8m.errors import ConfigError, DataError
from yt8m.holdout import Division
from yt8m.stages.evaluate import EvaluateConfig, evaluate

_LOGGER = logging.getLogger("yt8m.data")

TEST_KEY = "data.test"

# Metrics of `evaluate` that the test does not have: those of the file, of decisions and of speed.
_LEFT_OUT = ("bytes", "gap_select", "select_videos", "seconds", "videos_per_second", "gap_top_k")


def find_test_shards(key: str, pattern: str, others: Iterable[str] = ()) -> list[str]:
    """List the test shards of a pattern.

    Args:
        key: Key of the recipe that holds the pattern.
        pattern: Path, URI or glob pattern.
        others: URIs of the training and hold-out shards, as far as they are known.

    Raises:
        ConfigError: The pattern matches no shard, or a training or hold-out shard.
    """
    found = storage.find_files(pattern, "shard", ".tfrecord")
    if found.problem:
        raise ConfigError(f"{key}: {found.problem}")
    known = {storage.identity(uri) for uri in others}
    if both := [uri for uri in found.uris if storage.identity(uri) in known]:
        raise ConfigError(f"{key}: {_also_elsewhere(both)}")
    return list(found.uris)


def check_first_records(key: str, uri: str, spec: DataSpec) -> None:
    """Check the first records of a test shard before anything trains.

    Args:
        key: Key of the recipe that matches the shard.
        uri: URI of the shard.
        spec: Features, classes and length of the videos.

    Raises:
        ConfigError: None of the records is a usable video, or none has a label.
    """
    # TensorFlow
    from yt8m.data.checking.diagnosis import diagnose  # noqa: PLC0415
    from yt8m.data.checking.explain import explain_bad_record  # noqa: PLC0415
    from yt8m.data.checking.labels import any_labeled, explain_missing_labels, first_records  # noqa: PLC0415

    records = first_records(uri)
    problems = [explain_bad_record(record, spec)[1] for record in records]
    if all(problems):
        reason = problems[0] if problems else "no record"
        has = diagnose(records, spec)
        raise ConfigError(
            f"{key}: {uri}: no usable video: {reason}. {has}{' ' * bool(has)}Give labeled shards like those of "
            "data.validation."
        )
    good = [record for record, problem in zip(records, problems, strict=True) if not problem]
    if instead := explain_missing_labels(good, spec) if not any_labeled(good, spec) else "":
        raise ConfigError(f"{key}: {uri}: no labeled video: {instead} Leave out {TEST_KEY} if there are none.")


def measure_on_test(
    patterns: Sequence[str], *, partition: Path, model: Path, config: EvaluateConfig
) -> dict[str, float]:
    """Measure an exported model on the test shards.

    Args:
        patterns: Glob patterns of the test shards. Without any, nothing is measured.
        partition: Partition file of the run, for features, classes and the frequencies of the baseline.
        model: Folder of the exported model.
        config: How models are measured.

    Returns:
        Metrics of `evaluate` whose names begin with `test_`: `test_gap`, `test_gap_low`, `test_videos`, ...; and
        `test_videos_in_training`, the number of test videos with the id of a training or hold-out video.

    Raises:
        DataError: A pattern matches no shard, a shard is also a training or hold-out shard, or no video can be used or
            has a label.
    """
    from yt8m.data.scan import hold_out_all  # noqa: PLC0415 - TensorFlow

    if not patterns:
        return {}
    known = Partition.load(partition)
    uris = list_shards(TEST_KEY, patterns)
    try:
        test = hold_out_all(uris, known.spec, known.on_bad)
    except DataError as error:
        raise DataError(f"{TEST_KEY}: {error}") from None
    if both := find_known(test.holdout, (*known.training, *known.holdout)):
        raise DataError(f"{TEST_KEY}: {_also_elsewhere([shard.uri for shard in both])}")
    # The partition of the run with the test shards as its hold-out.
    changes = {
        "holdout": test.holdout,
        "fewest_labels": test.fewest_labels,
        "most_labels": test.most_labels,
        "damaged_shards": test.damaged_shards,
        "skipped_records": test.skipped_records,
        "division": Division(),
        "select_counts": (),
    }
    with TemporaryDirectory() as folder:
        path = Path(folder, "partition.json")
        known.model_copy(update=changes).save(path)
        measured = evaluate(partition=path, model=model, config=config, predictions=None).metrics
    figures = {f"test_{name}": value for name, value in measured.items() if name not in _LEFT_OUT}
    return figures | {"test_videos_in_training": float(_count_used(test, known))}


def _count_used(test: Partition, known: Partition) -> int:
    """Count the test videos with the id of a training or hold-out video, whose shards are read for this."""
    from yt8m.data.known_videos import find_known_videos  # noqa: PLC0415 - TensorFlow

    found = find_known_videos(test, known)
    shared = found.in_training | found.in_select | found.in_report
    number = int(shared.sum())
    if number:
        _LOGGER.warning(
            "%s: %s of %s test videos are training or hold-out videos, too, for instance %s. The figures of the test "
            "are too high.",
            TEST_KEY, f"{number:,}", f"{found.measured.videos:,}", found.name_first(shared),
        )  # fmt: skip
    return number


def _also_elsewhere(uris: Sequence[str]) -> str:
    return (
        f"{uris[0]}: also a training or hold-out shard (such shards: {len(uris)}). What a model has seen is no test: "
        "give other shards, or leave the key out."
    )
