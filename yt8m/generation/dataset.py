"""A generated data set: shards, and beside them `dataset.json`, which says what they are."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any

from yt8m import storage
from yt8m.errors import DataError
from yt8m.generation.shards import Shard, write_shard
from yt8m.generation.video import Source
from yt8m.progress import progress
from yt8m.records.spec import DataSpec

DESCRIPTION_NAME = "dataset.json"


def start_dataset(uri: str, description: dict[str, Any]) -> None:
    """Writes `dataset.json`, or checks that the one that is there says the same.

    Args:
        uri: The data set's folder.
        description: JSON data that determines every byte of the data set.

    Raises:
        DataError: The folder holds another data set, or shards of unknown origin.
    """
    place = storage.join(uri, DESCRIPTION_NAME)
    text = json.dumps(description, indent=2) + "\n"
    if storage.exists(place):
        try:
            found = json.loads(storage.read_text(place))
        except ValueError:
            found = None
        if found != json.loads(text):
            raise DataError(f"{place}: {_difference(found, description)}. Choose another folder or remove this one.")
        return
    if strangers := storage.list_uris(storage.join(uri, "*.tfrecord")):
        raise DataError(
            f"{uri}: holds {len(strangers)} shards ({strangers[0]}, ...) without {DESCRIPTION_NAME}, so they are not "
            "from this command. Choose an empty folder."
        )
    with storage.open_atomic(place, "w") as file:
        file.write(text)


def write_shards(uri: str, shards: Sequence[Shard], *, source: Source, spec: DataSpec, seed: int, threads: int) -> int:
    """Writes those shards that are not there yet.

    Threads suffice: NumPy, checksums and writing let go of the interpreter. The content of a shard depends neither on
    the number of threads nor on the other shards.

    Args:
        uri: The data set's folder.
        shards: All its shards.
        source: Where the videos come from.
        spec: Features and longest video.
        seed: Seed of the data set.
        threads: Shards written at a time.

    Returns:
        Number of videos that were there before.
    """
    places = {shard: storage.join(uri, shard.name) for shard in shards}
    missing = [shard for shard in shards if not storage.exists(places[shard])]
    total = sum(shard.videos for shard in shards)
    done = total - sum(shard.videos for shard in missing)
    lock = Lock()
    with progress("Generating videos", total, done=done) as advance, ThreadPoolExecutor(threads) as pool:

        def count(videos: int) -> None:
            with lock:
                advance(videos)

        write = partial(write_shard, source=source, spec=spec, seed=seed, advance=count)
        writing = [pool.submit(write, places[shard], shard) for shard in missing]
        try:
            for each in writing:
                each.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return done


def _difference(found: Any, wanted: dict[str, Any]) -> str:
    if not isinstance(found, dict):
        return "not a description of a data set"
    keys = [key for key in wanted if found.get(key) != wanted[key]]
    shown = "; ".join(f"{key} {found.get(key)!r} instead of {wanted[key]!r}" for key in keys if key != "class_kinds")
    return f"the folder holds another data set ({shown or 'made by another version'})"
