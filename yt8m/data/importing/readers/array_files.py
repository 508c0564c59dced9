"""Arrays in NumPy's files, read from their beginning to their end."""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import IO, Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from yt8m import storage
from yt8m.data.importing.readers.paths import stem
from yt8m.data.importing.readers.table_files import readable
from yt8m.errors import DataError

# Name of the feature in files of one array, which have no name for it.
UNNAMED = "features"
# Ids that are read at once.
_MOST_IDS = 1024


class Rows(Protocol):
    """An array that is read in parts along its first axis, once.

    Attributes:
        shape: Shape of the whole array.
        dtype: Type of its values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, count: int) -> NDArray[Any]:
        """Read the next entries of the first axis."""
        ...

    def whole(self) -> NDArray[Any]:
        """Read the whole array."""
        ...


class ArraySet(Protocol):
    """Arrays by name, of one file or of one group of an HDF5 file.

    Attributes:
        where: File, and group in it, for error messages.
        id: Name of the file or group, which is the id of the video if it holds only one.
    """

    where: str
    id: str

    def names(self) -> list[str]:
        """Return the names of the arrays, in their order."""
        ...

    def attributes(self) -> list[str]:
        """Return the names of small values beside the arrays."""
        ...

    def open(self, name: str) -> Rows:
        """Open an array or attribute at its first entry."""
        ...


class NpyRows:
    """An array in NumPy's format.

    Args:
        file: File at its beginning.
        where: File, and array in it, for error messages.
        has_others: Whether the file has other arrays.
    """

    def __init__(self, file: IO[bytes], where: str, *, has_others: bool = False) -> None:
        self._file, self._where = file, where
        with readable(where, "an array of NumPy"):
            version = npy.read_magic(file)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            self.shape, self._is_fortran, self.dtype = read_header(file)
        if self.dtype.hasobject or self.dtype.names:
            kind = "Python objects (pickle), which are never loaded" if self.dtype.hasobject else "records"
            remedy = "Save plain arrays" + (", or choose the features with --feature." if has_others else ".")
            raise DataError(f"{where}: expected an array of numbers or text, received {kind}. {remedy}")
        self._rest: NDArray[Any] | None = None

    def read(self, count: int) -> NDArray[Any]:
        """Read the next entries of the first axis."""
        if self._is_fortran and len(self.shape) > 1:
            if self._rest is None:
                self._rest = self.whole()
            part, self._rest = self._rest[:count], self._rest[count:]
            return part
        return self._take((count, *self.shape[1:]))

    def whole(self) -> NDArray[Any]:
        """Read the whole array."""
        if self._is_fortran:
            return self._take(self.shape[::-1]).transpose()
        return self._take(self.shape)

    def _take(self, shape: tuple[int, ...]) -> NDArray[Any]:
        size = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        with readable(self._where, "an array of NumPy"):
            data = self._file.read(size)
        if len(data) < size:
            raise DataError(
                f"{self._where}: expected {size} more bytes of an array {self.shape} of {self.dtype}, received "
                f"{len(data)}. The file is truncated."
            )
        return np.frombuffer(data, self.dtype).reshape(shape)


class NumpyFile:
    """A file of one array (`.npy`) or several (`.npz`).

    Args:
        path: Path or URI.
        stack: Stack that closes the file.
    """

    def __init__(self, path: str, stack: ExitStack) -> None:
        self.where, self.id = path, stem(path)
        self._local = storage.stage_in(path)
        self._stack = stack
        self._members: Mapping[str, str] | None = None
        if path.lower().endswith(".npz"):
            with readable(path, "arrays of NumPy"):
                self._archive = stack.enter_context(zipfile.ZipFile(self._local))
                files = [each for each in self._archive.namelist() if each.endswith(".npy")]
            self._members = {each.removesuffix(".npy"): each for each in files}

    def names(self) -> list[str]:
        """Return the names of the arrays."""
        return [UNNAMED] if self._members is None else list(self._members)

    def attributes(self) -> list[str]:
        """Return nothing: the files have no attributes."""
        return []

    def open(self, name: str) -> Rows:
        """Open an array."""
        if self._members is None:
            with readable(self.where, "an array of NumPy"):
                file: IO[bytes] = self._stack.enter_context(self._local.open("rb"))
            return NpyRows(file, self.where)
        where = f"{self.where}: {name}"
        with readable(where, "an array of NumPy"):
            file = self._stack.enter_context(self._archive.open(self._members[name]))
        return NpyRows(file, where, has_others=len(self._members) > 1)


def numpy_sets(path: str) -> Iterator[ArraySet]:
    """Open a file, and close it after use."""
    with ExitStack() as stack:
        yield NumpyFile(path, stack)


def read_ids(uri: str) -> Iterator[Any]:
    """Read ids from an array of NumPy, or from the lines of a text file."""
    path = storage.stage_in(uri)
    with readable(uri, "ids"), path.open("rb") as file:
        if uri.lower().endswith(".npy"):
            rows = NpyRows(file, uri)
            if len(rows.shape) != 1:
                raise DataError(f"{uri}: expected an array (videos), received the shape {rows.shape}.")
            for start in range(0, rows.shape[0], _MOST_IDS):
                yield from rows.read(min(_MOST_IDS, rows.shape[0] - start))
        else:
            for line in file:
                yield line.decode("utf-8-sig").rstrip("\r\n")
