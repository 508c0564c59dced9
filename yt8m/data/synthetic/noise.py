"""Noise from frame to frame, drawn once and used many times."""

import numpy as np
from numpy.typing import NDArray

# Rows (frames) and spare columns of a bank: windows start at any row and column and have either sign.
_ROWS = 2048
_SPARE_COLUMNS = 256

# Standard deviation of the banks beside the nominal one: some videos vary more than others.
LEVELS = (0.8, 1.0, 1.2)


class NoiseBank:
    """Bell-shaped whole numbers in large tables, of which every video takes windows.

    Drawing 300,000 new numbers for every video would take ten times as long as all the rest. Windows overlap, but
    two videos share one with a chance of about one in a million.

    Args:
        rng: Source of randomness.
        size: Size of the feature.
        noise_sd: Standard deviation in steps of a byte.
        most_frames: Longest window.
    """

    def __init__(self, rng: np.random.Generator, size: int, noise_sd: float, most_frames: int) -> None:
        shape = (_ROWS + most_frames, size + _SPARE_COLUMNS)
        self._size = size
        unit = rng.standard_normal(shape, dtype=np.float32)
        self._unit = unit
        self._tables = [np.rint(unit * (noise_sd * level)).astype(np.int16) for level in LEVELS]

    def window(self, rng: np.random.Generator, level: int, num_frames: int) -> NDArray[np.int16]:
        """A random `(num_frames, D)` part of a table; a view, not to be written to."""
        table: NDArray[np.int16] = self._tables[level]
        return table[self._place(rng, num_frames)]

    def unit_rows(self, rng: np.random.Generator, num_rows: int) -> NDArray[np.float32]:
        """Random rows with standard deviation 1, `(num_rows, D)`; a view, not to be written to."""
        return self._unit[self._place(rng, num_rows)]

    def _place(self, rng: np.random.Generator, num_rows: int) -> tuple[slice, slice]:
        row = int(rng.integers(_ROWS))
        column = int(rng.integers(_SPARE_COLUMNS))
        return slice(row, row + num_rows), slice(column, column + self._size)
