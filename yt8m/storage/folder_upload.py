"""A local folder whose files grow, kept in a store."""

from pathlib import Path

from yt8m.storage.stores import store_of


class FolderUpload:
    """Copies what changes in a local folder to a store: for libraries that write to local folders only.

    Args:
        folder: The local folder.
        uri: The folder in the store.
    """

    def __init__(self, folder: Path, uri: str) -> None:
        self._folder = folder
        self._uri = uri.rstrip("/")
        # Size and time of every file when it was copied.
        self._copied: dict[Path, tuple[int, int]] = {}

    def update(self) -> int:
        """Copy the files that changed since the last call; each appears whole.

        Returns:
            Number of files copied.

        Raises:
            StorageError: A file could not be written; the next call tries it again.
        """
        changed = 0
        for path in sorted(self._folder.rglob("*")):
            if not path.is_file():
                continue
            status = path.stat()
            state = (status.st_size, status.st_mtime_ns)
            if self._copied.get(path) == state:
                continue
            uri = f"{self._uri}/{path.relative_to(self._folder).as_posix()}"
            with store_of(uri).publish_file(uri) as copy:
                copy.write_bytes(path.read_bytes())
            self._copied[path] = state  # what was written meanwhile is copied the next time
            changed += 1
        return changed
