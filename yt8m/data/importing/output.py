"""The folder of an imported data set, which appears complete or not at all."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from yt8m import storage
from yt8m.data.description import DESCRIPTION_NAME, DatasetDescription
from yt8m.errors import DataError
from yt8m.storage.local import local_path, why_unwritable

# Files that an import writes.
_OWN_FILES = re.compile(r"(train|validate|test|unlabeled-test)\d{4,}\.tfrecord|vocabulary\.csv|dataset\.json")
_REMEDY = "Give a new folder."


def find_dataset(uri: str) -> DatasetDescription | None:
    """Check that a folder can take an imported data set, and return the description of one that it holds.

    An object store may have shards without description, which an interrupted upload left.

    Raises:
        ConfigError: The folder's `dataset.json` is no description of a data set.
        DataError: The folder holds something else, or cannot be replaced as a whole.
    """
    if not storage.is_remote(uri):
        path = local_path(uri)
        if path.exists() and not path.is_dir():
            raise DataError(f"--out: {path} is a file. {_REMEDY}")
        if path.is_mount() or path == Path.cwd() or path in Path.cwd().parents:
            raise DataError(
                f"--out: {path} is a mounted or the current folder, which cannot appear as a whole. Give a folder in "
                f"it, for instance {path / 'videos'}."
            )
        if why := why_unwritable(path.parent):
            raise DataError(f"--out: {path} cannot be made: {why}. {_REMEDY}")
    found = DatasetDescription.in_folder(uri)
    if found and not found.imported:
        raise DataError(f"--out: {uri} holds a data set that was not imported. {_REMEDY}")
    names = [file.uri.removeprefix(uri.rstrip("/") + "/") for file in storage.list_files(uri)]
    others = [name for name in names if not _OWN_FILES.fullmatch(name)]
    if not (found or storage.is_remote(uri)):
        others = names
    if others:
        raise DataError(f"--out: {uri} holds other files, such as {others[0]}. {_REMEDY}")
    return found


@contextmanager
def publish_dataset(uri: str, description: DatasetDescription) -> Iterator[Path]:
    """Make the folder of a data set. An earlier one, or what is left of it, is replaced.

    A local folder appears with all its files at once. In an object store, `dataset.json` comes last.

    Args:
        uri: Folder of the data set.
        description: Content of `dataset.json`.

    Yields:
        An empty local folder to fill with everything but `dataset.json`.
    """
    if not storage.is_remote(uri):
        try:
            local_path(uri).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"--out: {uri} cannot be made: {error.strerror}. {_REMEDY}") from error
        with storage.publish_directory(local_path(uri)) as folder:
            yield folder
            for path in folder.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            description.save(folder / DESCRIPTION_NAME)
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)
        storage.remove(file.uri for file in storage.list_files(uri))
        storage.FolderUpload(Path(name), uri).update()
        description.save(storage.join(uri, DESCRIPTION_NAME))
