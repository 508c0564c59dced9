"""Reads a recipe: YAML, values from the command line over it, defaults filled in, everything checked."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.recipe.defaults import FilledIn
from pipelines.recipe.schema import Recipe
from pipelines.recipe.validation import check_references
from pipelines.recipe.yaml_file import parse_yaml, read_yaml
from yt8m.config import describe_errors
from yt8m.errors import ConfigError, suggest

# Sections of a recipe whose keys are names.
_NAMED = ("families", "candidates", "students")


def load_recipe(path: Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: The YAML file.
        settings: `a.b.c=value` each, the value in YAML; replaces or adds that entry before anything is checked.

    Returns:
        The recipe.

    Raises:
        ConfigError: All problems at once, a line each, with place, reason and remedy.
    """
    return check_recipe(read_recipe(path, settings), str(path))


def read_recipe(path: Path, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Read a recipe as it was written, with values from the command line over it, unchecked.

    Args:
        path: The YAML file.
        settings: See `load_recipe`.

    Returns:
        Plain data, which JSON can hold.

    Raises:
        ConfigError: The file cannot be read, or a setting has no place in it.
    """
    return apply_settings(_read(path), settings)


def apply_settings(raw: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A recipe's plain data with entries replaced or added; see `load_recipe`.

    Raises:
        ConfigError: A setting has no place in it.
    """
    changed: dict[str, Any] = json.loads(json.dumps(raw, default=str))
    for setting in settings:
        _apply(changed, setting)
    return changed


def check_recipe(raw: Mapping[str, Any], source: str) -> Recipe:
    """Make the recipe out of plain data: fills in defaults, checks everything.

    Args:
        raw: See `read_recipe`.
        source: Where the data came from; every problem begins with it.

    Raises:
        ConfigError: See `load_recipe`.
    """
    problems = list(check_references(raw))
    filled = FilledIn(raw)
    try:
        recipe = Recipe.model_validate_json(json.dumps(filled.data))
    except ValidationError as error:
        lines = [line.removeprefix(f"{source}: ") for line in describe_errors(error, Recipe, source, filled.origin)]
        # What is said here of a reference says more than what its type says of the same place.
        places = {_place(problem) for problem in problems}
        problems = [line for line in lines if _place(line) not in places] + problems
    if problems:
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in dict.fromkeys(problems)))
    return recipe


def _place(problem: str) -> str:
    return problem.partition(": ")[0]


def _read(path: Path) -> dict[str, Any]:
    data = read_yaml(path, "a recipe")
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a recipe is a mapping of sections. Received: {type(data).__name__}.")
    return data


def _apply(raw: dict[str, Any], setting: str) -> None:
    key, separator, text = setting.partition("=")
    parts = key.split(".")
    if not separator or not all(parts):
        raise ConfigError(f"--set {setting}: expected key.in.recipe=value, for instance --set training.epochs=3.")
    value = parse_yaml(text, f"--set {setting}: the value")
    place: Any = raw
    for depth, part in enumerate(parts[:-1]):
        if depth and parts[depth - 1] in _NAMED and place and part not in place:
            where = ".".join(parts[:depth])
            raise ConfigError(
                f"--set {setting}: no '{part}' in {where}. {suggest(part, place)} "
                f"A new one is given whole: --set {where}.{part}={{...}}."
            )
        if place.get(part) is None:
            place[part] = {}
        place = place[part]
        if not isinstance(place, dict):
            raise ConfigError(f"--set {setting}: {'.'.join(parts[: depth + 1])} is {place!r}, which has no keys.")
    place[parts[-1]] = value
