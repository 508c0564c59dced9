"""Matrices whose columns fall into groups, each of which is quantized with bits and a codebook of its own."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import DataError
from yt8m.quantization.methods import Method, quantize_array
from yt8m.quantization.quantized_array import QuantizedArray, row_size

# Name of a stored array of a group: the number of the group, and the name that the array has in it.
_OF_GROUP = re.compile(r"#(0|[1-9][0-9]{0,17})(#.+)", re.DOTALL)


class Piece(NamedTuple):
    """Neighboring columns of a variable that have the same number of bits.

    Attributes:
        name: Name of the variable.
        start: Index of the first column.
        stop: Index after the last column.
    """

    name: str
    start: int
    stop: int

    def of(self, weight: NDArray[Any]) -> NDArray[Any]:
        """Return a view of these columns of the variable."""
        return weight[..., self.start : self.stop] if weight.ndim else weight


@dataclass(frozen=True, eq=False)
class QuantizedColumns:
    """A matrix as several quantized arrays side by side.

    Attributes:
        groups: The columns from left to right, as arrays of one shape but for the last axis.
    """

    groups: tuple[QuantizedArray, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the floats."""
        return (*self.groups[0].shape[:-1], sum(group.row_size for group in self.groups))

    @property
    def nbytes(self) -> int:
        """Total bytes of the stored arrays, those that tell shapes left out."""
        return sum(group.nbytes for group in self.groups)

    def dequantize(self) -> NDArray[np.float32]:
        """Dequantize the whole matrix to float32."""
        floats = np.empty(self.shape, np.float32)
        start = 0
        for group in self.groups:
            floats[..., start : start + group.row_size] = group.dequantize()
            start += group.row_size
        return floats

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to store by name suffix: those of the first group begin with `#0`, and so on."""
        return {
            f"#{index}{ending}": array
            for index, group in enumerate(self.groups)
            for ending, array in group.tensors().items()
        }

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Put a matrix together from what `tensors` returned.

        Raises:
            DataError: Parts are missing or unknown, or do not fit each other.
        """
        found: dict[int, dict[str, NDArray[Any]]] = {}
        for name, array in tensors.items():
            named = _OF_GROUP.fullmatch(name)
            if named is None:
                raise DataError(f"expected only parts of groups of columns, such as '#0#codes', received '{name}'")
            found.setdefault(int(named[1]), {})[named[2]] = array
        if sorted(found) != list(range(len(found))) or len(found) == 1:
            numbers = ", ".join(str(index) for index in sorted(found))
            raise DataError(f"expected groups of columns 0, 1 and so on, received {numbers}")
        groups = [QuantizedArray.of_tensors(found[index]) for index in range(len(found))]
        shapes = [group.shape for group in groups]
        if not all(shapes) or len({shape[:-1] for shape in shapes}) != 1:
            listed = ", ".join(str(shape) for shape in shapes)
            raise DataError(f"expected groups of columns with the same rows, received the shapes {listed}")
        return cls(tuple(groups))


Quantized = QuantizedArray | QuantizedColumns


def quantize_pieces(weight: NDArray[Any], bits: Mapping[Piece, int], method_in: Callable[[int], Method]) -> Quantized:
    """Quantize each piece of a variable in its number of bits.

    Args:
        weight: Finite floats of any shape with at least one element.
        bits: Number of bits of each piece; the pieces are all columns from left to right.
        method_in: Returns the method of a number of bits.

    Raises:
        DataError: The array holds NaN or infinity.
    """
    groups = tuple(quantize_array(piece.of(weight), each, method_in(each)) for piece, each in bits.items())
    return groups[0] if len(groups) == 1 else QuantizedColumns(groups)


def whole(name: str, shape: tuple[int, ...]) -> Piece:
    """Return the piece that has all columns of a variable."""
    return Piece(name, 0, row_size(shape))


def quantized_of_tensors(tensors: Mapping[str, NDArray[Any]]) -> Quantized:
    """Put a quantized array together from its stored arrays by name suffix.

    Raises:
        DataError: Parts are missing or unknown, or do not fit each other.
    """
    in_groups = any(_OF_GROUP.fullmatch(name) for name in tensors)
    return QuantizedColumns.of_tensors(tensors) if in_groups else QuantizedArray.of_tensors(tensors)
