"""The versions of code and data that a plan would run with."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipelines.graph.code_version import code_version
from pipelines.graph.plan import Plan
from pipelines.recipe.schema import DataConfig, Recipe
from yt8m import storage
from yt8m.errors import ConfigError
from yt8m.models import ARCHITECTURES


class Versions(NamedTuple):
    """What decides whether a node's work was done before.

    Attributes:
        code: Hash of the code by node.
        keys: Name of the exact work by node; see `Plan.keys`.
        data: Fingerprint of the shards that are read from outside.
    """

    code: Mapping[str, str]
    keys: Mapping[str, str]
    data: str


def find_versions(recipe: Recipe, plan: Plan, source: str, *, read_data: bool = True) -> Versions:
    """Look at our code and at the recipe's shards.

    Args:
        recipe: The recipe.
        plan: Its plan.
        source: Where the recipe came from, for errors.
        read_data: Whether the shards can be seen from here; otherwise changed shards are not noticed.

    Raises:
        ConfigError: A file that the run reads from outside is not there.
    """
    data = _data_version(recipe, source) if read_data else ""
    code = {name: code_version(node.stage, node.code, ARCHITECTURES) for name, node in plan.nodes.items()}
    return Versions(code=code, keys=plan.keys(code, data), data=data)


def _data_version(recipe: Recipe, source: str) -> str:
    """Hash name, size and fingerprint of all files the run reads from outside."""
    inputs = list(_inputs(recipe.data))
    digest = hashlib.sha256()
    for place, pattern in inputs:
        uris = storage.list_uris(pattern)
        if not uris:
            raise ConfigError(
                f"{source}: {place}: no file matches '{pattern}'. Say where it is, for a run with `--set {place}=...`."
            )
        for uri in uris:
            digest.update(f"{uri}\0{storage.stat(uri).fingerprint}\0".encode())
    return digest.hexdigest()[:16] if inputs else ""


def _inputs(data: DataConfig) -> Iterator[tuple[str, str]]:
    """Places in the recipe that name files, and paths or globs."""
    if data.generate and data.generate.means:
        yield "data.generate.means", data.generate.means
    yield from (("data.training", pattern) for pattern in data.training)
    yield from (("data.validation", pattern) for pattern in data.validation)
