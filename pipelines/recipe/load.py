"""Loading of recipes: YAML, values from the command line, defaults, validation."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.recipe.defaults import ExpandedRecipe
from pipelines.recipe.grid import ExpandedGrids
from pipelines.recipe.imports import resolve_imports
from pipelines.recipe.schema import Recipe
from pipelines.recipe.validation import check_references
from yt8m.config_errors import describe_errors
from yt8m.errors import ConfigError, suggest
from yt8m.yaml_files import mapping_at, parse_yaml, read_yaml

# Sections of a recipe whose keys are names that the user chose.
_NAMED = ("families", "candidates", "students")
# An entry of a list in a setting: `grid[1]`.
_INDEX = re.compile(r"(.+)\[(\d+)\]")


def read_recipe(path: Path, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Read a recipe as plain data and apply settings, without further validation.

    Args:
        path: The YAML file.
        settings: Entries to replace or add: `a.b.c=value` each, the value in YAML.

    Raises:
        ConfigError: The file cannot be read, or a setting cannot be applied.
    """
    data = read_yaml(path, "a recipe")
    if not isinstance(data, dict):
        received = {type(None): "nothing", list: "a list", str: "a text"}.get(type(data), "a single value")
        raise ConfigError(
            f"{path}: a recipe is a mapping of sections such as data and families. Received: {received}. "
            "`yt8m recipe explain` lists the sections."
        )
    return apply_settings(data, settings)


def apply_settings(raw: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Return a recipe's plain data with entries replaced or added; see `read_recipe`.

    Raises:
        ConfigError: A setting cannot be applied.
    """
    changed: dict[str, Any] = json.loads(json.dumps(raw, default=str))
    for setting in settings:
        _apply(changed, setting)
    return changed


def check_recipe(raw: Mapping[str, Any], source: str) -> Recipe:
    """Fill in the defaults of a recipe and validate it.

    Args:
        raw: The recipe as plain data; see `read_recipe`.
        source: Origin of the data, with which every problem begins.

    Raises:
        ConfigError: All problems at once, one per line, with place, reason and remedy. Problems with grids, and a
            problem with a model of another run, come alone, since others may follow from them.
    """
    grids = ExpandedGrids(raw)
    if grids.problems:
        raise ConfigError("\n".join(f"{source}: {_with_command(problem)}" for problem in grids.problems))
    raw = resolve_imports(grids.data, source)
    problems = [grids.place(_place(problem)) + problem[len(_place(problem)) :] for problem in check_references(raw)]
    expanded = ExpandedRecipe(raw, grids.origins)
    try:
        recipe = Recipe.model_validate_json(json.dumps(expanded.data))
    except ValidationError as error:
        lines = [
            _with_command(line.removeprefix(f"{source}: "))
            for line in describe_errors(error, Recipe, source, expanded.origin)
        ]
        # Of two problems at one place, the one about references is more specific than the one about types.
        places = {_place(problem) for problem in problems}
        problems = [line for line in lines if _place(line) not in places] + problems
    if problems:
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in dict.fromkeys(problems)))
    return recipe


def _place(problem: str) -> str:
    return problem.partition(": ")[0]


def _with_command(problem: str) -> str:
    """Add the command that explains the known keys to a problem with an unknown one."""
    place, _, text = problem.partition(": ")
    if not text.startswith("unknown key"):
        return problem
    key = text.split("'")[1]
    section = place.removesuffix(key).removesuffix(".")
    colon = " YAML needs a space after a colon." if ":" in key else ""
    return f"{problem}{colon} `yt8m recipe explain{f' {section}' if section else ''}` explains them."


def _apply(raw: dict[str, Any], setting: str) -> None:
    key, separator, text = setting.partition("=")
    parts = key.split(".")
    if not separator or not all(parts):
        raise ConfigError(f"--set {setting}: expected key.in.recipe=value, for instance --set training.epochs=3.")
    value = parse_yaml(text, f"--set {setting}: the value")
    path = _split_indices(raw, parts)
    here: Any = raw
    for depth, (part, following) in enumerate(pairwise(path)):
        where = ".".join(map(str, path[:depth]))
        if depth and path[depth - 1] in _NAMED and here and part not in here:
            _write_out_grid(setting, raw, here, where, part)
        if isinstance(here, dict) and here.get(part) is None:
            here[part] = {}
        here = here[part]
        if not isinstance(here, list if isinstance(following, int) else dict):
            place = ".".join(map(str, path[: depth + 1]))
            raise ConfigError(f"--set {setting}: {place} is {here!r}, which has no keys. Set {place} as a whole.")
    here[path[-1]] = value


def _split_indices(raw: Mapping[str, Any], parts: Sequence[str]) -> list[Any]:
    """Split parts such as `grid[1]` into a key and an index where the recipe has a list of that length."""
    path: list[Any] = []
    here: Any = raw
    for part in parts:
        found = _INDEX.fullmatch(part)
        values = here.get(found[1]) if found and isinstance(here, dict) and part not in here else None
        if found and isinstance(values, list) and int(found[2]) < len(values):
            path += [found[1], int(found[2])]
            here = values[int(found[2])]
        else:
            path.append(part)
            here = here.get(part) if isinstance(here, dict) else None
    return path


def _write_out_grid(setting: str, raw: Mapping[str, Any], here: dict[str, Any], where: str, name: str) -> None:
    """Replace a grid by its candidates, one of which a setting changes.

    Raises:
        ConfigError: No entry has the name.
    """
    made = mapping_at(ExpandedGrids(raw).data, *where.split("."))
    if name not in made:
        raise ConfigError(
            f"--set {setting}: no '{name}' in {where}. {suggest(name, here.keys() | made.keys())} "
            f"Give a new one as a whole: --set {where}.{name}={{...}}."
        )
    here.clear()
    here.update(made)
