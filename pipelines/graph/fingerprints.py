"""Fingerprints of the files that a run reads from outside: shards, and means of videos to generate."""

from collections.abc import Callable, Mapping, Sequence
from threading import Thread
from typing import Literal, NamedTuple, TypeVar

from pipelines.recipe.schema import DataConfig
from yt8m import storage
from yt8m.data.partition import split_shards
from yt8m.errors import ConfigError, DataError, StorageError

# Whether to read fingerprints. `if possible` goes without them if a store cannot be reached or denies access.
# `in stores` requires them like True, but paths are those of the steps' containers, not of this machine.
ReadData = bool | Literal["if possible", "in stores"]

# Seconds that a store has to answer, where it is not sure that it can be reached.
SECONDS_TO_LIST = 10.0

# Beginnings of the names of generated training and validation shards.
SPLITS = ("train", "validate")

# Key of the recipe and glob pattern.
_Pattern = tuple[str, str]

Result = TypeVar("Result")


class Fingerprints(NamedTuple):
    """Fingerprints of the files that a run reads from outside.

    Attributes:
        files: Fingerprint of every file, by URI.
        unread: Why there are none. Empty if they were read, or if the run reads no such files.
    """

    files: Mapping[str, str]
    unread: str = ""


def find_fingerprints(data: DataConfig, source: str, read_data: ReadData = True) -> Fingerprints:
    """Read the fingerprint of every file that a run reads from outside.

    Args:
        data: Section `data` of the recipe.
        source: Origin of the recipe, for error messages.
        read_data: Whether to read them.

    Raises:
        ConfigError: A pattern matches no file, or something that cannot be read, in a store that can be reached, or the
            shards cannot be divided.
        StorageError: A store cannot be reached or denies access, and the fingerprints are required.
    """
    patterns = _patterns(data)
    if data.generate:
        names = [shard.name for shard in data.generate.shards()]
        _check_division([[name for name in names if name.startswith(split)] for split in SPLITS], data, source)
    if not patterns:
        return Fingerprints({})
    if read_data in {True, "in stores"}:
        return Fingerprints(storage.fingerprints(_list(patterns, data, source)))
    if read_data is False:
        return Fingerprints({}, "the shards were not looked at")
    local = next((pattern for _, pattern in patterns if not storage.is_remote(pattern)), "")
    if local:
        return Fingerprints({}, f"{local} is a path in the steps' containers")
    try:
        found = in_time(lambda: _list(patterns, data, source), patterns[0][1])
        return Fingerprints(storage.fingerprints(found))
    except StorageError as error:
        return Fingerprints({}, str(error))


def missing_files(data: DataConfig, source: str) -> str:
    """Look at the local files that a run would read, without a request to any store.

    Args:
        data: Section `data` of the recipe.
        source: Origin of the recipe, for error messages.

    Returns:
        What is missing; empty if all files are there, or some are not on this machine.

    Raises:
        ConfigError: All shards are there, but cannot be divided.
    """
    patterns = _patterns(data)
    if any(storage.is_remote(pattern) for _, pattern in patterns):
        return ""
    missing = next((key for key, pattern in patterns if not storage.list_uris(pattern)), "")
    try:
        _list(patterns, data, source)
    except ConfigError as error:
        if missing:
            return str(error)
        raise
    return ""


def in_time(work: Callable[[], Result], uri: str) -> Result:
    """Call a function in a thread that ends with the process, because requests to stores are repeated for minutes.

    Args:
        work: The function.
        uri: What it reads, for the error message.

    Raises:
        StorageError: The store did not answer in time, or the function raised this error.
    """
    found: list[Result] = []
    errors: list[Exception] = []

    def call() -> None:
        try:
            found.append(work())
        except Exception as error:
            errors.append(error)

    thread = Thread(target=call, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_LIST)
    if errors:
        raise errors[0]
    if not found:
        raise StorageError(f"{uri}: the store did not answer within {SECONDS_TO_LIST:.0f} seconds")
    return found[0]


def _patterns(data: DataConfig) -> list[_Pattern]:
    patterns = [(key, pattern) for key in ("training", "validation") for pattern in getattr(data, key)]
    if data.generate and data.generate.means:
        patterns.append(("generate.means", data.generate.means))
    return patterns


def _list(patterns: Sequence[_Pattern], data: DataConfig, source: str) -> list[str]:
    """List the files, and check that their shards can be divided into two sides."""
    found: dict[str, dict[str, None]] = {}
    for key, pattern in patterns:
        files = storage.find_files(pattern, ending=".npz" if key == "generate.means" else ".tfrecord")
        if files.problem:
            raise ConfigError(
                f"{source}: data.{key}: {files.problem} For a run, `--set data.{key}=...` names other files."
            )
        found.setdefault(key, {}).update(dict.fromkeys(files.uris))
    if "validation" in found:
        _check_division([[*found.get("training", {})], [*found["validation"]]], data, source)
    return [uri for uris in found.values() for uri in uris]


def _check_division(sides: Sequence[Sequence[str]], data: DataConfig, source: str) -> None:
    training, validation = sides
    try:
        split_shards(training, validation, data.holdout_shards, seed=0)
    except DataError as error:
        raise ConfigError(f"{source}: data: {error}") from None
