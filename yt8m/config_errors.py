"""Descriptions of what is wrong with a configuration, with the path of every invalid field."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from yt8m.errors import suggest
from yt8m.words import count

# Keys and indices that lead to a value in nested data.
FieldPath = tuple[int | str, ...]

_UNKNOWN_TAG = "unknown_tag"
_MAPPING_ERRORS = ("dict_type", "mapping_type", "model_type", "model_attributes_type")
_LIST_ERRORS = ("tuple_type", "list_type", "set_type", "frozen_set_type")
_SIZE_ERRORS = {"too_short": ("at least", "min_length"), "too_long": ("at most", "max_length")}
# How pydantic names an alternative such as `auto` in the path of an error, and our mark of an error of the other one.
_WORD, _OR_WORD = re.compile(r"literal\['(\w+)'\]"), "or_word"
_TAG_ERRORS = (_UNKNOWN_TAG, "union_tag_not_found")
# A number that YAML 1.1 reads as text, because the decimal point or the sign of the exponent is missing.
_EXPONENT = re.compile(r"([-+]?\d+)(\.\d*)?[eE]([-+]?\d+)")


def known_tag(key: str, noun: str, known: Collection[str], aliases: Mapping[str, str] | None = None) -> BeforeValidator:
    """Make a validator that suggests the nearest known tag, for use beside the `discriminator` of a union.

    Args:
        key: Name of the discriminator field.
        noun: Noun for the tag in error messages, for instance `model architecture`.
        known: All known tags.
        aliases: Corrections for names that do not look like the known ones, as for `suggest`.
    """

    def check(value: Any) -> Any:
        tag = value.get(key) if isinstance(value, dict) else getattr(value, key, None)
        if tag is None or (isinstance(tag, str) and tag in known):
            return value
        hint = suggest(str(tag), known, aliases)
        raise PydanticCustomError(_UNKNOWN_TAG, "{text}", {"text": f"unknown {noun} '{tag}'. {hint}", "key": key})

    return BeforeValidator(check)


def describe_errors(
    error: ValidationError,
    model: type[BaseModel],
    source: str,
    origin: Callable[[FieldPath], FieldPath] = lambda path: path,
) -> list[str]:
    """Format the errors of pydantic as lines `source: field: problem, received value, remedy`.

    Args:
        error: Error that pydantic raised.
        model: Expected type.
        source: Origin of the data, for instance a file name.
        origin: Function that maps the path of a value to the path where the user wrote it.

    Returns:
        One line per problem.
    """
    return list(dict.fromkeys(_lines(error, model, source, origin)))


def _lines(
    error: ValidationError, model: type[BaseModel], source: str, origin: Callable[[FieldPath], FieldPath]
) -> Iterator[str]:
    for details in _without_alternatives(error.errors(include_url=False)):
        path, owner = _follow(model, details["loc"])
        if details["type"] in _TAG_ERRORS:
            path += (details["ctx"]["key" if details["type"] == _UNKNOWN_TAG else "discriminator"].strip("'"),)
        if details["type"] == "missing" and path and isinstance(path[-1], int):  # of a list of fixed length
            path = path[:-1]
        place = origin(path)
        if details["type"] == "extra_forbidden" and isinstance(place[-1], int):  # the key is at fault, not a value
            place = place[:-1]
        field = format_path(place)
        described = _describe(details, owner)
        yield f"{source}: {field}: {described}" if field else f"{source}: {described}"


def format_path(path: FieldPath) -> str:
    """Write a path as in error messages: `grid[1].model`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _describe(details: ErrorDetails, owner: Any) -> str:
    if details["type"] == "extra_forbidden":
        key = str(details["loc"][-1])
        return f"unknown key '{key}'. {owner.absent_keys.get(key) or suggest(key, owner.written_keys())}"
    received = details["input"]
    if details["type"] == "missing" and isinstance(details["loc"][-1], int):
        return f"expected {len(get_args(owner))} values. Received: {len(received)}."
    if details["type"] in ("missing", "union_tag_not_found"):
        return "required, but missing."
    if details["type"] == _UNKNOWN_TAG:
        return details["msg"]
    message = details["msg"].removeprefix("Value error, ")
    is_whole = isinstance(received, dict | list | BaseModel) or details["type"] == "json_invalid"
    shown = "" if is_whole else f" Received: {received!r}."
    if is_whole and details["type"].endswith("_type"):
        shown = f" Received: a {'list' if isinstance(received, list) else 'mapping'}."
    if details["type"] in _MAPPING_ERRORS:
        message = "expected a mapping of keys to values"
    elif details["type"] in _LIST_ERRORS:
        message = "expected a list"
    elif details["type"] in _SIZE_ERRORS:
        bound, limit = _SIZE_ERRORS[details["type"]]
        size = count(details["ctx"][limit], *(("entry", "entries") if isinstance(received, dict) else ("value",)))
        message, shown = f"expected {bound} {size}", f" Received: {len(received)}."
    number = _EXPONENT.fullmatch(received) if isinstance(received, str) and details["type"] == "float_type" else None
    remedy = f" YAML reads this as text. Write {number[1]}{number[2] or '.0'}e{int(number[3]):+d}." if number else ""
    word = (details.get("ctx") or {}).get(_OR_WORD)
    alternative = f", or `{word}`" if word else ""
    return f"{message[:1].lower()}{message[1:].rstrip('.')}{alternative}.{shown}{remedy}"


def _without_alternatives(errors: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Iterate over errors, of which those about a value or a word become one: what is wrong with the value."""
    words = {
        each["loc"][:-1]: match[1]
        for each in errors
        if each["type"] == "literal_error" and (match := _WORD.fullmatch(str(each["loc"][-1])))
    }
    for each in errors:
        path = each["loc"]
        place = next((path[:length] for length in range(len(path)) if path[:length] in words), None)
        if place is None:
            yield each
        elif len(path) > len(place) + 1:  # a part of the value, which comes after the type that pydantic names
            yield {**each, "loc": (*place, *path[len(place) + 1 :])}
        elif not _WORD.fullmatch(str(path[-1])):
            yield {**each, "loc": place, "ctx": {**each.get("ctx", {}), _OR_WORD: words[place]}}


def _follow(model: type[BaseModel], path: FieldPath) -> tuple[FieldPath, Any]:
    """Follow a path of pydantic through the types.

    Returns:
        The path as the user wrote it, without the tags of unions that pydantic inserts, and the type that has the last
        part as a field.
    """
    written: list[int | str] = []
    owner: Any = None
    here: Any = model
    for part in path:
        owner, here, is_written = _step(here, part)
        if is_written:
            written.append(part)
    return tuple(written), owner


def _step(annotation: Any, part: int | str) -> tuple[Any, Any, bool]:
    """Return the type that holds one part of a path, the type of the part, and whether the user wrote the part."""
    arguments = [each for each in get_args(annotation) if each is not type(None)]
    origin = get_origin(annotation)
    if origin is Annotated or (origin in (Union, UnionType) and len(arguments) == 1):
        return _step(arguments[0], part)
    if origin in (Union, UnionType):
        tagged = [each for each in arguments if _has_tag(each, part)]
        return annotation, tagged[0] if tagged else None, not tagged
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if part not in annotation.model_fields:  # unknown, or the tag of a union with one member
            return annotation, annotation, not _has_tag(annotation, part)
        return annotation, annotation.model_fields[str(part)].annotation, True
    return annotation, arguments[-1 if origin in (dict, Mapping) else 0] if arguments else None, True


def _has_tag(member: Any, tag: int | str) -> bool:
    if get_origin(member) is Annotated:
        return _has_tag(get_args(member)[0], tag)
    is_model = isinstance(member, type) and issubclass(member, BaseModel)
    return is_model and any(tag in get_args(field.annotation) for field in member.model_fields.values())
