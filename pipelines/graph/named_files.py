"""Files that a recipe names and that only late nodes read, looked at when a run starts."""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipelines.graph.fingerprints import ReadData, in_time
from pipelines.graph.plan import Plan
from pipelines.recipe.schema import Recipe
from yt8m import storage
from yt8m.errors import ConfigError, StorageError
from yt8m.identity import digest as content_digest
from yt8m.stages.final_test import TEST_KEY, find_test_shards
from yt8m.stages.named_files import START_KEY, TAKEN_KEY, VOCABULARY_KEY, check_named_file


class NamedFiles(NamedTuple):
    """What is known of the files that a recipe names.

    Attributes:
        digests: Hash of the content of the files that a node reads, by URI or by pattern of test shards. Models
            of other runs have none: the names of the works that made them tell them apart.
        unread: URIs of those that could not be looked at, by key of the recipe, for the step `prepare` to look at.
    """

    digests: Mapping[str, str]
    unread: Mapping[str, str]


def look_at_named_files(
    recipe: Recipe, plan: Plan, source: str, read_data: ReadData = True, *, steps_are_here: bool | None = None
) -> NamedFiles:
    """Look at every file that only late nodes of a run read.

    Args:
        recipe: The recipe.
        plan: Its plan, which tells what is read of models of other runs.
        source: Origin of the recipe, for error messages.
        read_data: Whether to look at the files. `if possible` goes without if their store does not answer.
        steps_are_here: Whether the steps see the paths of this machine. None means only if all files must be read.

    Raises:
        ConfigError: A file does not exist or cannot be used.
        StorageError: A store cannot be reached or denies access, and the files must be read.
    """
    here = read_data is True if steps_are_here is None else steps_are_here
    digests: dict[str, str] = {}
    unread: dict[str, str] = {}
    answers = bool(read_data)
    for key, uri in _named_files(recipe, plan).items():
        try:
            remote = storage.is_remote(uri)
        except StorageError as error:  # an unknown kind of storage
            raise ConfigError(f"{source}: {key}: {error}") from None
        if not (answers if remote else here and read_data):
            unread[key] = uri
            if remote or not Path(uri).exists():
                continue
            # The same path in a container may be another file, but one that is wrong here is hardly right there.
        try:
            look = partial(_look, key, uri, recipe)
            digest = in_time(look, uri) if remote and read_data == "if possible" else look()
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None
        except StorageError as error:
            if not remote:
                raise ConfigError(f"{source}: {key}: {error}") from None
            if read_data != "if possible":
                raise
            unread[key], answers = uri, False
            continue
        digests |= {uri: digest} if digest and key not in unread else {}
    return NamedFiles(digests, unread)


def _look(key: str, uri: str, recipe: Recipe) -> str:
    """Check a file or a pattern of test shards; return the hash of the content, empty if it is a model."""
    if key.startswith(TEST_KEY):
        others = [*recipe.data.training, *recipe.data.validation]
        shards = find_test_shards(key, uri, (each for pattern in others for each in storage.list_uris(pattern)))
        return content_digest(files=storage.fingerprints(shards))[:16]
    check_named_file(key, uri, recipe.data.resolve_spec().num_classes)
    return hashlib.sha256(storage.read_bytes(uri)).hexdigest()[:16] if key == VOCABULARY_KEY else ""


def _named_files(recipe: Recipe, plan: Plan) -> dict[str, str]:
    """Return the URIs of the files by key of the recipe."""
    named = {VOCABULARY_KEY: recipe.export.vocabulary} if recipe.export.vocabulary else {}
    read = {uri for node in plan.nodes.values() for uri in node.imported}
    for name, model in recipe.imported.items():
        for what in ("weights", "predictions", "member", "offers"):
            if getattr(model, what) in read:
                named[f"{TAKEN_KEY}{model.run}: {name}: {what}"] = getattr(model, what)
    named |= test_patterns(recipe)
    named |= {f"{START_KEY}{start.run}: {start.model}": start.weights for start in recipe.starts.values()}
    return named


def test_patterns(recipe: Recipe) -> dict[str, str]:
    """Return the patterns of the test shards by key of the recipe."""
    return {f"{TEST_KEY}[{number}]": pattern for number, pattern in enumerate(recipe.data.test)}


def model_folders(recipe: Recipe, plan: Plan) -> dict[str, str]:
    """Return the URIs of the models of other runs by key of the recipe, for the step `prepare` to compare the videos.

    Args:
        recipe: The recipe.
        plan: Its plan, which tells what is read of them.
    """
    named = _named_files(recipe, plan)
    return {
        key: uri
        for key, uri in named.items()
        if key.startswith((TAKEN_KEY, START_KEY)) and not key.endswith((": predictions", ": offers"))
    }
