"""Frozen, strict, typed configuration objects and errors that name the place of every problem."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from yt8m.errors import ConfigError, suggest

# Keys and indices that lead to a value.
Place = tuple[int | str, ...]

_UNKNOWN_TAG = "unknown_tag"
# A number that YAML 1.1 takes for text, as it lacks the point or the exponent's sign.
_EXPONENT = re.compile(r"([-+]?\d+)(\.\d*)?[eE]([-+]?\d+)")
_TAG_ERRORS = (_UNKNOWN_TAG, "union_tag_not_found")


class Config(BaseModel):
    """Base of all configurations: frozen, unknown keys are errors, no silent type conversion, numbers are finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False, protected_namespaces=()
    )

    def __init__(self, **fields: Any) -> None:
        """Make a configuration in Python; its errors are those of a file, see `parse`."""
        try:
            super().__init__(**fields)
        except ValidationError as error:
            cls = type(self)
            raise ConfigError("\n".join(describe_errors(error, cls, cls.__name__))) from None

    # Files and parts of other configurations do not come by, so that all their problems are reported at once.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def parse(cls, data: Any, source: str) -> Self:
        """Validate plain data (from YAML or JSON).

        Args:
            data: Mappings, lists and scalars.
            source: Where the data came from; every error begins with it.

        Returns:
            The configuration.

        Raises:
            ConfigError: All problems at once, a line each, with place, reason and remedy.
        """
        # By way of JSON, in whose strict mode lists become tuples.
        return cls.parse_json(json.dumps(data, default=str), source)

    @classmethod
    def parse_json(cls, text: str, source: str) -> Self:
        """Validate a JSON text; see `parse`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError("\n".join(describe_errors(error, cls, source))) from None


def known_tag(key: str, noun: str, known: Collection[str], aliases: Mapping[str, str] | None = None) -> BeforeValidator:
    """Make the check, to be put beside the `discriminator` of a union, that names the nearest known tag.

    Args:
        key: The discriminating key.
        noun: What the tag names, for instance `model family`.
        known: All tags.
        aliases: See `suggest`.
    """

    def check(value: Any) -> Any:
        tag = value.get(key) if isinstance(value, dict) else getattr(value, key, None)
        if tag is None or (isinstance(tag, str) and tag in known):
            return value
        hint = suggest(str(tag), known, aliases)
        raise PydanticCustomError(_UNKNOWN_TAG, "{text}", {"text": f"unknown {noun} '{tag}'. {hint}", "key": key})

    return BeforeValidator(check)


def describe_errors(
    error: ValidationError, model: type[BaseModel], source: str, origin: Callable[[Place], Place] = lambda place: place
) -> Iterator[str]:
    """Turn pydantic's errors into lines `source: place: what, received, remedy`.

    Args:
        error: What pydantic found.
        model: The type that was wanted.
        source: Where the data came from.
        origin: Where the value at a place was written, if it was not there.
    """
    for details in error.errors(include_url=False):
        location, owner = _follow(model, details["loc"])
        if details["type"] in _TAG_ERRORS:
            location += (details["ctx"]["key" if details["type"] == _UNKNOWN_TAG else "discriminator"].strip("'"),)
        place = _place(origin(location))
        described = _describe(details, owner)
        yield f"{source}: {place}: {described}" if place else f"{source}: {described}"


def _place(location: Place) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def _describe(details: ErrorDetails, owner: Any) -> str:
    if details["type"] == "extra_forbidden":
        key = str(details["loc"][-1])
        return f"unknown key '{key}'. {suggest(key, owner.model_fields)}"
    if details["type"] in ("missing", "union_tag_not_found"):
        return "required, but missing."
    if details["type"] == _UNKNOWN_TAG:
        return details["msg"]
    message = details["msg"].removeprefix("Value error, ")
    received = details["input"]
    is_whole = isinstance(received, dict | list | BaseModel) or details["type"] == "json_invalid"
    shown = "" if is_whole else f" Received: {received!r}."
    number = _EXPONENT.fullmatch(received) if isinstance(received, str) and details["type"] == "float_type" else None
    remedy = f" YAML takes this for text; write {number[1]}{number[2] or '.0'}e{int(number[3]):+d}." if number else ""
    return f"{message[:1].lower()}{message[1:].rstrip('.')}.{shown}{remedy}"


def _follow(model: type[BaseModel], location: Place) -> tuple[Place, Any]:
    """Follow a place through the types.

    Returns:
        The place as the user wrote it, without the tags of unions that pydantic puts into it, and the type of whatever
        holds the last part.
    """
    written: list[int | str] = []
    owner: Any = None
    here: Any = model
    for part in location:
        owner, here, is_written = _step(here, part)
        if is_written:
            written.append(part)
    return tuple(written), owner


def _step(annotation: Any, part: int | str) -> tuple[Any, Any, bool]:
    """From a type to the type of one part: the type that holds it, its own, and whether the user wrote the part."""
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
