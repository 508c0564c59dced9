"""Scores of all classes for many videos, class by class.

A temporary file holds them, so that memory does not grow with the number of videos and classes: 200,000 videos and
3,862 classes are a file of 3.1 GB.
"""

import os
import tempfile
import weakref
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from yt8m.errors import StorageError

# Bytes of scores that are in memory while they are collected, and again while they are read.
_MEMORY_BYTES = 64 << 20

_SCORE_BYTES = 4


class ClassScores:
    """Scores of all classes for some videos, with the labels.

    Args:
        num_classes: Number of classes `C`.
        memory_bytes: Bytes of scores in memory.
    """

    def __init__(self, num_classes: int, memory_bytes: int = _MEMORY_BYTES) -> None:
        self._num_classes, self._memory_bytes = num_classes, memory_bytes
        self._file = tempfile.TemporaryFile(prefix="yt8m-", buffering=0)  # noqa: SIM115 - it lives as long as this object
        weakref.finalize(self, self._file.close)
        # Number of videos of each block in the file, in which classes are rows.
        self._blocks: list[int] = []
        self._waiting: list[npt.NDArray[np.float32]] = []
        self._classes: list[npt.NDArray[np.uint16]] = []
        self._rows: list[npt.NDArray[np.int64]] = []
        self.videos = 0

    def update(self, scores: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Add videos.

        Args:
            scores: Scores `(B, C)`.
            labels: Multi-hot labels `(B, C)`. Any value but 0 is a label.

        Raises:
            StorageError: The temporary file cannot be written.
        """
        batch = np.array(scores, np.float32)
        if not len(batch):
            return
        rows, classes = np.nonzero(np.asarray(labels))
        self._rows.append(rows + self.videos)
        self._classes.append(classes.astype(np.uint16))
        self._waiting.append(batch)
        self.videos += len(batch)
        if sum(each.nbytes for each in self._waiting) >= self._memory_bytes:
            self._write()

    def by_class(self) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]:
        """Yield the scores of all videos `(N,)` and the indices of those with the label, for each class in turn.

        Raises:
            StorageError: The temporary file cannot be written.
        """
        self._write()
        classes = np.concatenate([np.zeros(0, np.uint16), *self._classes])
        rows = np.concatenate([np.zeros(0, np.int64), *self._rows])[np.argsort(classes, kind="stable")]
        ends = np.cumsum(np.bincount(classes, minlength=self._num_classes))
        labeled = np.split(rows, ends[:-1])
        at_once = max(1, self._memory_bytes // max(self.videos * _SCORE_BYTES, 1))
        for first in range(0, self._num_classes, at_once):
            group = self._read(first, min(at_once, self._num_classes - first))
            yield from zip(group, labeled[first : first + at_once], strict=False)

    def _write(self) -> None:
        """Append the videos that wait to the file, as one block."""
        if not self._waiting:
            return
        block = np.concatenate(self._waiting)
        self._waiting = []
        self._blocks.append(len(block))
        try:
            content = np.ascontiguousarray(block.T).data.cast("B")
            while content:
                content = content[self._file.write(content) :]
        except OSError as error:
            raise StorageError(
                f"{tempfile.gettempdir()}: the scores of {self.videos:,} videos and {self._num_classes:,} classes "
                f"cannot be stored: {error.strerror}. Set TMPDIR to a folder with more space."
            ) from None

    def _read(self, first: int, count: int) -> npt.NDArray[np.float32]:
        """Read the scores of some classes, float32 (count, N)."""
        parts = [np.zeros((count, 0), np.float32)]
        start = 0
        for videos in self._blocks:
            place, size = (start + first * videos) * _SCORE_BYTES, count * videos * _SCORE_BYTES
            content = os.pread(self._file.fileno(), size, place)
            parts.append(np.frombuffer(content, np.float32).reshape(count, videos))
            start += self._num_classes * videos
        return np.concatenate(parts, axis=1)
