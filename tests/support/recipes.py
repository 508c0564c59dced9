"""Recipes from files."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.recipe.load import check_recipe, read_recipe
from pipelines.recipe.schema import Recipe


def load_recipe(path: Path, settings: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe, with settings as for `yt8m run --set`."""
    return check_recipe(read_recipe(path, settings), str(path))
