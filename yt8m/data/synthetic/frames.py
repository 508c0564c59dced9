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
        rng: VideoSource of randomness.
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


def scene_of_frames(rng: np.random.Generator, num_frames: int, mean_length: float) -> NDArray[np.int64]:
    """Cut a video into scenes whose lengths are geometric, that is without memory.

    Args:
        rng: VideoSource of randomness.
        num_frames: Frames of the video, `T`.
        mean_length: Mean length of a scene in frames, at least 1.

    Returns:
        Number of the scene of every frame, `(T,)`, from 0, rising.
    """
    cuts = rng.random(num_frames) < 1.0 / mean_length
    cuts[0] = False
    return np.cumsum(cuts)


def deal(rng: np.random.Generator, num_scenes: int, num_contents: int) -> NDArray[np.int64]:
    """Deal contents to scenes so that all get about equally many, in random order.

    Args:
        rng: VideoSource of randomness.
        num_scenes: Number of scenes `S`.
        num_contents: Number of contents; when there are more than scenes, some are not dealt.

    Returns:
        Number of the content of every scene, `(S,)`.
    """
    rounds = -(-num_scenes // num_contents)
    dealt = np.concatenate([rng.permutation(num_contents) for _ in range(rounds)])[:num_scenes]
    return rng.permutation(dealt)
