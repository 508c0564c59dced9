"""Simulated edits of the project's files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from yt8m.identity import PROJECT


@contextmanager
def changed_file(name: str, edit: Callable[[str], str]) -> Iterator[None]:
    """Pretend that a file of the project was edited, for everything that reads it as bytes.

    Args:
        name: Path relative to the project.
        edit: Returns the new text; it must differ from the old one.
    """
    path, read = PROJECT / name, Path.read_bytes
    old = path.read_text(encoding="utf-8")
    new = edit(old)
    assert new != old, f"{name}: the edit changes nothing"
    with mock.patch.object(Path, "read_bytes", lambda each: new.encode() if each == path else read(each)):
        yield


def replace(old: str, new: str) -> Callable[[str], str]:
    """Return an edit that replaces a part of the text; the text must contain it."""

    def edit(text: str) -> str:
        assert old in text, f"the text does not contain {old!r}"
        return text.replace(old, new)

    return edit


def append(text: str) -> Callable[[str], str]:
    """Return an edit that adds text at the end."""
    return lambda before: before + text
