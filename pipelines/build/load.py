"""Reads a recipe: YAML, values from the command line over it, defaults filled in, everything checked."""

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.build.checks import check_references
from pipelines.build.recipe import Recipe
from pipelines.build.yaml_file import parse_yaml, read_yaml
from yt8m.config import describe_errors
from yt8m.errors import ConfigError

# A place in a model's section that may have been filled in from elsewhere.
_IN_MODEL = re.compile(
    r"(?P<model>families\.[^.]+\.candidates\.[^.]+|students\.[^.]+)"
    r"\.(?P<section>training|model)(?:\.(?P<key>[^.:\[]+))?[.:\[]"
)


def load_recipe(path: Path, settings: Sequence[str] = ()) -> Recipe:
    """Reads a recipe.

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
    """Reads a recipe as it was written, with values from the command line over it, unchecked.

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
    """Makes the recipe out of plain data: fills in defaults, checks everything.

    Args:
        raw: See `read_recipe`.
        source: Where the data came from; every problem begins with it.

    Raises:
        ConfigError: See `load_recipe`.
    """
    problems = list(check_references(raw))
    complete = _fill_in(raw)
    try:
        recipe = Recipe.model_validate_json(json.dumps(complete))
    except ValidationError as error:
        lines = [line.removeprefix(f"{source}: ") for line in describe_errors(error, Recipe, source)]
        problems = [_at_its_origin(line, raw) for line in lines] + problems
    if problems:
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in dict.fromkeys(filter(None, problems))))
    return recipe


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
        if place.get(part) is None:
            place[part] = {}
        place = place[part]
        if not isinstance(place, dict):
            raise ConfigError(f"--set {setting}: {'.'.join(parts[: depth + 1])} is {place!r}, which has no keys.")
    place[parts[-1]] = value


def _fill_in(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Gives every model the shared `training`, students what they take from others, and everything a seed."""
    complete = dict(copy.deepcopy(raw))
    given = raw.get("seed")
    seed = given if isinstance(given, int) else 0
    shared = {"seed": seed} | _mapping(complete.pop("training", {}))
    models = dict(_models(complete))
    averages = {
        name: _mapping(family).get("average", "never")
        for family in _mapping(complete.get("families")).values()
        for name in _mapping(_mapping(family).get("candidates"))
    }
    for name, student in _mapping(complete.get("students")).items():
        if isinstance(student, dict):
            _take_over(name, student, models, averages)
    for model in models.values():
        training = model.get("training") or {}
        if isinstance(training, dict):
            model["training"] = {**shared, **training}
    data = _mapping(complete.get("data"))
    if isinstance(data.get("generate"), dict):
        data["generate"].setdefault("seed", seed)
    ensemble = complete.setdefault("ensemble", {})
    if isinstance(ensemble, dict) and isinstance(ensemble.setdefault("search", {}), dict):
        ensemble["search"].setdefault("seed", seed)
    return complete


def _take_over(name: str, student: dict[str, Any], models: dict[str, Any], averages: dict[str, Any]) -> None:
    """Fills in what a student has from the model it is like, which may itself be like another."""
    chain, other = [name], student.get("like")
    while isinstance(other, str) and other in models and other not in chain:
        chain.append(other)
        source = models[other]
        student.setdefault("model", source.get("model"))
        average = averages.get(other, source.get("average"))
        if average is not None:
            student.setdefault("average", average)
        student["training"] = {**_mapping(source.get("training")), **_mapping(student.get("training"))}
        other = source.get("like")


def _models(raw: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for family in _mapping(raw.get("families")).values():
        yield from _mappings(_mapping(family).get("candidates"))
    yield from _mappings(raw.get("students"))


def _mappings(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((name, entry) for name, entry in _mapping(value).items() if isinstance(entry, dict))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _at_its_origin(problem: str, raw: Mapping[str, Any]) -> str:
    """Moves a problem of a filled-in value to where the value was written.

    Returns:
        The problem; empty if the place the value was taken from has the same problem and reports it itself.
    """
    match = _IN_MODEL.match(problem)
    if match is None:
        return problem
    own: Any = raw
    for part in match["model"].split("."):
        own = _mapping(_mapping(own).get(part))
    section, key = match["section"], match["key"]
    if key in _mapping(own.get(section)) or (not key and section in own):
        return problem
    if section == "training" and key in _mapping(raw.get("training")):
        return problem.removeprefix(match["model"] + ".")
    return "" if own.get("like") else problem
