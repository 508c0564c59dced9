"""A video about to be written, and where such videos come from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

# Feature name -> frames `(T, D)`.
Frames = dict[str, NDArray[np.uint8]]

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 4

# Number of different ids, and a factor without a common divisor, which scatters consecutive numbers over them.
MOST_VIDEOS = len(_ALPHABET) ** _ID_LENGTH
_SCATTER = 6_700_417


@dataclass(frozen=True)
class Video:
    """A video about to be written.

    Attributes:
        id: Its id.
        labels: Its classes, ascending.
        num_frames: Number of frames `T`.
        write: Fills arrays `(T, D)`, one per feature. To be called before the next video is drawn.
    """

    id: bytes
    labels: tuple[int, ...]
    num_frames: int
    write: Callable[[Frames], None]


class VideoSource(Protocol):
    """Where videos come from."""

    def draw(self, rng: np.random.Generator, first: int, count: int) -> Iterator[Video]:
        """Draw the videos number `first` to `first + count - 1`.

        Args:
            rng: The only source of randomness, so that shards do not depend on each other.
            first: Number of the first video in the data set.
            count: How many.

        Returns:
            The videos one by one.
        """


def video_id(seed: int, number: int) -> bytes:
    """Four letters or digits, as in the 2018 version; different for different numbers below `MOST_VIDEOS`."""
    scattered = (number * _SCATTER + seed * 7919) % MOST_VIDEOS
    letters = bytearray()
    for _ in range(_ID_LENGTH):
        scattered, digit = divmod(scattered, len(_ALPHABET))
        letters.append(_ALPHABET[digit])
    return bytes(letters)
