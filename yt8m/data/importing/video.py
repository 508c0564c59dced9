"""Videos as sources give them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class SourceVideo(NamedTuple):
    """A video with its features as floats.

    Attributes:
        id: Id of the video, not empty, which UTF-8 can encode.
        features: Finite values `(T, D)` by feature. All features have the same number of frames `T`, at least 1, and a
            vector per video has `T = 1`. `D` is the same for all videos of a source.
        where: Place of the video for error messages, for instance `a.parquet: row 17` or `clip7.npy`. Rows of tables
            are counted from 1, without the header, and rows of arrays from 0.
        labels: Labels that the source itself has, in the order given, possibly with duplicates: all names or all class
            numbers. Empty if the video has none, `None` if the source has no labels.
        group: Name of what the video is a part of. Empty if the source has no groups.
        weight: Factor of the video's loss, at least 0. None if it has none.
    """

    id: str
    features: Mapping[str, NDArray[np.float32]]
    where: str
    labels: tuple[str | int, ...] | None = None
    group: str = ""
    weight: float | None = None


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


class RawVideo(NamedTuple):
    """A video as its file holds it, before it is checked.

    Attributes:
        id: Id of any type.
        arrays: Values of any type and shape by feature. `None` where a cell of a table is empty.
        file: File, and group in it, for error messages.
        row: Row of the video, or of its first frame. `None` if the video is a whole file or group.
        frame_rows: Whether each frame has a row of its own.
        labels: Labels of any form, or `None`.
        group: Group of any type, or `None`.
        weight: Factor of the loss, of any type, or `None`.
    """

    id: Any
    arrays: Mapping[str, NDArray[Any] | None]
    file: str
    row: int | None = None
    frame_rows: bool = False
    labels: Any = None
    group: Any = None
    weight: Any = None

    @property
    def where(self) -> str:
        """Place of the video for error messages."""
        return self.file if self.row is None else f"{self.file}: row {self.row}"

    def where_frame(self, frame: int) -> str:
        """Return the place of a frame for error messages."""
        if self.frame_rows and self.row is not None:
            return f"{self.file}: row {self.row + frame}"
        return f"{self.where}: frame {frame} (counted from 0)"
