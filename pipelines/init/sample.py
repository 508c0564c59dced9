"""A small copy of a data set for the first run."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipelines.init.scale import HOLDOUT_SHARE
from pipelines.init.survey import Survey, take_records
from yt8m import storage
from yt8m.data.shards import shard_name
from yt8m.data.tfrecord import write_record
from yt8m.errors import ConfigError

FOLDER = "sample"
# Shards of the copy, by the beginning of their names.
_SHARDS = {"train": 4, "validate": 2}


def write_sample(survey: Survey, training: int, holdout: int, folder: Path) -> dict[str, int]:
    """Copy records of a data set, evenly from its shards. The folder appears completely or not at all.

    Args:
        survey: What the data set holds.
        training: Number of training records to copy.
        holdout: Number of hold-out records to copy.
        folder: Folder of the copy, which is replaced.

    Returns:
        Number of records by side, `train` and `validate`.

    Raises:
        ConfigError: The folder has other files.
    """
    check_replaceable(folder, survey)
    wanted = {"train": training, "validate": holdout}
    with storage.publish_directory(folder) as new:
        return {
            side: _write(new, side, take_records(records, wanted[side])) for side, records in _records(survey).items()
        }


def check_replaceable(folder: Path, survey: Survey) -> None:
    """Check that a folder holds no files but those of an earlier sample.

    Raises:
        ConfigError: It holds others, or shards of the data set.
    """
    data = {uri for side in survey.sides.values() for uri in side.shards.uris}
    names = {shard_name(side, number) for side, count in _SHARDS.items() for number in range(count)}
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        if path.name not in names or str(path.absolute()) in data:
            raise ConfigError(f"{folder}: has other files, such as {path.name}, where the sample is to be. Move them.")


def _records(survey: Survey) -> Mapping[str, Mapping[str, int]]:
    """Return the opened shards to copy from, with their numbers of records, by side."""
    validation = survey.sides["validation"].records
    if "training" in survey.sides:
        return {"train": survey.sides["training"].records, "validate": validation}
    # Whole shards are on one side, as in the run with all videos.
    every = round(1 / HOLDOUT_SHARE)
    held_out = {uri for number, uri in enumerate(validation, 1) if number % every == 0} or {list(validation)[-1]}
    sides: dict[str, dict[str, int]] = {"train": {}, "validate": {}}
    for uri, count in validation.items():
        sides["validate" if uri in held_out else "train"][uri] = count
    return sides


def _write(folder: Path, side: str, payloads: Iterable[bytes]) -> int:
    """Write records to the shards of a side in turn, and return their number."""
    files = [(folder / shard_name(side, number)).open("wb") for number in range(_SHARDS[side])]
    count = 0
    try:
        for payload in payloads:
            write_record(files[count % len(files)], payload)
            count += 1
    finally:
        for file in files:
            file.close()
    return count
