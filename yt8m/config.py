"""Typed, frozen configurations, and their errors with the path of every invalid field."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError, to_jsonable_python

from yt8m.errors import ConfigError, suggest
from yt8m.identity import digest
from yt8m.storage import open_atomic, read_text
from yt8m.yaml_files import dump_line, parse_line

# Keys and indices that lead to a value in nested data.
FieldPath = tuple[int | str, ...]

_UNKNOWN_TAG = "unknown_tag"
_MAPPING_ERRORS = ("dict_type", "mapping_type", "model_type", "model_attributes_type")
_TAG_ERRORS = (_UNKNOWN_TAG, "union_tag_not_found")
# Key of the digest of the full configuration in `Config.dump_changes`.
_DEFAULTS = "defaults"
_DEFAULTS_DIGITS = 8
# A number that YAML 1.1 reads as text, because the decimal point or the sign of the exponent is missing.
_EXPONENT = re.compile(r"([-+]?\d+)(\.\d*)?[eE]([-+]?\d+)")


class Config(BaseModel):
    """Base class of configurations: frozen, no unknown keys, no implicit conversion of types, only finite numbers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False, protected_namespaces=()
    )

    # Explanations of keys that users may expect and that do not exist.
    absent_keys: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **fields: Any) -> None:
        """Validate keyword arguments; raise the same errors as `parse`."""
        try:
            super().__init__(**fields)
        except ValidationError as error:
            cls = type(self)
            raise ConfigError("\n".join(describe_errors(error, cls, cls.__name__))) from None

    # This mark makes pydantic skip the method above for parsed and nested data, so that one error lists all problems.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def written_keys(cls) -> list[str]:
        """Return the keys that people can write, which errors suggest."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def parse(cls, data: Any, source: str) -> Self:
        """Validate plain data, as read from YAML or JSON.

        Args:
            data: Mappings, lists and scalars.
            source: Origin of the data, for instance a file name. Every error begins with it.

        Returns:
            The configuration.

        Raises:
            ConfigError: The data is not valid. Each line of the message is a problem with its path, reason and remedy.
        """
        # Pydantic turns lists into tuples in strict mode only if the input is JSON.
        return cls.parse_json(json.dumps(data, default=str), source)

    @classmethod
    def parse_json(cls, text: str, source: str) -> Self:
        """Validate a JSON text like `parse`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError("\n".join(describe_errors(error, cls, source))) from None

    def dump_changes(self) -> str:
        """Write what differs from the defaults on one line: `{training.batch_size: 160, defaults: 1f3a9c42}`.

        Keys of nested configurations are joined by dots. A discriminator is always written with the configuration that
        it belongs to. The last key is the beginning of the digest of the full configuration.
        """
        assert _DEFAULTS not in type(self).model_fields
        return dump_line({**dict(_changes(self)), _DEFAULTS: self._digest()})

    @classmethod
    def parse_changes(cls, text: str, source: str) -> Self:
        """Add the defaults of this version to a text that `dump_changes` wrote.

        Args:
            text: The text.
            source: Origin of the text, with which error messages begin.

        Raises:
            ConfigError: The text is not valid, or was written by a version of the code with other defaults.
        """
        changes = parse_line(text, source)
        written = changes.pop(_DEFAULTS, None)
        remedy = (
            "Use the image of the version that compiled the pipeline, or compile and submit the recipe again with the "
            "version of the image."
        )
        try:
            config = cls.parse(_nest(changes, source), source)
        except ConfigError as error:
            raise ConfigError(f"{error}\n{source}: another version of yt8m wrote the configuration. {remedy}") from None
        if written != config._digest():
            raise ConfigError(
                f"{source}: the configuration was written by a version of yt8m with other defaults than this one. "
                f"Expected: {_DEFAULTS} {config._digest()}. Received: {written}. {remedy}"
            )
        return config

    def _digest(self) -> str:
        return digest(config=self.model_dump(mode="json"))[:_DEFAULTS_DIGITS]


class ConfigFile(Config):
    """Base class of configurations that one step writes and others read, as JSON files."""

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            ConfigError: The file holds other data.
            StorageError: The file does not exist or cannot be read.
        """
        return cls.parse_json(read_text(path), str(path))

    def save(self, path: str | Path) -> None:
        """Write the configuration. The file appears completely or not at all."""
        with open_atomic(path, "w") as file:
            file.write(self.model_dump_json(indent=1) + "\n")


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
) -> Iterator[str]:
    """Format the errors of pydantic as lines `source: field: problem, received value, remedy`.

    Args:
        error: Error that pydantic raised.
        model: Expected type.
        source: Origin of the data, for instance a file name.
        origin: Function that maps the path of a value to the path where the user wrote it.

    Yields:
        One line per problem.
    """
    for details in error.errors(include_url=False):
        path, owner = _follow(model, details["loc"])
        if details["type"] in _TAG_ERRORS:
            path += (details["ctx"]["key" if details["type"] == _UNKNOWN_TAG else "discriminator"].strip("'"),)
        field = _format_path(origin(path))
        described = _describe(details, owner)
        yield f"{source}: {field}: {described}" if field else f"{source}: {described}"


def _changes(config: Config, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Iterate over the fields of a configuration that differ from the defaults of its class."""
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        is_tag = get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1
        if not is_tag and not field.is_required() and _to_json(value) == _to_json(field.default):
            continue
        if isinstance(value, Config):
            yield from list(_changes(value, f"{prefix}{name}.")) or [(prefix + name, {})]
        else:
            yield prefix + name, to_jsonable_python(value)


def _to_json(value: Any) -> str:
    return json.dumps(to_jsonable_python(value))  # unsorted, since the order of features matters


def _nest(changes: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Turn dotted keys into nested mappings."""
    nested: dict[str, Any] = {}
    for key, value in changes.items():
        here = nested
        *parents, name = str(key).split(".")
        for parent in parents:
            here = here.setdefault(parent, {})
            if not isinstance(here, dict):
                raise ConfigError(
                    f"{source}: {key}: {parent} cannot be both a value and a mapping. Received: {here!r}."
                )
        here[name] = value
    return nested


def _format_path(path: FieldPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _describe(details: ErrorDetails, owner: Any) -> str:
    if details["type"] == "extra_forbidden":
        key = str(details["loc"][-1])
        return f"unknown key '{key}'. {owner.absent_keys.get(key) or suggest(key, owner.written_keys())}"
    if details["type"] in ("missing", "union_tag_not_found"):
        return "required, but missing."
    if details["type"] == _UNKNOWN_TAG:
        return details["msg"]
    message = details["msg"].removeprefix("Value error, ")
    received = details["input"]
    is_whole = isinstance(received, dict | list | BaseModel) or details["type"] == "json_invalid"
    shown = "" if is_whole else f" Received: {received!r}."
    if details["type"] in _MAPPING_ERRORS:
        message, shown = "expected a mapping of keys to values", " Received: a list." if is_whole else shown
    number = _EXPONENT.fullmatch(received) if isinstance(received, str) and details["type"] == "float_type" else None
    remedy = f" YAML reads this as text. Write {number[1]}{number[2] or '.0'}e{int(number[3]):+d}." if number else ""
    return f"{message[:1].lower()}{message[1:].rstrip('.')}.{shown}{remedy}"


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
