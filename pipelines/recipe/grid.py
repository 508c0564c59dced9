"""Grids: entries `grid` under `candidates`, expanded into one candidate for each combination of listed values."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from itertools import product
from math import prod
from typing import Any, NamedTuple

from pydantic import ValidationError

from pipelines.recipe.defaults import written_at
from pipelines.recipe.models import MAX_NAME_LENGTH, MAX_TEACHERS, NAME_PATTERN
from yt8m.config import Config
from yt8m.config_errors import FieldPath, describe_errors, format_path
from yt8m.errors import suggest
from yt8m.models import ModelConfig
from yt8m.training.config import TrainingConfig
from yt8m.yaml_files import mapping_at

# Key under `candidates` that no candidate can have as its name.
GRID = "grid"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class GridConfig(Config):
    """Candidates for all combinations of values, or a list of several such grids.

    In `model` and `training`, a list stands for several values, and every combination of values is a candidate. A list
    as a value is written as a list within the list.

    Attributes:
        name: Name of the candidates. `{KEY}` stands for the value of a key of `model` or `training`, such as
            `netvlad-{num_clusters}-{hidden_units}`. Two keys with the same name differ in their paths:
            `{model.head.kind}`. All keys that vary must be in the name. In names, 0.001 is `1e-3` and 0.95 is `95e-2`.
        model: Architecture and sizes of the models, as for a candidate, with lists of values.
        training: Options of the trainings, as for a candidate, with lists of values.
    """

    name: str
    model: ModelConfig
    training: TrainingConfig = TrainingConfig()


class _Choice(NamedTuple):
    """One of the values that an entry of a grid stands for, and the place in the entry of each value from a list."""

    value: Any
    chosen: Mapping[FieldPath, FieldPath]


class _GridError(Exception):
    """A problem of a grid.

    Args:
        key: Path of the key from the grid, with its separator: `.name`. Empty for the grid itself.
        text: What is wrong, and the remedy.
    """

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


class ExpandedGrids:
    """A recipe's plain data with candidates in place of grids.

    Args:
        raw: The recipe as read from YAML, of any shape.

    Attributes:
        data: The recipe without grids. A grid with a problem has no candidates in it.
        origins: Place in the recipe where the values at a path of `data` were written.
        problems: `place: what, received, remedy` for each.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.data: dict[str, Any] = copy.deepcopy(dict(raw))
        self.origins: dict[FieldPath, FieldPath] = {}
        self.problems: list[str] = []
        for family in mapping_at(self.data, "families"):
            written = mapping_at(self.data, "families", family, "candidates")
            if GRID in written:
                self.data["families"][family]["candidates"] = self._candidates(family, written)

    def place(self, candidate: str) -> str:
        """Return where a candidate was written, `families.FAMILY.candidates.NAME`, which may be in a grid."""
        origin = self.origins.get(tuple(candidate.split(".")))
        return format_path(origin) if origin else candidate

    def _candidates(self, family: str, written: Mapping[str, Any]) -> dict[str, Any]:
        """Return the candidates of a family in their order, with those of each grid at its place."""
        candidates: dict[str, Any] = {}
        for name, entry in written.items():
            if name != GRID:
                candidates[name] = entry
                continue
            several = isinstance(entry, list)
            for index, grid in enumerate(entry if several else [entry]):
                where: FieldPath = ("families", family, "candidates", GRID, *((index,) if several else ()))
                try:
                    for made, choice in _expand(grid, {**written, **candidates}):
                        candidates[made] = choice.value
                        path = ("families", family, "candidates", made)
                        self.origins[path] = where
                        self.origins |= {path + key: where + place for key, place in choice.chosen.items()}
                except _GridError as error:
                    # A key that is misspelled or has no usable value is not in the names of candidates.
                    problems = _problems_inside(grid) or [f"{error.key}: {error}"]
                    self.problems += [format_path(where) + problem for problem in problems]
            if entry == []:
                place = f"families.{family}.candidates.{GRID}"
                self.problems.append(f"{place}: the list is empty. Give a grid, or remove it.")
        if not self.problems and len(candidates) > MAX_TEACHERS:
            self.problems.append(
                f"families.{family}.candidates: a family has at most {MAX_TEACHERS} candidates. Received: "
                f"{len(candidates)}, with those of grids. List fewer values, or divide them among families."
            )
        return candidates


def _expand(grid: Any, others: Mapping[str, Any]) -> list[tuple[str, _Choice]]:
    """Return the candidates of a grid by name.

    Args:
        grid: The grid as read from YAML, of any shape.
        others: The family's other entries by name.

    Raises:
        _GridError: The grid cannot be expanded.
    """
    _check_shape(grid)
    entry = {key: value for key, value in grid.items() if key != "name"}
    if (count := _count(entry)) > MAX_TEACHERS:
        raise _GridError(
            "",
            f"{count} combinations, but a family has at most {MAX_TEACHERS} candidates. List fewer values, or divide "
            "them among families.",
        )
    made: dict[str, _Choice] = {}
    for choice in _choices(entry):
        name = _name(grid["name"], choice)
        if name in made:
            raise _GridError(".name", _same_name(name, made[name], choice))
        if name in others:
            raise _GridError(".name", f"there is another candidate '{name}'. Rename it, or change the grid's name.")
        made[name] = choice
    return list(made.items())


def _problems_inside(grid: Any) -> list[str]:
    """Return what is wrong with the keys and values of a grid besides its name, as `.place: problem`."""
    entry = {**grid, "name": GRID} if isinstance(grid, dict) else {}
    problems: list[str] = []
    for choice in _choices(entry) if entry and _count(entry) <= MAX_TEACHERS else []:
        try:
            GridConfig.model_validate_json(json.dumps(choice.value, default=str))
        except ValidationError as error:
            problems += describe_errors(error, GridConfig, "", partial(written_at, origins=choice.chosen))
    return [f".{problem.removeprefix(': ')}" for problem in dict.fromkeys(problems)]


def _check_shape(grid: Any) -> None:
    if not isinstance(grid, dict):
        raise _GridError(
            "", f"expected a mapping with name, model and training, or a list of such. Received: {grid!r}."
        )
    for key in grid.keys() - GridConfig.model_fields.keys():
        raise _GridError(f".{key}", f"unknown key '{key}'. {suggest(key, GridConfig.written_keys())}")
    if empty := next(_empty_lists(grid), None):
        raise _GridError(f".{format_path(empty)}", "the list is empty. Give at least one value.")
    lists = [path[-1] for path, value in _leaves(grid) if isinstance(value, list)]
    if "name" not in grid and not lists:
        raise _GridError(
            "",
            f"'{GRID}' cannot be the name of a candidate, since it stands for one candidate for each combination of "
            "listed values. Rename the candidate, or give `name` and a list of values.",
        )
    if not isinstance(name := grid.get("name"), str):
        example = "-".join(["NAME", *(f"{{{key}}}" for key in dict.fromkeys(lists))])
        received = f"Received: {name!r}." if "name" in grid else "It is missing."
        raise _GridError(".name", f"expected a name with the keys that vary in braces, such as '{example}'. {received}")
    if not lists:
        raise _GridError(
            "",
            "no key has a list of values, so there is one candidate only. Give a list such as num_clusters: [32, 64], "
            "or write the candidate under its name.",
        )


def _leaves(entry: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    """Iterate over the values of nested mappings with their paths. Lists are values."""
    if isinstance(entry, dict):
        for key, value in entry.items():
            yield from _leaves(value, (*path, str(key)))
    else:
        yield path, entry


def _empty_lists(entry: Any) -> Iterator[FieldPath]:
    """Iterate over the paths of lists that stand for no value. A list within a list is a value."""
    for path, value in _leaves(entry):
        if value == []:
            yield path
        elif isinstance(value, list):
            for index, each in enumerate(value):
                yield from ((*path, index, *inner) for inner in _empty_lists(each) if inner)


def _count(entry: Any) -> int:
    """Return the number of combinations without making them, since there may be very many."""
    if isinstance(entry, dict):
        return prod(map(_count, entry.values()))
    if isinstance(entry, list):
        return sum(1 if isinstance(each, list) else _count(each) for each in entry)
    return 1


def _choices(entry: Any) -> list[_Choice]:
    """Return all that an entry stands for. A list within a list is a value."""
    if isinstance(entry, dict):
        made = [dict(zip(entry, choices, strict=True)) for choices in product(*map(_choices, entry.values()))]
        return [
            _Choice(
                {key: choice.value for key, choice in each.items()},
                {(key, *path): (key, *place) for key, choice in each.items() for path, place in choice.chosen.items()},
            )
            for each in made
        ]
    if isinstance(entry, list):
        return [
            _Choice(choice.value, {(): (index,), **{path: (index, *place) for path, place in choice.chosen.items()}})
            for index, each in enumerate(entry)
            for choice in ([_Choice(each, {})] if isinstance(each, list) else _choices(each))
        ]
    return [_Choice(copy.deepcopy(entry), {})]


def _name(pattern: str, choice: _Choice) -> str:
    """Return the name of a candidate.

    Args:
        pattern: Name with keys in braces.
        choice: The candidate.

    Raises:
        _GridError: The pattern names an unknown key, or the name is not allowed.
    """
    values = {".".join(map(str, path)): value for path, value in _leaves(choice.value)}

    def text(found: re.Match[str]) -> str:
        key = found[1].strip()
        ends = [path for path in values if path == key or path.endswith(f".{key}")]
        if not ends:
            known = {path.rpartition(".")[2] for path in values}
            raise _GridError(".name", f"the grid has no key '{key}' for {found[0]}. {suggest(key, known)}")
        if len(ends) > 1 and key not in ends:
            raise _GridError(".name", f"{found[0]} can be {' or '.join(ends)}. Write one of these in the braces.")
        return text_in_name(values[key if key in ends else ends[0]])

    name = _PLACEHOLDER.sub(text, pattern)
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > MAX_NAME_LENGTH:
        raise _GridError(
            ".name",
            f"'{name}' cannot be a name. Use at most {MAX_NAME_LENGTH} lower-case letters, digits and inner hyphens, "
            "beginning with a letter, and keys in braces.",
        )
    return name


def text_in_name(value: Any) -> str:
    """Return a value as part of a name.

    Numbers with a fraction have no decimal point: 0.001 is `1e-3` and 0.95 is `95e-2`. Texts are in lower case, with a
    hyphen for everything but letters and digits.
    """
    if isinstance(value, float):
        digits, exponent = Decimal(repr(value)).normalize().as_tuple()[1:]
        if isinstance(exponent, int):
            mantissa = ("-" if value < 0 else "") + "".join(map(str, digits))
            return str(int(value)) if exponent >= 0 and abs(value) < 10**MAX_NAME_LENGTH else f"{mantissa}e{exponent}"
    if value is None:
        return "null"
    return re.sub("[^a-z0-9]+", "-", str(value).lower()).strip("-")


def _same_name(name: str, first: _Choice, second: _Choice) -> str:
    values = [dict(_leaves(choice.value)) for choice in (first, second)]
    differing = [path for path in values[0] | values[1] if values[0].get(path) != values[1].get(path)]
    if not differing:
        return f"two combinations with the name '{name}' are equal. Remove the value that is listed twice."
    placeholders = "-".join(f"{{{path[-1]}}}" for path in differing)
    return (
        f"two combinations have the name '{name}'. They differ in {', '.join(map(format_path, differing))}. Add "
        f"{placeholders} to the name."
    )
