"""Division of videos among several shards, for data that came in one file: the hold-out consists of whole shards."""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yt8m import storage
from yt8m.data.description import DESCRIPTION_NAME, DatasetDescription
from yt8m.data.shards import shard_name
from yt8m.data.tfrecord import inspect_framing, read_payloads, write_record
from yt8m.errors import ConfigError, DataError
from yt8m.progress import progress

# All shards are open at once, and processes may usually open 1,024 files.
MOST_SHARDS = 500
_USUAL_SHARDS = 10
# Beginning of the names of the shards.
NAME = "shard"


class Division(NamedTuple):
    """What was written.

    Attributes:
        pattern: Glob pattern of the shards.
        shards: Number of shards.
        videos: Number of records in all shards.
    """

    pattern: str
    shards: int
    videos: int


def divide_shards(uris: Sequence[str], output_uri: str, shards: int | None = None) -> Division:
    """Write the records of shards into other shards of equal size, at random, as they are.

    Records are dealt out in rounds, in which each shard gets one. So every shard has videos of every kind, even if the
    records are sorted by class. Memory does not grow with the number of records. The description of the data set and
    the vocabulary that it names are copied.

    Args:
        uris: Paths or URIs of the shards to divide.
        output_uri: Folder or URI of the new shards.
        shards: Number of shards to write. None means 10, or as many as there are videos if these are fewer.

    Raises:
        ConfigError: There are too many or too few shards to write, or shards in the folder already.
        DataError: A shard is damaged, or there are fewer records than shards.
        StorageError: A shard cannot be read or written.
    """
    if shards is not None and not 2 <= shards <= MOST_SHARDS:
        raise ConfigError(f"--shards: expected 2 to {MOST_SHARDS}, received {shards}.")
    pattern = storage.join(output_uri, "*.tfrecord")
    if storage.list_uris(pattern):
        raise ConfigError(f"--out: {output_uri} has shards already. Give another folder, or remove them first.")
    records = sum(_count(uri) for uri in uris)
    shards = shards or max(2, min(_USUAL_SHARDS, records))
    if records < shards:
        remedy = (
            f"Give --shards {records} or less." if records > 1 else "Training and the hold-out need at least one each."
        )
        raise DataError(f"{uris[0]}: {records} videos cannot fill {shards} shards. {remedy}")
    description = DatasetDescription.of_shard(uris[0])
    vocabulary = None
    if description and description.vocabulary:
        vocabulary = storage.stage_in(storage.join(uris[0].rpartition("/")[0], description.vocabulary))
    order = np.random.default_rng(0)
    turn: list[int] = []
    names = [shard_name(NAME, number) for number in range(shards)]
    with ExitStack() as stack, progress("divide", len(uris), unit="shards") as advance:
        paths = [stack.enter_context(storage.publish_file(storage.join(output_uri, name))) for name in names]
        files = [stack.enter_context(path.open("wb")) for path in paths]
        for uri in uris:
            path = storage.stage_in(uri)
            for payload in read_payloads(path, 0, inspect_framing(path, verify_payloads=False).records):
                turn = turn or order.permutation(shards).tolist()
                write_record(files[turn.pop()], payload)
            advance()
    if description:
        _copy_description(description, vocabulary, output_uri, records, shards)
    return Division(pattern, shards, records)


def _count(uri: str) -> int:
    """Return the number of records of a shard.

    Raises:
        DataError: The shard is damaged.
    """
    framing = inspect_framing(storage.stage_in(uri), verify_payloads=True)
    if damage := framing.damage:
        raise DataError(
            f"{uri}: damaged at byte {damage.offset} (record {damage.record}): {damage.reason}. Make or download the "
            "shard again."
        )
    return framing.records


def _copy_description(
    description: DatasetDescription, vocabulary: Path | None, output_uri: str, records: int, shards: int
) -> None:
    if vocabulary:
        with storage.publish_file(storage.join(output_uri, description.vocabulary)) as path:
            shutil.copyfile(vocabulary, path)
    changes = {"videos": {NAME: records}, "shards": {NAME: shards}}
    description.model_copy(update=changes).save(storage.join(output_uri, DESCRIPTION_NAME))
