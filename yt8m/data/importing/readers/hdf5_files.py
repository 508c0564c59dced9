"""Arrays in HDF5 files, read from their beginning to their end."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m import storage
from yt8m.data.importing.readers.array_files import ArraySet, Rows
from yt8m.data.importing.readers.paths import stem
from yt8m.data.importing.readers.table_files import readable
from yt8m.errors import DataError


class DataSetRows:
    """A data set of an HDF5 file.

    Args:
        data: The data set.
        where: File and data set, for error messages.
    """

    def __init__(self, data: Any, where: str) -> None:
        import h5py  # noqa: PLC0415 - loads only when needed

        self._data, self._where, self._next = data, where, 0
        with readable(where, "HDF5"):
            self.shape: tuple[int, ...] = data.shape or ()
            self.dtype: np.dtype[Any] = data.dtype
        if self.dtype.names or (self.dtype.hasobject and h5py.check_string_dtype(self.dtype) is None):
            raise DataError(
                f"{where}: expected numbers or text, received {'records' if self.dtype.names else 'lists'}. Save the "
                "frames of all videos below each other, with a data set 'lengths', or a group per video. "
                "Other data sets can be chosen with --feature."
            )

    def read(self, count: int) -> NDArray[Any]:
        """Read the next entries of the first axis."""
        with readable(self._where, "HDF5"):
            part: NDArray[Any] = np.asarray(self._data[self._next : self._next + count])
        self._next += count
        return part

    def whole(self) -> NDArray[Any]:
        """Read the whole data set."""
        with readable(self._where, "HDF5"):
            return np.asarray(self._data[()])


class AttributeRows(DataSetRows):
    """An attribute of a group, which is small."""

    def __init__(self, value: Any, where: str) -> None:
        self._data, self._where, self._next = np.asarray(value), where, 0
        self.shape, self.dtype = self._data.shape, self._data.dtype


class Group:
    """Data sets and attributes of a group.

    Args:
        group: The group.
        path: Path or URI of the file.
        identity: Id of the video if the group holds only one.
    """

    def __init__(self, group: Any, path: str, identity: str) -> None:
        self.where = path if group.name == "/" else f"{path}: {group.name}"
        self.id = identity
        self._group = group

    def names(self) -> list[str]:
        """Return the names of the data sets."""
        with readable(self.where, "HDF5"):
            return _data_sets(self._group)

    def attributes(self) -> list[str]:
        """Return the names of the group's attributes."""
        with readable(self.where, "HDF5"):
            return list(self._group.attrs)

    def open(self, name: str) -> Rows:
        """Open a data set or attribute."""
        where = f"{self.where}: {name}"
        with readable(where, "HDF5"):
            if name in self._group:
                data = self._group[name]
            else:
                return AttributeRows(self._group.attrs[name], where)
        return DataSetRows(data, where)


def hdf5_sets(path: str) -> Iterator[ArraySet]:
    """Open the groups of a file that have data sets, in the order of their names, and close the file after use."""
    import h5py  # noqa: PLC0415 - loads only when needed

    local = storage.stage_in(path)
    with readable(path, "HDF5"):
        file = h5py.File(local, "r")
    with file:
        groups = _groups(file, path)
        first, second = next(groups, None), next(groups, None)
        if first is None:
            raise DataError(f"{path}: expected data sets, received a file without any.")
        # Groups such as /clip1/features and /clip2/features are named by what differs.
        inner = 0
        if second is not None:
            names = list(zip(reversed(first.name.split("/")), reversed(second.name.split("/")), strict=False))
            inner = next((index for index, (one, other) in enumerate(names) if one != other), 0)
        for group in _groups(file, path):
            yield Group(group, path, _id_of(group.name, inner) or stem(path))


def _id_of(name: str, inner: int) -> str:
    parts = name.strip("/").split("/")
    return parts[-1 - inner] if len(parts) > inner else name


def _groups(group: Any, path: str) -> Iterator[Any]:
    with readable(path, "HDF5"):
        data, inner = _data_sets(group), iter(group)
        # Beside groups of videos, the outermost group may have names of classes and the like.
        is_beside = group.name == "/" and len(data) < len(group) and all(group[name].ndim < 2 for name in data)
    if data and not is_beside:
        yield group
    while True:
        with readable(path, "HDF5"):
            name = next(inner, None)
            child = None if name is None else group[name]
        if name is None:
            return
        if hasattr(child, "keys"):
            yield from _groups(child, path)


def _data_sets(group: Any) -> list[str]:
    """Return the names of a group's data sets; a group of many groups is not listed in full."""
    import h5py  # noqa: PLC0415 - loads only when needed

    return [name for name in group if group.get(name, getclass=True) is h5py.Dataset]
