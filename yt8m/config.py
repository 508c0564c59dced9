"""Typed, frozen configurations."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_jsonable_python

from yt8m.config_errors import describe_errors
from yt8m.errors import ConfigError
from yt8m.identity import digest
from yt8m.storage import open_atomic, read_text
from yt8m.yaml_files import dump_line, parse_line

# Key of the digest of the full configuration in `Config.dump_changes`.
_DEFAULTS = "defaults"
_DEFAULTS_DIGITS = 8


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
