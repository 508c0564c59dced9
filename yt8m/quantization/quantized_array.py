"""Quantized arrays and their dequantization."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.quantization.chunks import map_chunks

# Number of values of a byte (paper, section 3.2).
NUM_CENTROIDS = 256


class QuantizedArray(ABC):
    """An array of floats stored in fewer bits."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the floats."""

    @abstractmethod
    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the stored arrays by name suffix: `""`, `"#codes"`, `"#centroids"`, ..."""

    @abstractmethod
    def dequantize_slice(self, start: int, stop: int) -> NDArray[np.float32]:
        """Dequantize elements `start` to `stop` of the flattened array.

        Args:
            start: Index of the first element, a multiple of `row_size`.
            stop: Index after the last element.

        Returns:
            `(stop - start,)` float32.
        """

    @property
    def row_size(self) -> int:
        """Alignment of slices: `start` of `dequantize_slice` must be a multiple of this number."""
        return 1

    @property
    def nbytes(self) -> int:
        """Total bytes of the stored arrays."""
        return sum(array.nbytes for array in self.tensors().values())

    def dequantize(self) -> NDArray[np.float32]:
        """Dequantize the whole array to float32 of the same shape."""
        floats = np.empty(self.shape, np.float32)
        flat = floats.reshape(-1)

        def fill(start: int, stop: int) -> None:
            flat[start:stop] = self.dequantize_slice(start, stop)

        map_chunks(fill, flat.size, self.row_size)
        return floats


@dataclass(frozen=True, eq=False)
class CentroidCodes(QuantizedArray):
    """One byte per element: the index of one of 256 centroids that the whole array shares.

    Attributes:
        codes: Index of each element's centroid, uint8 in the shape of the floats.
        centroids: Values of the centroids, float32 `(256,)`, ascending.
    """

    codes: NDArray[np.uint8]
    centroids: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the floats."""
        return self.codes.shape

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return `#codes` and `#centroids`."""
        return {"#codes": self.codes, "#centroids": self.centroids}

    def dequantize_slice(self, start: int, stop: int) -> NDArray[np.float32]:
        """Look up the centroids of the codes."""
        return self.centroids.take(self.codes.reshape(-1)[start:stop])


@dataclass(frozen=True, eq=False)
class ChannelCodes(QuantizedArray):
    """One byte per element: the number of steps from the minimum of the element's channel (last axis).

    Attributes:
        codes: Number of steps of each element, uint8 in the shape of the floats `(..., C)`.
        minimum: Minimum of each channel, float32 `(C,)`.
        step: Step size of each channel, float32 `(C,)`.
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
        """Return `#codes`, `#minimum` and `#step`."""
        return {"#codes": self.codes, "#minimum": self.minimum, "#step": self.step}

    def dequantize_slice(self, start: int, stop: int) -> NDArray[np.float32]:
        """Compute minimum plus code times step in float32."""
        floats = self.codes.reshape(-1)[start:stop].astype(np.float32).reshape(-1, self.row_size)
        floats *= self.step
        floats += self.minimum
        return floats.reshape(-1)


@dataclass(frozen=True, eq=False)
class HalfFloats(QuantizedArray):
    """Half-precision floats.

    Attributes:
        values: float16 in the shape of the floats.
    """

    values: NDArray[np.float16]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the floats."""
        return self.values.shape

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the values alone, with an empty suffix."""
        return {"": self.values}

    def dequantize_slice(self, start: int, stop: int) -> NDArray[np.float32]:
        """Convert the values to float32."""
        return self.values.reshape(-1)[start:stop].astype(np.float32)
