"""Quantized arrays: the code of each element, and the value that each code stands for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import DataError
from yt8m.quantization.bit_planes import PLANE_WIDTHS, codes_of_patterns, pack, patterns_of, plane_bytes
from yt8m.quantization.chunks import map_chunks

# Numbers of bits that a code can have.
BITS = tuple(PLANE_WIDTHS)
# Most axes of an array, as far as NumPy has always supported them.
MOST_AXES = 32
FindCodes = Callable[[NDArray[np.float32]], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class QuantizedArray:
    """An array of floats, each stored as the index of one of `2**bits` centroids that the whole array shares.

    Attributes:
        shape: Shape of the floats.
        planes: Packed indices, uint8 `(R, B)` of each plane; see `yt8m.quantization.bit_planes`. A row is one of the
            last axis.
        centroids: Values of the centroids, float32 `(2**bits,)`, ascending.
    """

    shape: tuple[int, ...]
    planes: tuple[NDArray[np.uint8], ...]
    centroids: NDArray[np.float32]

    @classmethod
    def encode(cls, values: NDArray[np.float32], centroids: NDArray[np.float32], find: FindCodes) -> Self:
        """Store each value as the index of a centroid.

        Args:
            values: Floats of any shape.
            centroids: float32 `(2**bits,)`, ascending.
            find: Returns the indices of the centroids of some values.
        """
        bits, columns = _bits_of(centroids.size), row_size(values.shape)
        planes = tuple(
            np.zeros((values.size // columns, plane_bytes(columns, width)), np.uint8) for width in PLANE_WIDTHS[bits]
        )
        flat = values.reshape(-1)

        def fill(start: int, stop: int) -> None:
            rows = slice(start // columns, stop // columns)
            pack(find(flat[start:stop]).reshape(-1, columns), bits, [plane[rows] for plane in planes])

        map_chunks(fill, flat.size, columns)
        return cls(values.shape, planes, centroids)

    @property
    def bits(self) -> int:
        """Number of bits of an element: 2, 3, 4, 6 or 8."""
        return _bits_of(self.centroids.size)

    @property
    def row_size(self) -> int:
        """Alignment of slices: `start` of `dequantize_slice` must be a multiple of this number."""
        return row_size(self.shape)

    @property
    def nbytes(self) -> int:
        """Total bytes of the stored arrays, those that tell the shape left out."""
        return sum(plane.nbytes for plane in self.planes) + self.centroids.nbytes

    def dequantize_slice(self, start: int, stop: int) -> NDArray[np.float32]:
        """Dequantize elements `start` to `stop` of the flattened array.

        Args:
            start: Index of the first element, a multiple of `row_size`.
            stop: Index after the last element, a multiple of `row_size`, too.

        Returns:
            `(stop - start,)` float32.
        """
        columns = self.row_size
        rows = slice(start // columns, stop // columns)
        table = self.centroids[codes_of_patterns(self.bits)]
        found = table.take(patterns_of([plane[rows] for plane in self.planes]), axis=0)
        return found.reshape(len(found), -1)[:, :columns].reshape(-1)

    def dequantize(self) -> NDArray[np.float32]:
        """Dequantize the whole array to float32 of the same shape."""
        floats = np.empty(self.shape, np.float32)
        flat = floats.reshape(-1)

        def fill(start: int, stop: int) -> None:
            flat[start:stop] = self.dequantize_slice(start, stop)

        map_chunks(fill, flat.size, self.row_size)
        return floats

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to store by name suffix.

        In 8 bits `#codes` in the shape of the floats and `#centroids`; in fewer `#plane4`, `#plane2` and `#plane1`, as
        far as they exist, `#centroids` and `#shape`.
        """
        if self.bits == 8:
            return {"#codes": self.planes[0].reshape(self.shape), "#centroids": self.centroids}
        widths = PLANE_WIDTHS[self.bits]
        planes = {f"#plane{width}": plane for width, plane in zip(widths, self.planes, strict=True)}
        return {**planes, "#centroids": self.centroids, "#shape": np.array(self.shape, np.int64)}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Put an array together from what `tensors` returned.

        Raises:
            DataError: Parts are missing or unknown, or do not fit each other.
        """
        bits = _STORED.get(frozenset(tensors))
        if bits is None:
            raise DataError(
                "expected a plain array, '#codes' with '#centroids', or planes of 4, 2 or 1 bits with '#centroids' and "
                f"'#shape'; received {', '.join(repr(name) for name in sorted(tensors))}"
            )
        if bits == 8:
            codes = tensors["#codes"]
            shape = _shape_of(np.array(codes.shape, np.int64))
            planes = [codes.reshape(-1, row_size(shape))]
        else:
            shape = _shape_of(tensors["#shape"])
            planes = [tensors[f"#plane{width}"] for width in PLANE_WIDTHS[bits]]
        rows, columns = prod(shape[:-1]), row_size(shape)
        for width, plane in zip(PLANE_WIDTHS[bits], planes, strict=True):
            _check("codes", plane, np.uint8, (rows, plane_bytes(columns, width)))
        _check("centroids", tensors["#centroids"], np.float32, (2**bits,))
        if not np.isfinite(tensors["#centroids"]).all():
            raise DataError("expected finite centroids, received NaN or infinity")
        return cls(shape, tuple(planes), tensors["#centroids"])


# Number of bits by the names of the stored arrays.
_STORED = {frozenset({"#codes", "#centroids"}): 8} | {
    frozenset({"#shape", "#centroids", *(f"#plane{width}" for width in widths)}): bits
    for bits, widths in PLANE_WIDTHS.items()
    if bits < 8
}


def row_size(shape: tuple[int, ...]) -> int:
    """Return the number of elements of a row, the last axis of a shape."""
    return shape[-1] if shape else 1


def _bits_of(centroids: int) -> int:
    return centroids.bit_length() - 1


def _shape_of(stored: NDArray[Any]) -> tuple[int, ...]:
    if stored.dtype != np.int64 or stored.ndim != 1 or len(stored) > MOST_AXES or not (stored > 0).all():
        received = stored.tolist() if stored.size <= MOST_AXES else f"{stored.size:,} numbers"
        raise DataError(f"expected a shape of at most {MOST_AXES} positive numbers, received {received}")
    return tuple(stored.tolist())


def _check(what: str, array: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        expected = f"{np.dtype(dtype)} {shape}"
        raise DataError(f"{what}: expected {expected}, received {array.dtype} {array.shape}")
