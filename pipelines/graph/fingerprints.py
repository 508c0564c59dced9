"""Fingerprints of the files that a run reads from outside: shards, and means of videos to generate."""

from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Literal, NamedTuple

from pipelines.recipe.schema import DataConfig
from yt8m import storage
from yt8m.errors import ConfigError, StorageError

# Whether to read fingerprints. `if possible` goes without them if a store cannot be reached or denies access.
ReadData = bool | Literal["if possible"]

# Seconds that a store has to list the files, where it is not sure that it can be reached.
SECONDS_TO_LIST = 10.0

# Key of the recipe and glob pattern.
_Pattern = tuple[str, str]


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
        ConfigError: A pattern matches no file, or something that cannot be read, in a store that can be reached.
        StorageError: A store cannot be reached or denies access, and the fingerprints are required.
    """
    patterns = [(key, pattern) for key in ("training", "validation") for pattern in getattr(data, key)]
    if data.generate and data.generate.means:
        patterns.append(("generate.means", data.generate.means))
    if not patterns:
        return Fingerprints({})
    if read_data is True:
        return Fingerprints(storage.fingerprints(_list(patterns, source)))
    if read_data is False:
        return Fingerprints({}, "the shards were not looked at")
    local = next((pattern for _, pattern in patterns if not storage.is_remote(pattern)), "")
    if local:
        return Fingerprints({}, f"{local} is a path in the steps' containers")
    try:
        return Fingerprints(storage.fingerprints(_list_in_time(patterns, source)))
    except StorageError as error:
        return Fingerprints({}, str(error))


def _list(patterns: Sequence[_Pattern], source: str) -> list[str]:
    listed: list[str] = []
    for key, pattern in patterns:
        found = storage.find_files(pattern, ending=".npz" if key == "generate.means" else ".tfrecord")
        if found.problem:
            raise ConfigError(
                f"{source}: data.{key}: {found.problem} For a run, `--set data.{key}=...` names other files."
            )
        listed += found.uris
    return listed


def _list_in_time(patterns: Sequence[_Pattern], source: str) -> list[str]:
    """List files in a thread that ends with the process, because requests are repeated for minutes."""
    found: list[str] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            found.extend(_list(patterns, source))
        except Exception as error:
            errors.append(error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_LIST)
    if errors:
        raise errors[0]
    if thread.is_alive():
        raise StorageError(f"{patterns[0][1]}: the store did not answer within {SECONDS_TO_LIST:.0f} seconds")
    return found
