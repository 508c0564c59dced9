"""Lengths of file names: names that are derived from other names fit into what file systems allow."""

import hashlib
from pathlib import PurePosixPath

# Most bytes of a file name in nearly all file systems.
LONGEST_NAME = 255

_DIGITS_OF_HASH = 16
# Endings with more bytes are not kept, because they are probably no endings.
_LONGEST_ENDING = 32
# Most letters and bytes that `tail_of` keeps.
_TAIL_LETTERS, _TAIL_BYTES = 100, 200


def fitting_name(name: str, reserved: int = 0) -> str:
    """Return a name that a file system takes: the name itself if it is short enough, otherwise a shorter one.

    Args:
        name: Name of a file or folder.
        reserved: Bytes to leave free, for names that are derived from this one.

    Returns:
        The name, or its beginning, a hash of the whole name, and its ending. Whole letters are cut off.
    """
    most = LONGEST_NAME - reserved
    if len(name.encode()) <= most:
        return name
    ending = PurePosixPath(name).suffix
    ending = ending if len(ending.encode()) <= _LONGEST_ENDING else ""
    end = f"-{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS_OF_HASH]}{ending}"
    return name.encode()[: most - len(end.encode())].decode(errors="ignore") + end


def tail_of(uri: str) -> str:
    """Return the end of the last name in a URI, short enough for other text before and behind it."""
    return uri.rpartition("/")[2][-_TAIL_LETTERS:].encode()[-_TAIL_BYTES:].decode(errors="ignore")
