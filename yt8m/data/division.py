"""Division of videos among several shards, for data that came in one file: the hold-out consists of whole shards."""

import filecmp
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yt8m import storage
from yt8m.data.description import DESCRIPTION_NAME, DatasetDescription
from yt8m.data.format import RecordLayout
from yt8m.data.shards import check_folder, shard_name
from yt8m.data.tfrecord import Framing, inspect_framing, read_payloads, write_record
from yt8m.errors import ConfigError, DataError
from yt8m.progress import progress

# All shards are open at once, and processes may usually open 1,024 files.
MOST_SHARDS = 500
_USUAL_SHARDS = 10
# Records of which the key of the id is guessed.
_GUESSED = 100
# Beginning of the names of the shards.
NAME = "shard"


class Division(NamedTuple):
    """What was written.

    Attributes:
        pattern: Glob pattern of the shards.
        shards: Number of shards.
        videos: Number of records in all shards.
        doubts: Sentences about copies, which were left out, and about ids of several videos.
    """

    pattern: str
    shards: int
    videos: int
    doubts: tuple[str, ...]


def divide_shards(uris: Sequence[str], output_uri: str, shards: int | None = None) -> Division:
    """Write the records of shards into other shards of equal size, at random, as they are.

    Records are dealt out in rounds, in which each shard gets one. So every shard has videos of every kind, even if the
    records are sorted by class. Memory grows by 8 bytes per record. The description of the data set and the vocabulary
    that it names are copied. Of shards with the same content, one is used.

    Args:
        uris: Paths or URIs of the shards to divide.
        output_uri: Folder or URI of the new shards.
        shards: Number of shards to write. None means 10, or as many as there are videos if these are fewer.

    Raises:
        ConfigError: There are too many or too few shards to write, shards in the folder already, or a file in its
            place.
        DataError: A shard is damaged, or there are fewer records than shards.
        StorageError: A shard cannot be read or written.
    """
    if shards is not None and not 2 <= shards <= MOST_SHARDS:
        raise ConfigError(f"--shards: expected 2 to {MOST_SHARDS}, received {shards}.")
    check_folder(output_uri)
    pattern = storage.join(output_uri, "*.tfrecord")
    if storage.list_uris(pattern):
        raise ConfigError(f"--out: {output_uri} has shards already. Give another folder, or remove them first.")
    framings = {uri: _inspect(uri) for uri in uris}
    copies = _find_copies(framings)
    uris = [uri for uri in uris if uri not in copies]
    records = sum(framings[uri].records for uri in uris)
    shards = shards or max(2, min(_USUAL_SHARDS, records))
    if records < shards:
        remedy = (
            f"Give --shards {records} or less." if records > 1 else "Training and the hold-out need at least one each."
        )
        raise DataError(f"{uris[0]}: {records} videos cannot fill {shards} shards. {remedy}")
    description = DatasetDescription.of_shard(uris[0])
    vocabulary = None
    if description and description.vocabulary:
        vocabulary = storage.stage_in(storage.join(storage.folder_of(uris[0]), description.vocabulary))
    doubts = [f"{copy} has the content of {original}, so that it is left out." for copy, original in copies.items()]
    doubts += _doubts_about_ids({uri: framings[uri].records for uri in uris}, description)
    order = np.random.default_rng(0)
    turn: list[int] = []
    names = [shard_name(NAME, number) for number in range(shards)]
    with ExitStack() as stack, progress("divide", len(uris), unit="shards") as advance:
        paths = [stack.enter_context(storage.publish_file(storage.join(output_uri, name))) for name in names]
        files = [stack.enter_context(path.open("wb")) for path in paths]
        for uri in uris:
            path = storage.stage_in(uri)
            for payload in read_payloads(path, 0, framings[uri].records):
                turn = turn or order.permutation(shards).tolist()
                write_record(files[turn.pop()], payload)
            advance()
    if description:
        _copy_description(description, vocabulary, output_uri, records, shards)
    return Division(pattern, shards, records, tuple(doubts))


def _inspect(uri: str) -> Framing:
    """Return number and checksum of the records of a shard.

    Raises:
        DataError: The shard is damaged.
    """
    framing = inspect_framing(storage.stage_in(uri), verify_payloads=True)
    if damage := framing.damage:
        raise DataError(
            f"{uri}: damaged at byte {damage.offset} (record {damage.record}): {damage.reason}. Make or download the "
            "shard again."
        )
    return framing


def _find_copies(framings: Mapping[str, Framing]) -> dict[str, str]:
    """Find shards with equal content, and return the one with the shortest name by the others."""
    originals: dict[tuple[int, str], list[str]] = {}
    copies = {}
    # The names of copies are usually longer: `train0 (1).tfrecord`.
    for uri in sorted(framings, key=lambda uri: (len(uri), uri)):
        equal = originals.setdefault((framings[uri].records, framings[uri].checksum), [])
        path = storage.stage_in(uri)
        original = next((each for each in equal if filecmp.cmp(path, storage.stage_in(each), shallow=False)), "")
        if original:
            copies[uri] = original
        else:
            equal.append(uri)
    return copies


def _doubts_about_ids(records: Mapping[str, int], description: DatasetDescription | None) -> Iterator[str]:
    """Yield a sentence if several videos have the same id.

    Args:
        records: Number of records of each shard.
        description: Description of the data set, if it has one.
    """
    from yt8m.data.checking.fields import id_of  # noqa: PLC0415 - TensorFlow
    from yt8m.data.checking.layout import guess_spec  # noqa: PLC0415

    layout = description.data.layout if description else RecordLayout()
    if not description:
        first = (payload for uri in records for payload in read_payloads(storage.stage_in(uri), 0, records[uri]))
        with suppress(DataError):
            layout = guess_spec(islice(first, _GUESSED)).layout

    def ids() -> Iterator[tuple[str, bytes]]:
        for uri, number in records.items():
            for payload in read_payloads(storage.stage_in(uri), 0, number):
                if found := id_of(payload, layout):
                    yield uri, found

    numbers = np.fromiter((hash(video_id) for _, video_id in ids()), np.int64)
    distinct, counts = np.unique(numbers, return_counts=True)
    if len(distinct) < len(numbers):
        wanted = distinct[counts > 1][0]
        (one, video_id), (other, _) = islice(((uri, each) for uri, each in ids() if hash(each) == wanted), 2)
        yield (
            f"{len(numbers) - len(distinct):,} of {len(numbers):,} videos have the id of another one, for instance "
            f"'{video_id.decode('utf-8', 'replace')}' in {one} and {other}. If they are the same videos, some of them "
            "will be on both sides: remove the copies. If not, give each an id of its own."
        )


def _copy_description(
    description: DatasetDescription, vocabulary: Path | None, output_uri: str, records: int, shards: int
) -> None:
    if vocabulary:
        with storage.publish_file(storage.join(output_uri, description.vocabulary)) as path:
            shutil.copyfile(vocabulary, path)
    changes = {"videos": {NAME: records}, "shards": {NAME: shards}}
    description.model_copy(update=changes).save(storage.join(output_uri, DESCRIPTION_NAME))
