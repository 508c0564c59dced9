"""What must hold between the entries of a recipe: names, references, no cycles.

The checks work on the plain data, so that they find everything at once even where values have wrong types; those are
reported by the types themselves.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.recipe.schema import MOST_MEMBERS, MOST_NAME_LETTERS, MOST_TEACHERS, NAME_PATTERN, FamilyConfig
from pipelines.recipe.yaml_file import mapping_or_empty
from pipelines.stages import STAGES
from yt8m.errors import suggest
from yt8m.metrics import GAP_TOP_K
from yt8m.predictions import DEFAULT_TOP_K

Problems = Iterator[str]

# Names of models that would give two nodes one name (`evaluate-quantized-x`, `evaluate-export`).
_TAKEN_FROM_MODELS = re.compile(r"quantized-.*|export")
# Names of families and groups of teachers that would give nodes or sub-pipelines the name of another.
_TAKEN_FROM_GROUPS = re.compile(
    "|".join([r".*-part-\d+", "taught-by-.*", *(re.sub(r"\{\w+\}", ".*", stage.node) for stage in STAGES.values())])
)


def check_references(raw: Mapping[str, Any]) -> Problems:
    """Find names that cannot be used and references to nothing.

    Args:
        raw: The recipe as read from YAML, of any shape.

    Yields:
        `place: what, received, remedy` for each problem.
    """
    families = mapping_or_empty(raw.get("families"))
    groups = mapping_or_empty(raw.get("teacher_groups"))
    students = mapping_or_empty(raw.get("students"))
    named = [
        (name, f"families.{family}.candidates.{name}")
        for family, entry in families.items()
        for name in mapping_or_empty(mapping_or_empty(entry).get("candidates"))
    ] + [(name, f"students.{name}") for name in students]
    models = dict(named)
    yield from _check_names(named, families, groups)
    yield from _check_students(students, {**families, **groups}, models)
    yield from _check_groups(groups, students, models)
    yield from _check_sizes(families, students)
    yield from _check_members(mapping_or_empty(raw.get("ensemble")).get("members"), models, len(students))
    yield from _check_cycles(groups, students)
    yield from _check_top_k(raw)
    yield from _check_data(mapping_or_empty(raw.get("data")))
    if not isinstance(raw.get("training", {}), dict):
        yield f"training: expected a mapping of what all trainings share. Received: {raw['training']!r}."


def _check_names(models: Sequence[tuple[str, str]], families: Mapping[str, Any], groups: Mapping[str, Any]) -> Problems:
    places: dict[str, str] = {}
    for name, place in models:
        if name in places:
            yield f"{place}: the model '{name}' is also at {places[name]}. Give every model its own name."
        places.setdefault(name, place)
    for name in groups.keys() & families.keys():
        yield f"teacher_groups.{name}: there is also a family '{name}'. Give the group another name."
    teachers = [(name, f"families.{name}") for name in families] + [(name, f"teacher_groups.{name}") for name in groups]
    taken = [_TAKEN_FROM_MODELS] * len(models) + [_TAKEN_FROM_GROUPS] * len(teachers)
    for (name, place), reserved in zip([*models, *teachers], taken, strict=True):
        if not re.fullmatch(NAME_PATTERN, name) or len(name) > MOST_NAME_LETTERS:
            yield (
                f"{place}: '{name}' cannot be a name. "
                f"Use at most {MOST_NAME_LETTERS} lower-case letters, digits and inner hyphens."
            )
        elif reserved.fullmatch(name):
            yield f"{place}: the name '{name}' is taken by nodes of the run. Choose another."


def _check_students(students: Mapping[str, Any], teachers: Mapping[str, Any], models: Mapping[str, str]) -> Problems:
    likes = _texts(students, "like")
    for name, teacher in _texts(students, "learn_from").items():
        if teacher not in teachers:
            yield (
                f"students.{name}.learn_from: no family or teacher group '{teacher}'. "
                f"{suggest(teacher, teachers) if teachers else 'There are none.'}"
            )
    for name, like in likes.items():
        if like and like not in models:
            yield f"students.{name}.like: no model '{like}'. {suggest(like, models)}"
        way = [name]
        while way[-1] in likes and likes[way[-1]] not in way[1:]:
            way.append(likes[way[-1]])
        if way[-1] == name:
            circle = " -> ".join(way)
            yield f"students.{name}.like: a student cannot be like itself: {circle}. Name another, or give `model`."


def _check_groups(groups: Mapping[str, Any], students: Mapping[str, Any], models: Mapping[str, str]) -> Problems:
    taught = _texts(students, "learn_from").values()
    for name, members in groups.items():
        if name not in taught:
            yield f"teacher_groups.{name}: no student learns from it. Let one, or remove the group."
        if isinstance(members, list) and not 1 <= len(members) <= MOST_TEACHERS:
            yield f"teacher_groups.{name}: 1 to {MOST_TEACHERS} models teach together. Received: {len(members)}."
        yield from _check_list(f"teacher_groups.{name}", members, models)


def _check_members(members: Any, models: Mapping[str, str], students: int) -> Problems:
    yield from _check_list("ensemble.members", members, models)
    possible = students or len(models)
    if not members and possible > MOST_MEMBERS:
        yield f"ensemble.members: a search takes at most {MOST_MEMBERS}. Received: none, so all {possible}. Name them."


def _check_list(place: str, members: Any, models: Mapping[str, str]) -> Problems:
    """A list of models, each once."""
    for index, member in enumerate(members if isinstance(members, list) else []):
        if isinstance(member, str) and member not in models:
            yield f"{place}[{index}]: no model '{member}'. {suggest(member, models)}"
        if member in members[:index]:
            yield f"{place}[{index}]: '{member}' stands twice. Remove one."


def _check_sizes(families: Mapping[str, Any], students: Mapping[str, Any]) -> Problems:
    """A family that teaches, or says how many teach, needs as many candidates."""
    taught = _texts(students, "learn_from").values()
    for name, family in families.items():
        default = FamilyConfig.model_fields["ensemble_size"].default if name in taught else 0
        size = mapping_or_empty(family).get("ensemble_size", default)
        count = len(mapping_or_empty(mapping_or_empty(family).get("candidates")))
        if isinstance(size, int) and count < size:
            yield (
                f"families.{name}.ensemble_size: {size} candidates teach together, but there are {count}. "
                "Add candidates, or lower ensemble_size."
            )


def _check_top_k(raw: Mapping[str, Any]) -> Problems:
    """Predictions are kept as deep as those who read them look."""
    search = mapping_or_empty(mapping_or_empty(raw.get("ensemble")).get("search")).get("top_k", GAP_TOP_K)
    kept = mapping_or_empty(raw.get("evaluation")).get("top_k", DEFAULT_TOP_K)
    if isinstance(search, int) and isinstance(kept, int) and kept < (needed := max(search, GAP_TOP_K)):
        yield (
            f"evaluation.top_k: selection of teachers and search of weights look at {needed} classes of every video. "
            f"Received: {kept}. Keep at least as many."
        )


def _check_cycles(groups: Mapping[str, Any], students: Mapping[str, Any]) -> Problems:
    """No student may teach, over however many levels, itself."""
    needs = _texts(students, "learn_from")
    for name in needs:
        if chain := _chain(name, needs, groups):
            circle = " <- ".join([name, *chain])
            yield f"students.{name}.learn_from: the student teaches itself: {circle}. Break the circle."


def _chain(start: str, needs: Mapping[str, str], groups: Mapping[str, Any]) -> list[str]:
    """The shortest way from a student over teacher groups back to itself; empty if there is none."""
    ways: list[list[str]] = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        group = needs[way[-1]]
        members = groups.get(group)
        for member in members if isinstance(members, list) else []:
            if member == start:
                return [*way[1:], group, start]
            if isinstance(member, str) and member in needs and member not in seen:
                seen.add(member)
                ways.append([*way, group, member])
    return []


def _check_data(data: Mapping[str, Any]) -> Problems:
    if data.get("generate") is not None:
        for key in ("training", "validation", "spec"):
            if data.get(key):
                yield f"data.{key}: not together with data.generate, which says it itself. Remove one of them."
    elif not data.get("validation"):
        yield "data.validation: required, but missing: globs of shards to hold out, unless data.generate makes them."


def _texts(entries: Mapping[str, Any], key: str) -> dict[str, str]:
    """What entries say of a key, by name, where that is a text."""
    found = {name: mapping_or_empty(entry).get(key) for name, entry in entries.items()}
    return {name: value for name, value in found.items() if isinstance(value, str)}
