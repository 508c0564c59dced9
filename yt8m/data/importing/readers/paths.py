"""Paths of sources: what was given on the command line, expanded to files."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from yt8m import storage
from yt8m.errors import DataError, StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Formats by the end of a file's name.
_FORMATS = {
    ".npy": "npy",
    ".npz": "npz",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
}
_KNOWN = f"Known: {', '.join(_FORMATS)}."
_NAMED = re.compile(r"([^/=*?\[\]]+)=(.+)", re.DOTALL)


class PathList(Sequence[str]):
    """Many paths in little memory, sorted by the names of the files, then by their folders.

    Args:
        paths: Paths or URIs.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        folders: dict[str, int] = {}
        blocks: list[tuple[NDArray[np.bytes_], NDArray[np.int32]]] = []
        names: list[bytes] = []
        indices: list[int] = []

        def pack() -> None:
            if names:
                blocks.append((np.array(names), np.array(indices, np.int32)))
                names.clear()
                indices.clear()

        for path in paths:
            folder, slash, name = path.rpartition("/")
            names.append(os.fsencode(name))
            indices.append(folders.setdefault(folder + slash, len(folders)))
            if len(names) == 4096:
                pack()
        pack()
        self._folders = list(folders)
        self._names = np.concatenate([each for each, _ in blocks] or [np.zeros(0, "S1")])
        self._indices = np.concatenate([each for _, each in blocks] or [np.zeros(0, np.int32)])
        rank = np.argsort(np.argsort(self._folders)).astype(np.int32) if folders else self._indices
        order = np.lexsort((rank[self._indices], self._names)) if folders else self._indices
        self._names, self._indices = self._names[order], self._indices[order]

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        name: bytes = self._names[index].item()
        folder: str = self._folders[self._indices[index]]
        return folder + os.fsdecode(name)


def split_names(paths: Sequence[str]) -> dict[str, list[str]]:
    """Group paths by the feature before `=`; files of unnamed features have an empty name.

    Raises:
        DataError: Some paths have a name and others have none.
    """
    groups: dict[str, list[str]] = {}
    for path in paths:
        named = None if "://" in path.partition("=")[0] or os.path.lexists(path) else _NAMED.fullmatch(path)
        name, rest = (named[1], named[2]) if named else ("", path)
        groups.setdefault(name, []).append(rest)
    if "" in groups and len(groups) > 1:
        raise DataError(
            f"{groups[''][0]}: expected NAME=PATH, as in the other sources, received a path without the name of its "
            "feature. Give all sources a name, or none."
        )
    return groups


def expand(paths: Sequence[str]) -> PathList:
    """List the files of paths, folders and glob patterns, each once.

    Folders are searched with their subfolders. Their hidden files, and those of unknown formats, are left out.

    Raises:
        DataError: A path has no files, or a file has an unknown format.
        StorageError: A folder cannot be read.
    """
    found = PathList(each for path in paths for each in _files_of(path))
    return found if len(paths) == 1 else PathList(_distinct(found))


def format_of(path: str) -> str:
    """Return the format of a file by its extension: `npy`, `npz`, `parquet`, `csv` or `hdf5`.

    Raises:
        DataError: The extension is unknown.
    """
    extension = extension_of(path)
    if not extension:
        ending = Path(path).suffix
        problem = f"unknown format '{ending}'" if ending else "the name has no ending, which would tell the format"
        raise DataError(f"{path}: {problem}. {_KNOWN}")
    return _FORMATS[extension]


def common_format(files: PathList) -> str:
    """Return the format that all files have.

    Raises:
        DataError: Files have different formats.
    """
    expected = format_of(files[0])
    for path in files:
        if (received := format_of(path)) != expected:
            example = Path(files[0])
            raise DataError(
                f"{path}: expected the format of {files[0]}, {expected}, received {received}. Files of one source have "
                f"one format. Say which ones to read, for instance '{example.parent}/*{example.suffix}'."
            )
    return expected


def stem(path: str) -> str:
    """Return the name of a file without its folder and extension, which is the id of the video in it."""
    name = path.rpartition("/")[2]
    return name.removesuffix(name[len(name) - len(extension_of(path)) :])


def extension_of(path: str) -> str:
    """Return the end of a file's name that tells a known format, or an empty text."""
    matching = [each for each in _FORMATS if path.lower().endswith(each)]
    return max(matching, key=len, default="")


def _files_of(path: str) -> Iterator[str]:
    local = path if "://" not in path else path.removeprefix("file://")
    if "://" not in local:
        here = Path(os.path.expanduser(local))  # noqa: PTH111 - Path.expanduser fails for unknown users
        if here.is_dir():
            folders = os.walk(here, onerror=_refuse_folder)
            yield from _in_folder(path, (f"{parent}/{name}" for parent, _, names in folders for name in names))
            return
        if os.path.lexists(here):
            format_of(path)
            yield str(here)
            return
    if found := storage.list_uris(path):
        for each in found:
            format_of(each)
            yield each
        return
    if "://" in local and (listed := storage.list_files(path)):
        yield from _in_folder(path, (each.uri for each in listed))
        return
    raise DataError(
        f"{path}: no file or folder of this name, and no file that matches it. Check the path; a pattern needs * or ?."
    )


def _refuse_folder(error: OSError) -> None:
    raise StorageError(f"{error.filename}: the folder cannot be read: {error.strerror}. Change its permissions.")


def _in_folder(folder: str, files: Iterable[str]) -> Iterator[str]:
    unknown, known = "", 0
    for path in files:
        if path.rpartition("/")[2].startswith("."):
            continue
        if extension_of(path):
            known += 1
            yield path
        else:
            unknown = path
    if not known:
        received = f"files such as {unknown}" if unknown else "an empty folder"
        raise DataError(f"{folder}: expected files to import, received {received}. {_KNOWN}")


def _distinct(files: PathList) -> Iterator[str]:
    previous = ""
    for path in files:
        if path != previous:
            yield path
        previous = path
