"""Globs over the names of objects; object stores have no folders and mostly no globs."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

WILDCARDS = "*?["


def fixed_prefix(pattern: str) -> str:
    """What all names that match begin with."""
    ends = [pattern.find(wildcard) for wildcard in WILDCARDS if wildcard in pattern]
    return pattern[: min(ends)] if ends else pattern


def matches(key: str, pattern: str) -> bool:
    """Whether a name matches a glob, with the rules of `glob`: `**` stands for any number of folders."""
    return _match(key.split("/"), pattern.split("/"))


def _match(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return _match(parts, patterns[1:]) or (bool(parts) and _match(parts[1:], patterns))
    return bool(parts) and _match_part(parts[0], patterns[0]) and _match(parts[1:], patterns[1:])


def _match_part(part: str, pattern: str) -> bool:
    hidden = part.startswith(".") and not pattern.startswith(".")
    return not hidden and fnmatchcase(part, pattern)
