"""The versions of code and data that a plan would run with."""

import hashlib

from pipelines.build.code_version import code_version
from pipelines.build.kubeflow import Versions
from pipelines.build.plan import Plan
from pipelines.build.recipe import Recipe
from yt8m import storage
from yt8m.errors import DataError
from yt8m.models import FAMILIES


def find_versions(recipe: Recipe, plan: Plan, *, read_data: bool = True) -> Versions:
    """Looks at our code and at the recipe's shards.

    Args:
        recipe: The recipe.
        plan: Its plan.
        read_data: Whether the shards can be seen from here; otherwise changed shards are not noticed.

    Raises:
        DataError: There are no such shards.
    """
    data = _data_version(recipe) if read_data else ""
    code = {name: code_version(node.stage, node.code, FAMILIES) for name, node in plan.nodes.items()}
    return Versions(code=code, keys=plan.keys(code, data), data=data)


def _data_version(recipe: Recipe) -> str:
    """Hashes name, size and fingerprint of all files the run reads from outside."""
    generate = recipe.data.generate
    patterns = [*recipe.data.training, *recipe.data.validation]
    if generate:
        patterns = [generate.means] if generate.means else []
    digest = hashlib.sha256()
    for pattern in patterns:
        uris = storage.list_uris(pattern)
        if not uris:
            raise DataError(f"data: no file matches '{pattern}'. Check the path; a glob needs * or ?.")
        for uri in uris:
            digest.update(f"{uri}\0{storage.stat(uri).fingerprint}\0".encode())
    return digest.hexdigest()[:16] if patterns else ""
