"""A generated data set: shards, and beside them `dataset.json`, which says what they are."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock

from yt8m import storage
from yt8m.data.dataset_description import DESCRIPTION_NAME, DatasetDescription
from yt8m.data.framing import inspect_framing
from yt8m.data.spec import DataSpec
from yt8m.data.synthetic.shards import Shard, write_shard
from yt8m.data.synthetic.video import Source
from yt8m.errors import ConfigError, DataError
from yt8m.progress import progress


def start_dataset(uri: str, description: DatasetDescription) -> None:
    """Write `dataset.json`, or checks that the one that is there says the same.

    Args:
        uri: The data set's folder.
        description: What the data set is.

    Raises:
        DataError: The folder holds another data set, or shards of unknown origin.
    """
    place = storage.join(uri, DESCRIPTION_NAME)
    try:
        found = DatasetDescription.in_folder(uri)
    except ConfigError as error:
        raise DataError(f"{error} So it is not from this command. Choose another folder or remove this one.") from None
    if found:
        if found != description:
            raise DataError(f"{place}: {_difference(found, description)}. Choose another folder or remove this one.")
        return
    if strangers := storage.list_uris(storage.join(uri, "*.tfrecord")):
        raise DataError(
            f"{uri}: holds {len(strangers)} shards ({strangers[0]}, ...) without {DESCRIPTION_NAME}, so they are not "
            "from this command. Choose an empty folder."
        )
    description.save(place)


def write_shards(uri: str, shards: Sequence[Shard], *, source: Source, spec: DataSpec, seed: int, threads: int) -> int:
    """Write those shards that are not there yet, or are damaged.

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
    missing = [shard for shard in shards if not _is_whole(places[shard], shard.videos)]
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


def _is_whole(place: str, videos: int) -> bool:
    """Whether there is a shard of so many records; reads a few bytes of each, and none of an object, which is whole."""
    if not storage.exists(place):
        return False
    if storage.is_remote(place):
        return True
    framing = inspect_framing(storage.stage_in(place), verify_payloads=False)
    return framing.damage is None and framing.records == videos


def _difference(found: DatasetDescription, wanted: DatasetDescription) -> str:
    here, there = (each.model_dump(mode="json", exclude={"class_kinds"}) for each in (found, wanted))
    shown = "; ".join(f"{key} {here[key]!r} instead of {there[key]!r}" for key in there if here[key] != there[key])
    return f"the folder holds another data set ({shown or 'made by another version'})"
