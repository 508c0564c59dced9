"""What a recipe leaves out and the descriptions of its data sets say: the files `dataset.json` beside the shards."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.graph.fingerprints import ReadData, in_time
from pipelines.recipe.schema import DataConfig
from yt8m import storage
from yt8m.data.description import DESCRIPTION_NAME, DatasetDescription, check_described, complete, descriptions_of
from yt8m.data.format import DataSpec
from yt8m.data.vocabulary.files import read_classes
from yt8m.data.vocabulary.names import vocabulary_of
from yt8m.errors import ConfigError, DataError, StorageError, suggest_similar
from yt8m.holdout import indivisible
from yt8m.yaml_files import mapping_at

# Beginning of the names of the validation shards that `yt8m data import` writes.
_VALIDATION = "validate"


def complete_spec(raw: Mapping[str, Any], source: str, read_data: ReadData) -> dict[str, Any]:
    """Fill in what a recipe leaves out from the descriptions beside the shards, and check the rest against them.

    These are the keys of `data.spec`, and `export.vocabulary`. Names of classes become numbers.

    Args:
        raw: The recipe as plain data, of any shape; see `pipelines.recipe.load.read_recipe`.
        source: Origin of the recipe, for error messages.
        read_data: Whether to look into stores; see `find_fingerprints`. Files on this machine are always looked at.

    Returns:
        The recipe, with a complete `data.spec` and the names of the classes if there is a description.

    Raises:
        ConfigError: A file of that name is no description, descriptions contradict each other or the recipe, or there
            is no class of a name.
        StorageError: A store cannot be reached or denies access, and the shards are required.
    """
    return _number_classes(_complete(raw, source, read_data), source, read_data)


def _complete(raw: Mapping[str, Any], source: str, read_data: ReadData) -> dict[str, Any]:
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
        _check_divisible(data, found, parsed)
    except DataError as error:
        raise ConfigError(f"{source}: {error}") from None
    named = _with_vocabulary(raw, vocabulary_of(found))
    return {**named, "data": {**data, "spec": spec}} if spec != written else named


def _check_divisible(data: Mapping[str, Any], found: Mapping[str, DatasetDescription], spec: DataSpec) -> None:
    """Check that a hold-out which an import wrote has several groups if it is to be divided.

    Raises:
        DataError: It has one. `prepare` would find it out, too.
    """
    share = data.get("report_share", DataConfig.model_fields["report_share"].default)
    single = {folder for folder, each in found.items() if each.imported and each.imported.validation_groups == 1}
    validation = data.get("validation")
    if not (single and spec.layout.group and isinstance(share, int | float) and share and isinstance(validation, list)):
        return
    uris = [uri for pattern in validation for uri in storage.find_files(pattern).uris]
    folders = set(map(storage.folder_of, uris))
    # Shards of another side, which may be held out as well, have other groups.
    if len(folders) == 1 and folders <= single and all(_VALIDATION in uri.rpartition("/")[2] for uri in uris):
        raise indivisible(
            share, f"all videos of the validation shards are of one group, as {folders.pop()}/{DESCRIPTION_NAME} says"
        )


def _with_vocabulary(raw: Mapping[str, Any], vocabulary: str) -> dict[str, Any]:
    """Let a recipe that says nothing of the names of classes take those of the data set."""
    export = raw.get("export") or {}
    if not vocabulary or not isinstance(export, dict) or "vocabulary" in export:
        return dict(raw)
    return {**raw, "export": {**export, "vocabulary": vocabulary}}


def _number_classes(raw: dict[str, Any], source: str, read_data: ReadData) -> dict[str, Any]:
    """Replace names of classes in `class_weights` by numbers, if there is a vocabulary that can be read."""
    uri = mapping_at(raw, "export").get("vocabulary")
    named = [(place, name) for place, weights in _class_weights(raw) for name in weights if not str(name).isdecimal()]
    if not named or not uri or not isinstance(uri, str) or (storage.is_remote(uri) and read_data is False):
        return raw
    try:
        numbers = {each.name: each.number for each in read_classes(uri)}
    except (StorageError, DataError):
        return raw  # the schema reports the names, and a later check the file
    for place, name in named:
        if name not in numbers:
            raise ConfigError(
                f"{source}: {place}: no class '{name}' in {uri}. {suggest_similar(str(name), numbers)}".rstrip()
                + " Give a name in it, or the number of a class."
            )
    raw = copy.deepcopy(raw)
    for place, weights in _class_weights(raw):
        numbered = {str(numbers.get(name, name)): weight for name, weight in weights.items()}
        if len(numbered) < len(weights):
            raise ConfigError(f"{source}: {place}: a class has two weights, one by its name. Give one of them.")
        weights.clear()
        weights.update(numbered)
    return raw


def _class_weights(raw: Any, place: str = "") -> Iterator[tuple[str, dict[Any, Any]]]:
    """Yield every mapping `class_weights` of a recipe with its place."""
    for key, value in raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ():
        here = f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}".removeprefix(".")
        if key == "class_weights" and isinstance(value, dict):
            yield here, value
        else:
            yield from _class_weights(value, here)


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
