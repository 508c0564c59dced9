"""YAML files: those that users write are read strictly, our own fast."""

import json
from pathlib import Path
from typing import Any

import yaml

from yt8m.errors import ConfigError

# PyYAML's own take ten times as long; these are there wherever wheels are.
FASTEST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FASTEST_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read_yaml(path: Path, what: str) -> Any:
    """Read a YAML file strictly: a key that stands twice in a mapping is refused.

    Args:
        path: The file.
        what: What it should be, for errors: `a recipe`.

    Returns:
        Plain data, which JSON can hold; None if the file is empty.

    Raises:
        ConfigError: The file cannot be read, or is no such YAML; says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}. Give the path of {what}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: no text. Give the path of {what}.") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> Any:
    """Read YAML strictly.

    Args:
        text: What somebody wrote.
        source: Where it came from; the error begins with it.

    Returns:
        Plain data, which JSON can hold; None if there is nothing.

    Raises:
        ConfigError: It is no such YAML; says where.
    """
    try:
        # A SafeLoader, which makes nothing but plain data.
        data = yaml.load(text, Loader=_UniqueKeys)
        json.dumps(data, default=str)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: no valid YAML: {' '.join(str(error).split())}") from None
    except (TypeError, ValueError) as error:  # a 13th month, a date as a key, a mapping within itself
        raise ConfigError(f"{source}: YAML that cannot be used: {error}. Write plain keys and values.") from None
    return data


def mapping_or_empty(value: Any) -> dict[Any, Any]:
    """Plain data that should be a mapping; what is none, or not there, has no entries."""
    return value if isinstance(value, dict) else {}


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' stands twice", node.start_mark)
        return super().construct_mapping(node, deep)
