"""YAML files: strict parsing of files that users write, fast parsing of generated ones."""

import json
from pathlib import Path
from typing import Any

import yaml

from yt8m.errors import ConfigError

# PyYAML's wheels contain libyaml, which is ten times as fast as PyYAML's Python code.
FASTEST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FASTEST_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read_yaml(path: Path, what: str) -> Any:
    """Read a YAML file strictly; see `parse_yaml`.

    Args:
        path: The file.
        what: Expected content, for error messages: `a recipe`.

    Raises:
        ConfigError: The file cannot be read or parsed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}. Give the path of {what}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file. Give the path of {what}.") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> Any:
    """Parse YAML strictly: duplicate keys and data that JSON cannot hold are errors.

    Args:
        text: The YAML text.
        source: Origin of the text, with which error messages begin.

    Returns:
        Plain data; None for an empty text.

    Raises:
        ConfigError: The text cannot be parsed; the message gives line and column.
    """
    try:
        data = yaml.load(text, Loader=_UniqueKeys)  # a SafeLoader, which creates plain data only
        json.dumps(data, default=str)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: invalid YAML: {' '.join(str(error).split())}") from None
    except (TypeError, ValueError) as error:  # such as a 13th month, a date as a key, or a mapping within itself
        raise ConfigError(f"{source}: unusable YAML: {error}. Write plain keys and values.") from None
    return data


def mapping_at(data: Any, *keys: int | str) -> dict[Any, Any]:
    """Return the mapping at a path in plain data of any shape, or an empty one if there is no mapping."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


class _UniqueKeys(yaml.SafeLoader):
    """Loader that rejects duplicate keys of a mapping. PyYAML would silently use the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key '{key}'", node.start_mark)
        return super().construct_mapping(node, deep)
