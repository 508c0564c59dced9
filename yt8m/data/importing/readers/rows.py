"""Videos from blocks of rows: one row per video, or one row per frame."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m.data.importing.readers.checked import id_text
from yt8m.data.importing.video import RawVideo
from yt8m.errors import DataError


class Block(NamedTuple):
    """Consecutive rows of a file.

    Attributes:
        file: File, and group in it, for error messages.
        first_row: Number of the first row.
        ids: Id of every row.
        arrays: Values of every row by feature: an array, or a list of arrays of different sizes.
        labels: Labels of every row, or `None`.
        groups: Group of every row, or `None`.
        weights: Factor of the loss of every row, or `None`.
        frames: Number or time of the frame of every row, or `None`.
    """

    file: str
    first_row: int
    ids: Sequence[Any]
    arrays: Mapping[str, NDArray[Any] | Sequence[NDArray[Any] | None]]
    labels: Sequence[Any] | None = None
    groups: Sequence[Any] | None = None
    weights: Sequence[Any] | None = None
    frames: Sequence[Any] | None = None


def videos_of_rows(blocks: Iterable[Block]) -> Iterator[RawVideo]:
    """Make a video of every row."""
    for block in blocks:
        for index, identity in enumerate(block.ids):
            yield RawVideo(
                id=identity,
                arrays={name: values[index] for name, values in block.arrays.items()},
                file=block.file,
                row=block.first_row + index,
                labels=None if block.labels is None else block.labels[index],
                group=None if block.groups is None else block.groups[index],
                weight=None if block.weights is None else block.weights[index],
            )


def videos_of_frames(blocks: Iterable[Block]) -> Iterator[RawVideo]:
    """Make a video of consecutive rows of a file with the same id, each of which is a frame.

    Labels, group and weight of a video are those of its first row.

    Raises:
        DataError: Frames of a video differ in size, labels, group or weight, or their numbers do not increase.
    """
    runs = (run for block in blocks for run in _runs(block))
    for _, parts in groupby(runs, key=lambda run: (run.file, run.ids[0])):
        yield _join(list(parts))


def _runs(block: Block) -> Iterator[Block]:
    """Split a block where the id changes; the ids become text."""
    ids = [id_text(each, f"{block.file}: row {block.first_row + index}") for index, each in enumerate(block.ids)]
    start = 0
    for end in range(1, len(ids) + 1):
        if end == len(ids) or ids[end] != ids[start]:
            part = slice(start, end)
            yield Block(
                file=block.file,
                first_row=block.first_row + start,
                ids=ids[part],
                arrays={name: values[part] for name, values in block.arrays.items()},
                labels=None if block.labels is None else block.labels[part],
                groups=None if block.groups is None else block.groups[part],
                weights=None if block.weights is None else block.weights[part],
                frames=None if block.frames is None else block.frames[part],
            )
            start = end


def _join(runs: Sequence[Block]) -> RawVideo:
    """Join the runs of one video, which spans several blocks if it is at the end of one."""
    first = runs[0]
    _refuse_unsorted(runs)
    for name, what in (("labels", "labels"), ("groups", "group"), ("weights", "weight")):
        values = _column(runs, name)
        for index, value in enumerate(values):
            if not _equal(value, values[0]):
                raise DataError(
                    f"{first.file}: row {first.first_row + index}: {what}: expected the same in all rows of video "
                    f"'{first.ids[0]}', received {value!r} after {values[0]!r}."
                )
    return RawVideo(
        id=first.ids[0],
        arrays={name: _stack(name, runs) for name in first.arrays},
        file=first.file,
        row=first.first_row,
        frame_rows=True,
        labels=None if first.labels is None else first.labels[0],
        group=None if first.groups is None else first.groups[0],
        weight=None if first.weights is None else first.weights[0],
    )


def _stack(name: str, runs: Sequence[Block]) -> NDArray[Any]:
    parts = [run.arrays[name] for run in runs]
    matrices = [part for part in parts if isinstance(part, np.ndarray) and part.ndim == 2]
    if len(matrices) == len(parts) and len({matrix.shape[1] for matrix in matrices}) == 1:
        return np.concatenate(matrices)
    frames: list[NDArray[Any]] = []
    for index, frame in enumerate(each for part in parts for each in part):
        where = f"{runs[0].file}: row {runs[0].first_row + index}: {name}"
        if frame is None:
            raise DataError(f"{where}: no value.")
        if frame.ndim != 1:
            raise DataError(f"{where}: expected a vector for a frame, received the shape {frame.shape}.")
        frames.append(frame)
        if frame.size != frames[0].size:
            raise DataError(
                f"{where}: expected {frames[0].size} values, as in the first frame of the video, received {frame.size}."
            )
    return np.stack(frames)


def _refuse_unsorted(runs: Sequence[Block]) -> None:
    frames = _column(runs, "frames")
    for index in range(1, len(frames)):
        before, after = frames[index - 1], frames[index]
        if not _increases(before, after):
            raise DataError(
                f"{runs[0].file}: row {runs[0].first_row + index}: expected increasing frame numbers within video "
                f"'{runs[0].ids[0]}', received {after} after {before}. Sort the file by id and frame."
            )


def _increases(before: Any, after: Any) -> bool:
    try:
        return before is not None and after is not None and bool(before < after)
    except TypeError:  # neither numbers nor times
        return False


def _column(runs: Sequence[Block], name: str) -> list[Any]:
    return [value for run in runs for value in getattr(run, name) or ()]


def _equal(first: Any, second: Any) -> bool:
    return first is second or first == second or (first != first and second != second)  # noqa: PLR0124 - NaN
