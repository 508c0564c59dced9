"""What a recipe leaves out and the descriptions of its data sets say: the files `dataset.json` beside the shards."""

from collections.abc import Mapping
from typing import Any

from pipelines.graph.fingerprints import ReadData, in_time
from yt8m import storage
from yt8m.data.description import DatasetDescription, check_described, complete, descriptions_of
from yt8m.data.format import DataSpec
from yt8m.data.vocabulary.names import vocabulary_of
from yt8m.errors import ConfigError, DataError, StorageError
from yt8m.yaml_files import mapping_at


def complete_spec(raw: Mapping[str, Any], source: str, read_data: ReadData) -> dict[str, Any]:
    """Fill in what a recipe leaves out from the descriptions beside the shards, and check the rest against them.

    These are the keys of `data.spec`, and `export.vocabulary`.

    Args:
        raw: The recipe as plain data, of any shape; see `pipelines.recipe.load.read_recipe`.
        source: Origin of the recipe, for error messages.
        read_data: Whether to look into stores; see `find_fingerprints`. Files on this machine are always looked at.

    Returns:
        The recipe, with a complete `data.spec` and the names of the classes if there is a description.

    Raises:
        ConfigError: A file of that name is no description, or descriptions contradict each other or the recipe.
        StorageError: A store cannot be reached or denies access, and the shards are required.
    """
    data, written = mapping_at(raw, "data"), mapping_at(raw, "data", "spec")
    lists = [data.get(key) for key in ("training", "validation")]
    patterns = [pattern for each in lists if isinstance(each, list) for pattern in each if isinstance(pattern, str)]
    if data.get("generate") is not None or not isinstance(data.get("spec") or {}, dict):
        return dict(raw)
    found = _find(patterns, read_data)
    if not found:
        return dict(raw)
    spec = complete(written, next(iter(found.values())).data)
    try:
        parsed = DataSpec.parse(spec, f"{source}: data.spec")
    except ConfigError:
        return dict(raw)  # the schema reports all problems
    try:
        check_described(found, parsed)
    except DataError as error:
        raise ConfigError(f"{source}: {error}") from None
    named = _with_vocabulary(raw, vocabulary_of(found))
    return {**named, "data": {**data, "spec": spec}} if spec != written else named


def _with_vocabulary(raw: Mapping[str, Any], vocabulary: str) -> dict[str, Any]:
    """Let a recipe that says nothing of the names of classes take those of the data set."""
    export = raw.get("export") or {}
    if not vocabulary or not isinstance(export, dict) or "vocabulary" in export:
        return dict(raw)
    return {**raw, "export": {**export, "vocabulary": vocabulary}}


def _find(patterns: list[str], read_data: ReadData) -> dict[str, DatasetDescription]:
    found = _read([pattern for pattern in patterns if not storage.is_remote(pattern)])
    remote = [pattern for pattern in patterns if storage.is_remote(pattern)]
    if not remote or read_data is False:
        return found
    if read_data is True:
        return found | _read(remote)
    try:
        return found | in_time(lambda: _read(remote), remote[0])
    except StorageError:
        return found  # `prepare` compares the recipe with the descriptions


def _read(patterns: list[str]) -> dict[str, DatasetDescription]:
    return descriptions_of(uri for pattern in patterns for uri in storage.find_files(pattern).uris)
