"""YAML files: those that users write are read strictly, our own fast."""

from pathlib import Path
from typing import Any

import yaml

from yt8m.errors import ConfigError

# PyYAML's own take ten times as long; these are there wherever wheels are.
FASTEST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FASTEST_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read_yaml(path: Path, what: str) -> Any:
    """Reads a YAML file strictly: a key that stands twice in a mapping is refused.

    Args:
        path: The file.
        what: What it should be, for errors: `a recipe`.

    Returns:
        Plain data; None if the file is empty.

    Raises:
        ConfigError: The file cannot be read, or is no such YAML; says where.
    """
    try:
        # A SafeLoader, which makes nothing but plain data.
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}. Give the path of {what}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: no text. Give the path of {what}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: no valid YAML: {' '.join(str(error).split())}") from None


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' stands twice", node.start_mark)
        return super().construct_mapping(node, deep)
