"""Videos as sources give them."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class SourceVideo(NamedTuple):
    """A video with its features as floats.

    Attributes:
        id: Id of the video, not empty.
        features: Finite values `(T, D)` by feature. All features have the same number of frames `T`, at least 1, and a
            vector per video has `T = 1`. `D` is the same for all videos of a source.
        where: Place of the video for error messages, for instance `a.parquet: row 17` or `clip7.npy`.
        labels: Labels that the source itself has, in the order given, possibly with duplicates: all names or all class
            numbers. Empty if the video has none, `None` if the source has no labels.
        group: Name of what the video is a part of. Empty if the source has no groups.
    """

    id: str
    features: Mapping[str, NDArray[np.float32]]
    where: str
    labels: tuple[str | int, ...] | None = None
    group: str = ""


class VideoSource(Protocol):
    """Videos that can be iterated several times, always in the same order.

    A source needs few bytes of memory per video. The first complete iteration finds duplicate ids: they are
    refused at its end at the latest.
    """

    @property
    def features(self) -> Mapping[str, int]:
        """Size `D` by name, in the order of the features."""
        ...

    def __iter__(self) -> Iterator[SourceVideo]:
        """Read the videos.

        Raises:
            DataError: A video cannot be used. The message names file and row.
        """
        ...
