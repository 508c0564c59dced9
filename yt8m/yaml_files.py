"""YAML: strict parsing of files that users write, fast parsing of generated ones, and mappings on one line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from yt8m.errors import ConfigError

# PyYAML's wheels contain libyaml, which is ten times as fast as PyYAML's Python code.
FASTEST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FASTEST_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
# What to do about problems, by a part of PyYAML's description.
_REMEDIES = {
    r"'\t'": "Indent with spaces, not tabs.",
    "mapping values are not allowed": "Indent the keys of a mapping equally, and put texts with a colon in quotes.",
    "expected <block end>": "Indent the keys of a mapping equally.",
    "duplicate key": "Remove one of the two.",
    "undefined alias": "Write &NAME at the first use of the value, above this line.",
    "single document": "Keep one document: remove the line `---` and what follows, or write two files.",
    "quoted scalar": "Close the quotation marks.",
    "flow mapping": "Close the brackets: {key: value, key: value}.",
    "flow sequence": "Close the brackets: [value, value].",
    "unhashable key": "Replace what is in double braces, or put it in quotes.",
}
# More columns than any text has.
_ONE_LINE = 2**31 - 1


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
        raise ConfigError(f"{path}: not a text file in UTF-8. Give the path of {what}.") from None
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
        raise ConfigError(f"{source}: {_describe(error)}") from None
    except (TypeError, ValueError) as error:  # such as a 13th month, a date as a key, or a mapping within itself
        raise ConfigError(f"{source}: unusable YAML: {error}. Write plain keys and values.") from None
    return data


def _describe(error: yaml.YAMLError) -> str:
    """Return place, problem and remedy of an error of PyYAML."""
    if not isinstance(error, yaml.MarkedYAMLError) or not error.problem_mark:
        return f"invalid YAML: {' '.join(str(error).split())}"
    mark, start = error.problem_mark, error.context_mark
    begun = f" that begins in line {start.line + 1}" if start and start.line != mark.line else ""
    problem = f"{error.context}{begun}: {error.problem}" if error.context else error.problem or ""
    snippet = (mark.get_snippet(indent=0) or "").partition("\n")[0].strip()
    remedies = (hint for part, hint in _REMEDIES.items() if part in problem)
    received = f" Received: {snippet}" if snippet else ""
    place = f"line {mark.line + 1}, column {mark.column + 1}"
    return f"invalid YAML in {place}: {problem}. {next(remedies, '')}".strip() + received


def mapping_at(data: Any, *keys: int | str) -> dict[Any, Any]:
    """Return the mapping at a path in plain data of any shape, or an empty one if there is no mapping."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def dump_line(data: Mapping[str, Any]) -> str:
    """Write a mapping of plain data on one line, as people write YAML: `{a: 1, b: [x, y]}`.

    Strings have quotes only where YAML needs them. `parse_line` returns the same data.
    """
    text = yaml.dump(
        dict(data), Dumper=_OneLine, default_flow_style=True, sort_keys=False, allow_unicode=True, width=_ONE_LINE
    )
    return text.strip()


def parse_line(text: str, source: str) -> dict[str, Any]:
    """Parse a text that `dump_line` wrote.

    Args:
        text: The text.
        source: Origin of the text, with which error messages begin.

    Raises:
        ConfigError: The text is not a mapping in YAML.
    """
    data = parse_yaml(text, source)
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: expected a mapping, such as {{a: 1}}. Received: {text!r}.")
    return data


class _OneLine(yaml.SafeDumper):
    """Dumper without aliases and line breaks."""

    def ignore_aliases(self, _: Any) -> bool:
        return True

    def represent_text(self, data: str) -> yaml.ScalarNode:
        style = None if data.isprintable() else '"'  # in quotes, line breaks and the like become escapes
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_OneLine.add_representer(str, _OneLine.represent_text)
_OneLine.add_representer(tuple, yaml.SafeDumper.represent_list)


class _UniqueKeys(yaml.SafeLoader):
    """Loader that rejects duplicate keys of a mapping. PyYAML would silently use the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        values = [key.value for key in keys]
        for index, key in enumerate(keys):
            if key.value in values[:index]:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key '{key.value}'", key.start_mark)
        return super().construct_mapping(node, deep)
