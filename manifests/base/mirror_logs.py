"""Mirror of TensorBoard logs in a store: `python mirror_logs.py URI FOLDER [SECONDS]`."""

import logging
import sys
import time
from pathlib import Path

from yt8m import storage
from yt8m.errors import StorageError

_LOGGER = logging.getLogger("mirror_logs")


def mirror(uri: str, folder: Path) -> int:
    """Copy new content of all logs.

    Logs only grow, and TensorBoard keeps them open. Therefore new content is appended to the copies.

    Args:
        uri: Folder of the logs in the store.
        folder: Local folder of the copies.

    Returns:
        Number of bytes copied.
    """
    copied = 0
    for log in storage.list_uris(storage.join(uri, "**", "*tfevents*")):
        copy = folder / log.removeprefix(uri).strip("/")
        have = copy.stat().st_size if copy.exists() else 0
        if storage.stat(log).size > have:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("ab") as file:
                copied += file.write(storage.read_bytes(log)[have:])
    return copied


def main(uri: str, folder: str, seconds: str = "60") -> None:
    """Mirror until the process is stopped, even if the store fails at times."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    while True:
        try:
            copied = mirror(uri, Path(folder))
            if copied:
                _LOGGER.info("%s: copied %d bytes", uri, copied)
        except StorageError as error:
            _LOGGER.warning("%s", error)
        time.sleep(float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
