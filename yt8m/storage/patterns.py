"""Glob patterns: which part of a path is a name, which is a pattern, and why a pattern names no files.

A path that exists is taken as it is, whatever letters its name has. Otherwise the leading folders that exist are names,
and the pattern begins behind them: in `my videos [final]/*.tfrecord`, only `*.tfrecord` is a pattern if there is a
folder `my videos [final]`.
"""

import os
import stat
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

WILDCARDS = "*?["

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def has_wildcards(text: str) -> bool:
    """Return whether a text has letters with a meaning in patterns."""
    return any(letter in text for letter in WILDCARDS)


def any_case(pattern: str) -> str:
    """Return a pattern that matches names with upper and lower case letters alike; it must have no brackets."""
    return "".join(f"[{each.lower()}{each.upper()}]" if each.isascii() and each.isalpha() else each for each in pattern)


def count_names(parts: Sequence[str], exists: Callable[[int], bool]) -> int:
    """Count the leading parts of a path that are names; the parts behind them are a pattern.

    Args:
        parts: Parts of the path.
        exists: Function that returns whether the path of so many leading parts exists. It is called only where a part
            has wildcards.
    """
    for number, part in enumerate(parts, 1):
        if has_wildcards(part) and not exists(number):
            return number - 1
    return len(parts)


def why_no_match(pattern: str, noun: str, list_uris: Callable[[str], list[str]]) -> str:
    """Explain that no file matches a pattern, with the likely reason.

    Args:
        pattern: Path, URI or pattern as the user wrote it.
        noun: Name for a file of this kind.
        list_uris: Function that lists the files that match a pattern.
    """
    problem = f"no {noun} matches '{pattern}'."
    for form in _FORMS:
        other = unicodedata.normalize(form, pattern)
        if other != pattern and list_uris(other):
            return (
                f"{problem} The name on the disk has another Unicode form of the same letters ({form}). Copy it from "
                "the output of `ls`, or write ? or * for letters with accents."
            )
    if "[" in pattern:
        return (
            f"{problem} Where no such file or folder exists, [...] stands for one of the letters between the brackets. "
            "Check the path, and write [[] for a [ in a name."
        )
    folder, separator, name = pattern.rpartition("/")
    if other := next(iter(list_uris(f"{folder}{separator}{any_case(name)}")), ""):
        return f"{problem} Upper and lower case differ: there is {other}. Write the name as it is."
    return f"{problem} Check the path{'' if has_wildcards(pattern) else '; a pattern needs * or ?'}."


def why_unreadable(path: Path) -> str:
    """Explain why an existing local path is no file that can be read; empty if it is one, or a folder."""
    try:
        str(path).encode()
        mode = path.stat().st_mode
    except UnicodeEncodeError:
        name = str(path).encode("utf-8", "backslashreplace").decode()
        return f"'{name}': the name is not valid UTF-8. Rename the file."
    except OSError as error:
        if path.is_symlink():
            return f"'{path}' is a link that cannot be followed to '{path.readlink()}' ({error.strerror}). Correct it."
        # A file that does not exist was removed meanwhile.
        return "" if isinstance(error, FileNotFoundError) else f"'{path}' cannot be read ({error.strerror})."
    if kind := _KINDS.get(stat.S_IFMT(mode)):
        return f"'{path}' is {kind}, but files are read several times. Write its content to a file and give that."
    if not os.access(path, os.R_OK):
        return f"'{path}' cannot be read: permission denied. Change its permissions: chmod u+r."
    return ""


def blocked_parent(path: Path) -> str:
    """Explain which part of a missing local path is not a folder that can be entered; empty if none is known."""
    for parent in _from_root(path):
        if not os.path.lexists(parent):
            return ""
        if parent.is_symlink() and not parent.exists():
            return why_unreadable(parent)
        if not parent.is_dir():
            return f"'{parent}' is a file, not a folder. Check the path."
        if not os.access(parent, os.X_OK):
            return f"the folder '{parent}' cannot be entered: permission denied. Change its permissions: chmod u+x."
    return ""


def _from_root(path: Path) -> Iterator[Path]:
    return reversed(path.parents)
