"""Validation across a recipe: unique names, references that resolve, no cycles.

The checks run on plain data, so that they find all problems at once, even next to values of wrong types, which the
schema reports.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pipelines.recipe.models import MAX_NAME_LENGTH, MAX_TEACHERS, NAME_PATTERN
from pipelines.recipe.schema import MAX_MEMBERS
from pipelines.stages import STAGES
from yt8m.errors import suggest
from yt8m.metrics import GAP_TOP_K
from yt8m.predictions import DEFAULT_TOP_K
from yt8m.yaml_files import mapping_at

Problems = Iterator[str]

# Families and teacher groups with these names would give two nodes or sub-pipelines the same name.
_RESERVED_FOR_GROUPS = re.compile(
    "|".join([r".*-part-\d+", "taught-by-.*", *(re.sub(r"\{\w+\}", ".*", stage.node) for stage in STAGES.values())])
)


def check_references(raw: Mapping[str, Any]) -> Problems:
    """Find unusable names and unresolved references.

    Args:
        raw: The recipe as read from YAML, of any shape.

    Yields:
        `place: what, received, remedy` for each problem.
    """
    families, groups, students = (mapping_at(raw, key) for key in ("families", "teacher_groups", "students"))
    named = [
        (name, f"families.{family}.candidates.{name}")
        for family in families
        for name in mapping_at(families, family, "candidates")
    ] + [(name, f"students.{name}") for name in students]
    models = dict(named) | dict.fromkeys(mapping_at(raw, "imported"), "imported")
    yield from _check_names(named, families, groups)
    yield from _check_students(students, {**families, **groups}, models)
    yield from _check_groups(groups, students, models)
    yield from _check_sizes(families)
    yield from _check_members(mapping_at(raw, "ensemble").get("members"), models, len(students))
    yield from _check_cycles(groups, students)
    yield from _check_top_k(raw)
    yield from _check_data(mapping_at(raw, "data"))
    if not isinstance(raw.get("training", {}), dict):
        yield f"training: expected a mapping with defaults for all models. Received: {raw['training']!r}."


def _check_names(models: Sequence[tuple[str, str]], families: Mapping[str, Any], groups: Mapping[str, Any]) -> Problems:
    places: dict[str, str] = {}
    for name, place in models:
        if name in places:
            yield f"{place}: the model '{name}' is also at {places[name]}. Give every model a unique name."
        places.setdefault(name, place)
    for name in groups.keys() & families.keys():
        yield f"teacher_groups.{name}: there is also a family '{name}'. Give the group another name."
    teachers = [(name, f"families.{name}") for name in families] + [(name, f"teacher_groups.{name}") for name in groups]
    for name, place in [*models, *teachers]:
        if not re.fullmatch(NAME_PATTERN, name) or len(name) > MAX_NAME_LENGTH:
            yield (
                f"{place}: '{name}' cannot be a name. "
                f"Use at most {MAX_NAME_LENGTH} lower-case letters, digits and inner hyphens."
            )
        elif (name, place) in teachers and _RESERVED_FOR_GROUPS.fullmatch(name):
            yield f"{place}: the name '{name}' is reserved for nodes of the run. Choose another name."


def _check_students(students: Mapping[str, Any], teachers: Mapping[str, Any], models: Mapping[str, str]) -> Problems:
    for name, teacher in _strings(students, "learn_from").items():
        if teacher not in teachers:
            known = suggest(teacher, teachers) if teachers else "The recipe has none."
            yield f"students.{name}.learn_from: no family or teacher group '{teacher}'. {known}"
    for name, like in _strings(students, "like").items():
        if like and like not in models:
            yield f"students.{name}.like: no model '{like}'. {suggest(like, models)}"


def _check_groups(groups: Mapping[str, Any], students: Mapping[str, Any], models: Mapping[str, str]) -> Problems:
    taught = _strings(students, "learn_from").values()
    for name, members in groups.items():
        if name not in taught:
            yield f"teacher_groups.{name}: no student learns from it. Add a student, or remove the group."
        if isinstance(members, list) and not 1 <= len(members) <= MAX_TEACHERS:
            yield f"teacher_groups.{name}: expected 1 to {MAX_TEACHERS} models. Received: {len(members)}."
        yield from _check_list(f"teacher_groups.{name}", members, models)


def _check_members(members: Any, models: Mapping[str, str], students: int) -> Problems:
    yield from _check_list("ensemble.members", members, models)
    possible = students or len(models)
    if not members and possible > MAX_MEMBERS:
        yield (
            f"ensemble.members: the search takes at most {MAX_MEMBERS} models. Received: none, which means all "
            f"{possible}. List the members."
        )


def _check_list(place: str, members: Any, models: Mapping[str, str]) -> Problems:
    """Check that the members of a list are models, without duplicates."""
    for index, member in enumerate(members if isinstance(members, list) else []):
        if isinstance(member, str) and member not in models:
            yield f"{place}[{index}]: no model '{member}'. {suggest(member, models)}"
        if member in members[:index]:
            yield f"{place}[{index}]: '{member}' is listed twice. Remove one."


def _check_sizes(families: Mapping[str, Any]) -> Problems:
    """Check that families have as many candidates as their ensemble size says, if it says a number."""
    for name in families:
        size = mapping_at(families, name).get("ensemble_size")
        count = len(mapping_at(families, name, "candidates"))
        if isinstance(size, int) and count < size:
            yield (
                f"families.{name}.ensemble_size: {size} candidates teach together, but the family has {count}. "
                "Add candidates, or lower ensemble_size."
            )


def _check_top_k(raw: Mapping[str, Any]) -> Problems:
    """Check that predictions keep as many classes as their readers need."""
    evaluation = mapping_at(raw, "evaluation")
    kept, measured = evaluation.get("top_k", DEFAULT_TOP_K), evaluation.get("gap_top_k", GAP_TOP_K)
    if isinstance(kept, int) and isinstance(measured, int) and kept < measured:
        yield (
            f"evaluation.top_k: the selection of teachers and the search for weights read {measured} classes of every "
            f"video. Received: {kept}. Keep at least as many."
        )


def _check_cycles(groups: Mapping[str, Any], students: Mapping[str, Any]) -> Problems:
    """Check that no student inherits from itself or teaches itself, directly or through other students."""
    likes, taught_by = _strings(students, "like"), _strings(students, "learn_from")
    teachers = {name: groups.get(group) for name, group in taught_by.items()}
    edges = {
        name: [member for member in members if isinstance(member, str)] if isinstance(members, list) else []
        for name, members in teachers.items()
    }
    for name in students:
        if cycle := _cycle(name, {student: [like] for student, like in likes.items()}):
            path = " -> ".join(cycle)
            yield f"students.{name}.like: a student cannot be like itself: {path}. Name another model, or give `model`."
        if cycle := _cycle(name, edges):
            path = " <- ".join([f"{student} <- {taught_by[student]}" for student in cycle[:-1]] + [name])
            yield f"students.{name}.learn_from: the student teaches itself: {path}. Break the cycle."


def _cycle(start: str, edges: Mapping[str, Collection[str]]) -> list[str]:
    """Return the shortest path along the edges from a name back to itself, or an empty list."""
    paths, seen = [[start]], {start}
    for path in paths:  # grows in the loop: breadth-first search
        following = edges.get(path[-1], [])
        if start in following:
            return [*path, start]
        paths += [[*path, name] for name in following if name not in seen]
        seen.update(following)
    return []


def _check_data(data: Mapping[str, Any]) -> Problems:
    if data.get("generate") is not None:
        for key in ("training", "validation", "test", "spec"):
            if data.get(key):
                yield f"data.{key}: not allowed together with data.generate, which determines it. Remove one of them."
    elif not data.get("validation"):
        yield "data.validation: required, but missing. Give glob patterns of shards to hold out, or data.generate."


def _strings(entries: Mapping[str, Any], key: str) -> dict[str, str]:
    """Return the value of a key for each entry in which it is a string."""
    values = {name: mapping_at(entries, name).get(key) for name in entries}
    return {name: value for name, value in values.items() if isinstance(value, str)}
