"""Frames with a prescribed mean, corrected for the clipping to bytes."""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_LARGEST = 255

# Number of Newton steps, which use the slope and may overshoot. Later steps are shorter and cannot overshoot.
_NEWTON_STEPS = 4


class ClippingCorrection:
    """Correction of the bias that clipping to 0..255 adds to the mean of normally distributed values.

    Calling it with wanted means, `(D,)`, returns the means to use before clipping.

    Args:
        sd: Standard deviation of the values.
    """

    def __init__(self, sd: float) -> None:
        quantiles = np.array([NormalDist().inv_cdf((i + 0.5) / 200) for i in range(200)])
        centers = np.arange(-2.5 * sd, _LARGEST + 2.5 * sd + 1, 1.0)
        clipped = np.clip(centers[:, None] + sd * quantiles, 0, _LARGEST).mean(axis=1)
        self._centers: NDArray[np.float32] = np.interp(np.arange(_LARGEST + 1), clipped, centers).astype(np.float32)

    def __call__(self, means: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the means before clipping that give these means after clipping."""
        return np.take(self._centers, means)


def clip_to_mean(pixels: NDArray[np.int16], target: NDArray[np.uint8], frames: NDArray[np.uint8]) -> None:
    """Clip values to bytes after shifting each feature so that its mean is within 0.5 of the target.

    Shifting a feature by 1 moves its mean by at most 1, always in the same direction. Therefore some integer shift
    comes within 0.5 of any mean from 0 to 255, and steps no longer than the remaining distance cannot overshoot.

    Args:
        pixels: Values before clipping, `(T, D)`; overwritten.
        target: Wanted mean of each feature, `(D,)`.
        frames: Output for the bytes, `(T, D)`.
    """
    T = len(pixels)
    wanted = T * target.astype(np.int32)
    clipped = np.clip(pixels, 0, _LARGEST)
    frames[:] = clipped
    rest = wanted - clipped.sum(axis=0, dtype=np.int32)
    columns = np.flatnonzero(2 * np.abs(rest) > T)
    step = 0
    while columns.size:
        part = pixels[:, columns]
        away = rest[columns] / T
        if step < _NEWTON_STEPS:
            away /= np.maximum(((part > 0) & (part < _LARGEST)).mean(axis=0), 0.05)
        part += (np.sign(away) * np.maximum(np.rint(np.abs(away)), 1)).astype(np.int16)
        pixels[:, columns] = part
        clipped = np.clip(part, 0, _LARGEST)
        frames[:, columns] = clipped
        rest[columns] = wanted[columns] - clipped.sum(axis=0, dtype=np.int32)
        columns = columns[2 * np.abs(rest[columns]) > T]
        step += 1
