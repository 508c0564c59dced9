"""What must hold between the entries of a recipe: names, references, no cycles.

The checks work on the plain data, so that they find everything at once even where values have wrong types; those are
reported by the types themselves.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.build.recipe import NAME_PATTERN, FamilyConfig
from yt8m.errors import suggest

Problems = Iterator[str]

# Names of models that would give two nodes one name (`evaluate-quantized-x`, `evaluate-export`).
_TAKEN = re.compile(r"quantized-.*|export")


def check_references(raw: Mapping[str, Any]) -> Problems:
    """Finds names that cannot be used and references to nothing.

    Args:
        raw: The recipe as read from YAML, of any shape.

    Yields:
        `place: what, received, remedy` for each problem.
    """
    families = _mapping(raw.get("families"))
    groups = _mapping(raw.get("teacher_groups"))
    students = _mapping(raw.get("students"))
    candidates = {
        name: f"families.{family}.candidates.{name}"
        for family, entry in families.items()
        for name in _mapping(_mapping(entry).get("candidates"))
    }
    models = {**candidates, **{name: f"students.{name}" for name in students}}
    yield from _check_names(families, groups, students)
    yield from _check_students(students, {**families, **groups}, models)
    yield from _check_groups(groups, models)
    yield from _check_sizes(families, students)
    yield from _check_members(raw, models)
    yield from _check_cycles(groups, students)
    yield from _check_data(_mapping(raw.get("data")))
    if not isinstance(raw.get("training", {}), dict):
        yield f"training: expected a mapping of what all trainings share. Received: {raw['training']!r}."


def _check_names(families: Mapping[str, Any], groups: Mapping[str, Any], students: Mapping[str, Any]) -> Problems:
    models = [
        (f"families.{family}.candidates.{name}", name)
        for family, entry in families.items()
        for name in _mapping(_mapping(entry).get("candidates"))
    ] + [(f"students.{name}", name) for name in students]
    places: dict[str, str] = {}
    for place, name in models:
        if name in places:
            yield f"{place}: the model '{name}' is also at {places[name]}. Give every model its own name."
        places.setdefault(name, place)
    for name in groups.keys() & families.keys():
        yield f"teacher_groups.{name}: there is also a family '{name}'. Give the group another name."
    teachers = [(f"families.{name}", name) for name in families] + [(f"teacher_groups.{name}", name) for name in groups]
    for place, name in models + teachers:
        if not re.fullmatch(NAME_PATTERN, str(name)) or len(str(name)) > 40:
            yield f"{place}: '{name}' cannot be a name. Use at most 40 lower-case letters, digits and inner hyphens."
        elif _TAKEN.fullmatch(str(name)):
            yield f"{place}: the name '{name}' is taken by nodes of the run. Choose another."


def _check_students(students: Mapping[str, Any], teachers: Mapping[str, Any], models: Mapping[str, str]) -> Problems:
    for name, entry in students.items():
        teacher, like = (_mapping(entry).get(key) for key in ("learn_from", "like"))
        if isinstance(teacher, str) and teacher not in teachers:
            yield (
                f"students.{name}.learn_from: no family or teacher group '{teacher}'. "
                f"{suggest(teacher, teachers) if teachers else 'There are none.'}"
            )
        if isinstance(like, str) and like and like not in models:
            yield f"students.{name}.like: no model '{like}'. {suggest(like, models)}"
        if like == name:
            yield f"students.{name}.like: a student cannot be like itself. Name another model, or give `model`."


def _check_groups(groups: Mapping[str, Any], models: Mapping[str, str]) -> Problems:
    for name, members in groups.items():
        if not isinstance(members, list):
            continue
        if not 1 <= len(members) <= 16:
            yield f"teacher_groups.{name}: 1 to 16 models teach together. Received: {len(members)}."
        for index, member in enumerate(members):
            if str(member) not in models:
                yield f"teacher_groups.{name}[{index}]: no model '{member}'. {suggest(str(member), models)}"
            if member in members[:index]:
                yield f"teacher_groups.{name}[{index}]: '{member}' stands twice. Remove one."


def _check_sizes(families: Mapping[str, Any], students: Mapping[str, Any]) -> Problems:
    """A family that teaches needs as many candidates as teach together."""
    taught = {_mapping(student).get("learn_from") for student in students.values()}
    for name, family in families.items():
        size = _mapping(family).get("ensemble_size", FamilyConfig.model_fields["ensemble_size"].default)
        count = len(_mapping(_mapping(family).get("candidates")))
        if name in taught and isinstance(size, int) and count < size:
            yield (
                f"families.{name}.ensemble_size: {size} candidates teach together, but there are {count}. "
                "Add candidates, or lower ensemble_size."
            )


def _check_members(raw: Mapping[str, Any], models: Mapping[str, str]) -> Problems:
    given = _mapping(raw.get("ensemble")).get("members")
    members = given if isinstance(given, list) else []
    for index, member in enumerate(members):
        if str(member) not in models:
            yield f"ensemble.members[{index}]: no model '{member}'. {suggest(str(member), models)}"
        if member in members[:index]:
            yield f"ensemble.members[{index}]: '{member}' stands twice. Remove one."


def _check_cycles(groups: Mapping[str, Any], students: Mapping[str, Any]) -> Problems:
    """No student may teach, over however many levels, itself."""
    needs = {name: [_mapping(student).get("learn_from")] for name, student in students.items()}
    for name in students:
        if chain := _chain(name, needs, groups):
            circle = " <- ".join([name, *chain])
            yield f"students.{name}.learn_from: the student teaches itself: {circle}. Break the circle."


def _chain(start: str, needs: Mapping[str, list[Any]], groups: Mapping[str, Any]) -> list[str]:
    """The shortest way from a student over teacher groups back to itself; empty if there is none."""
    ways: list[list[str]] = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for group in needs.get(way[-1], []):
            members = groups.get(group)
            for member in members if isinstance(members, list) else []:
                if member == start:
                    return [*way[1:], str(group), start]
                if member in needs and member not in seen:
                    seen.add(member)
                    ways.append([*way, str(group), str(member)])
    return []


def _check_data(data: Mapping[str, Any]) -> Problems:
    if data.get("generate") is not None:
        for key in ("training", "validation", "spec"):
            if data.get(key):
                yield f"data.{key}: not together with data.generate, which says it itself. Remove one of them."
    elif not data.get("validation"):
        yield "data.validation: required, but missing: globs of shards to hold out, unless data.generate makes them."


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
