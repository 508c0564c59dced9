"""A synthetic video and the interface of its source."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

# Feature name -> frames `(T, D)`.
Frames = dict[str, NDArray[np.uint8]]

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 4

# Number of different ids, and a factor coprime to it, which scatters consecutive numbers over the ids.
MAX_VIDEOS = len(_ALPHABET) ** _ID_LENGTH
_SCATTER = 6_700_417


@dataclass(frozen=True)
class Video:
    """A video whose frames are generated on demand.

    Attributes:
        id: Id of the video.
        labels: Labels of the video in ascending order.
        num_frames: Number of frames `T`.
        write: Function that fills arrays `(T, D)`, one per feature. Call it before drawing the next video.
    """

    id: bytes
    labels: tuple[int, ...]
    num_frames: int
    write: Callable[[Frames], None]


class VideoSource(Protocol):
    """Source of synthetic videos."""

    def draw(self, rng: np.random.Generator, first: int, count: int) -> Iterator[Video]:
        """Generate the videos with indices `first` to `first + count - 1`.

        Args:
            rng: Only random generator to use, so that shards do not depend on each other.
            first: Index of the first video in the data set.
            count: Number of videos.

        Returns:
            Iterator over the videos.
        """


def video_id(seed: int, number: int) -> bytes:
    """Return an id of four letters or digits, as in YouTube-8M of 2018; unique for numbers below `MAX_VIDEOS`."""
    scattered = (number * _SCATTER + seed * 7919) % MAX_VIDEOS
    letters = bytearray()
    for _ in range(_ID_LENGTH):
        scattered, digit = divmod(scattered, len(_ALPHABET))
        letters.append(_ALPHABET[digit])
    return bytes(letters)
