"""Arrays in few bits, and the way back to floats."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.quantization.chunks import map_chunks

# What a byte can tell apart (paper, section 3.2).
NUM_CENTROIDS = 256


class QuantizedArray(ABC):
    """An array of floats held in fewer bits."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the floats."""

    @abstractmethod
    def tensors(self) -> dict[str, NDArray[Any]]:
        """The stored arrays by the ending of their name: `""`, `"#codes"`, `"#centroids"`, ..."""

    @abstractmethod
    def expand(self, start: int, stop: int) -> NDArray[np.float32]:
        """The floats at places `start` to `stop` of the flattened array.

        Args:
            start: First place, a multiple of `row_size`.
            stop: Place after the last one.

        Returns:
            `(stop - start,)` float32.
        """

    @property
    def row_size(self) -> int:
        """Pieces given to `expand` begin at multiples of this."""
        return 1

    @property
    def nbytes(self) -> int:
        """Bytes of all stored arrays."""
        return sum(array.nbytes for array in self.tensors().values())

    def dequantize(self) -> NDArray[np.float32]:
        """The floats this array stands for, `shape` float32."""
        floats = np.empty(self.shape, np.float32)
        flat = floats.reshape(-1)

        def fill(start: int, stop: int) -> None:
            flat[start:stop] = self.expand(start, stop)

        map_chunks(fill, flat.size, self.row_size)
        return floats


@dataclass(frozen=True, eq=False)
class CentroidCodes(QuantizedArray):
    """A byte per element that names one of 256 centroids shared by the whole array.

    Attributes:
        codes: uint8, in the shape of the floats.
        centroids: float32 `(256,)`, ascending.
    """

    codes: NDArray[np.uint8]
    centroids: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the floats."""
        return self.codes.shape

    def tensors(self) -> dict[str, NDArray[Any]]:
        """`#codes` and `#centroids`."""
        return {"#codes": self.codes, "#centroids": self.centroids}

    def expand(self, start: int, stop: int) -> NDArray[np.float32]:
        """The centroids that the codes name."""
        return self.centroids.take(self.codes.reshape(-1)[start:stop])


@dataclass(frozen=True, eq=False)
class ChannelCodes(QuantizedArray):
    """A byte per element that counts steps from the minimum of the element's channel (last axis).

    Attributes:
        codes: uint8, in the shape of the floats `(..., C)`.
        minimum: float32 `(C,)`.
        step: float32 `(C,)`.
    """

    codes: NDArray[np.uint8]
    minimum: NDArray[np.float32]
    step: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the floats."""
        return self.codes.shape

    @property
    def row_size(self) -> int:
        """Number of channels `C`."""
        return self.minimum.size

    def tensors(self) -> dict[str, NDArray[Any]]:
        """`#codes`, `#minimum` and `#step`."""
        return {"#codes": self.codes, "#minimum": self.minimum, "#step": self.step}

    def expand(self, start: int, stop: int) -> NDArray[np.float32]:
        """Minimum plus code times step, in float32."""
        floats = self.codes.reshape(-1)[start:stop].astype(np.float32).reshape(-1, self.row_size)
        floats *= self.step
        floats += self.minimum
        return floats.reshape(-1)


@dataclass(frozen=True, eq=False)
class HalfFloats(QuantizedArray):
    """Floats of 16 bits.

    Attributes:
        values: float16, in the shape of the floats.
    """

    values: NDArray[np.float16]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the floats."""
        return self.values.shape

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The values alone, under the variable's own name."""
        return {"": self.values}

    def expand(self, start: int, stop: int) -> NDArray[np.float32]:
        """The values in 32 bits."""
        return self.values.reshape(-1)[start:stop].astype(np.float32)
