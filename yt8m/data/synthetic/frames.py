"""Division of videos into scenes, and the noise of frames."""

import numpy as np
from numpy.typing import NDArray

# Number of rows (frames) and of columns at which a window of a noise bank can start.
_ROWS = 2048
_SPARE_COLUMNS = 256

# Noise levels relative to the nominal standard deviation: some videos vary more than others.
LEVELS = (0.8, 1.0, 1.2)


class NoiseBank:
    """Precomputed tables of normally distributed integers, from which every video takes random windows.

    Drawing 300,000 new numbers for every video would take ten times as long as everything else. Windows overlap, but
    the probability that two videos use the same window is about one in a million.

    Args:
        rng: Random generator.
        size: Size `D` of the feature.
        noise_sd: Nominal standard deviation in byte steps.
        max_frames: Maximum number of frames of a window.
    """

    def __init__(self, rng: np.random.Generator, size: int, noise_sd: float, max_frames: int) -> None:
        shape = (_ROWS + max_frames, size + _SPARE_COLUMNS)
        self._size = size
        unit = rng.standard_normal(shape, dtype=np.float32)
        self._unit = unit
        self._tables = [np.rint(unit * (noise_sd * level)).astype(np.int16) for level in LEVELS]

    def window(self, rng: np.random.Generator, level: int, num_frames: int) -> NDArray[np.int16]:
        """Return a random window `(num_frames, D)` of noise at index `level` of `LEVELS`; a read-only view."""
        table: NDArray[np.int16] = self._tables[level]
        return table[self._place(rng, num_frames)]

    def unit_rows(self, rng: np.random.Generator, num_rows: int) -> NDArray[np.float32]:
        """Return a random window `(num_rows, D)` with standard deviation 1; a read-only view."""
        return self._unit[self._place(rng, num_rows)]

    def _place(self, rng: np.random.Generator, num_rows: int) -> tuple[slice, slice]:
        # Scenes of several rare classes can be more rows than the longest video has frames.
        row = int(rng.integers(min(_ROWS, len(self._unit) - num_rows + 1)))
        column = int(rng.integers(_SPARE_COLUMNS))
        return slice(row, row + num_rows), slice(column, column + self._size)


def scene_of_frames(rng: np.random.Generator, num_frames: int, mean_length: float) -> NDArray[np.int64]:
    """Divide a video into scenes with geometrically distributed lengths.

    Args:
        rng: Random generator.
        num_frames: Number of frames `T`.
        mean_length: Mean length of a scene in frames, at least 1.

    Returns:
        Index of the scene of every frame, `(T,)`, ascending from 0.
    """
    cuts = rng.random(num_frames) < 1.0 / mean_length
    cuts[0] = False
    return np.cumsum(cuts)


def assign_contents(rng: np.random.Generator, num_scenes: int, num_contents: int) -> NDArray[np.int64]:
    """Assign contents to scenes at random, each content to about equally many scenes.

    Args:
        rng: Random generator.
        num_scenes: Number of scenes `S`.
        num_contents: Number of contents. If there are more contents than scenes, some are not used.

    Returns:
        Index of the content of every scene, `(S,)`.
    """
    rounds = -(-num_scenes // num_contents)
    contents = np.concatenate([rng.permutation(num_contents) for _ in range(rounds)])[:num_scenes]
    return rng.permutation(contents)
