"""Videos in arrays: one per file or group, or stacked along the first axis."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m.data.importing.options import SourceOptions, given_column
from yt8m.data.importing.readers.array_files import ArraySet, Rows, numpy_sets, read_ids
from yt8m.data.importing.readers.hdf5_files import hdf5_sets
from yt8m.data.importing.readers.paths import PathList, stem
from yt8m.data.importing.readers.rows import Block, videos_of_frames, videos_of_rows
from yt8m.data.importing.readers.table_files import find_column
from yt8m.data.importing.video import RawVideo
from yt8m.errors import DataError

_IDS = ("ids", "id", "video_ids", "video_id")
_LABELS = ("labels", "label")
_GROUPS = ("groups", "group")
_LENGTHS = ("lengths", "num_frames", "n_frames", "length")
_OFFSETS = ("offsets",)
_BLOCK_BYTES = 8 << 20
_MOST_ROWS = 1024


class Roles(NamedTuple):
    """What the arrays of a set mean, by name; empty if there is none.

    Attributes:
        ids: Ids of the videos.
        labels: Labels of the videos.
        groups: Groups of the videos.
        weights: Factors of the videos' losses.
        lengths: Numbers of frames.
        offsets: First frame of every video, and the end of the last one.
        features: Features in their order.
    """

    ids: str
    labels: str
    groups: str
    weights: str
    lengths: str
    offsets: str
    features: tuple[str, ...]


class ArrayVideos:
    """Videos in NumPy's or HDF5 files.

    Args:
        files: Files.
        format_name: `npy`, `npz` or `hdf5`.
        options: Options of the source.
        feature: Name of the only feature, or empty. If all files end with it, as in `clip7_rgb.npy`, it is no part of
            the ids.
    """

    def __init__(self, files: PathList, format_name: str, options: SourceOptions, feature: str) -> None:
        self._files = files
        endings = [f"{separator}{feature}" for separator in "_-." if feature]
        self._ending = next((each for each in endings if all(stem(path).endswith(each) for path in files)), "")
        self._open: Callable[[str], Iterator[ArraySet]] = hdf5_sets if format_name == "hdf5" else numpy_sets
        self._options = options
        self._is_single = sum(1 for _ in islice(self._sets(), 2)) == 1
        self._layout: str = options.layout
        if self._layout == "auto":
            sets = self._sets()  # the first file stays open as long as this iterator lives
            first = next(sets)
            self._layout = _guess(first, self._roles(first), bool(options.ids), self._is_single)

    def __iter__(self) -> Iterator[RawVideo]:
        if self._layout == "file":
            return map(self._video, self._sets())
        if self._layout == "frame":
            return videos_of_frames(self._blocks())
        return videos_of_rows(self._blocks())

    def _sets(self) -> Iterator[ArraySet]:
        for path in self._files:
            yield from self._open(path)

    def _roles(self, arrays: ArraySet) -> Roles:
        names, options = arrays.names(), self._options
        every = [*names, *arrays.attributes()]

        def given(option: str, name: str) -> str:
            return given_column(name, option, every, arrays.where, "array")

        ids = given("--id-column", options.id_column) or find_column(every, _IDS)
        labels = given("--labels-column", options.labels_column) or find_column(every, _LABELS)
        groups = given("--group-column", options.group_column) or find_column(every, _GROUPS)
        weights = given("--weight-column", options.weight_column)
        lengths, offsets = find_column(every, _LENGTHS), find_column(every, _OFFSETS)
        if options.features:
            chosen = [given_column(each, "--feature", names, arrays.where, "array") for each in options.features]
            if single := next((each for each in chosen if not arrays.open(each).shape), ""):
                raise DataError(
                    f"{arrays.where}: --feature: expected an array with one to three axes, received the single value "
                    f"'{single}'. Choose other features."
                )
        else:
            rest = [each for each in names if each not in (ids, labels, groups, weights, lengths, offsets)]
            opened = ((each, arrays.open(each)) for each in rest)  # one after the other
            chosen = [each for each, rows in opened if 1 <= len(rows.shape) <= 3 and rows.dtype.kind in "fiub"]
        if not chosen:
            found = [(each, arrays.open(each)) for each in names]
            received = ", ".join(f"{each} ({rows.dtype}, shape {rows.shape})" for each, rows in found) or "no array"
            raise DataError(
                f"{arrays.where}: expected features as arrays of numbers with one to three axes, (videos, frames, "
                f"values), received {received}. Name the features with --feature."
            )
        return Roles(ids, labels, groups, weights, lengths, offsets, tuple(chosen))

    def _video(self, arrays: ArraySet) -> RawVideo:
        """Read a set as one video."""
        roles = self._roles(arrays)
        features = {name: arrays.open(name).whole() for name in roles.features}
        if roles.lengths:
            length = arrays.open(roles.lengths).whole()
            if length.size == 1:
                count = _number_of_frames(length.item(), f"{arrays.where}: {roles.lengths}")
                features = {name: _first_frames(values, count) for name, values in features.items()}
        return RawVideo(
            id=arrays.open(roles.ids).whole() if roles.ids else arrays.id.removesuffix(self._ending),
            arrays=features,
            file=arrays.where,
            labels=arrays.open(roles.labels).whole() if roles.labels else None,
            group=arrays.open(roles.groups).whole() if roles.groups else None,
            weight=arrays.open(roles.weights).whole() if roles.weights else None,
        )

    def _blocks(self) -> Iterator[Block]:
        given = read_ids(self._options.ids) if self._options.ids else None
        for arrays in self._sets():
            yield from self._blocks_of(arrays, given)
        if given is not None and (extra := next(given, None)) is not None:
            raise DataError(
                f"{self._options.ids}: expected an id for every video, received more: '{extra}' is left over."
            )

    def _blocks_of(self, arrays: ArraySet, given: Iterator[Any] | None) -> Iterator[Block]:
        """Read a set in which every entry of the first axis is a video or frame."""
        roles = self._roles(arrays)
        if not self._options.features:
            vectors = [name for name in roles.features if len(arrays.open(name).shape) > 1]
            roles = roles._replace(features=tuple(vectors or roles.features))
        opened = {name: arrays.open(name) for name in {*roles[:6], *roles.features} if name}
        stacked = _Stacked(arrays.where, roles, opened)
        for start in range(0, stacked.count, stacked.step):
            count = min(stacked.step, stacked.count - start)
            features = stacked.features(count)
            if given is not None:
                ids: Sequence[Any] = list(islice(given, count))
                if len(ids) < count:
                    raise DataError(
                        f"{arrays.where}: row {start + len(ids)}: no id is left in {self._options.ids}. It must have "
                        "an id for every video."
                    )
            elif roles.ids:
                ids = opened[roles.ids].read(count).tolist()
            else:
                prefix = "" if self._is_single else f"{arrays.id.removesuffix(self._ending)}:"
                ids = [f"{prefix}{row}" for row in range(start, start + count)]
            yield Block(
                file=arrays.where,
                first_row=start,
                ids=ids,
                arrays=features,
                labels=opened[roles.labels].read(count).tolist() if roles.labels else None,
                groups=opened[roles.groups].read(count).tolist() if roles.groups else None,
                weights=opened[roles.weights].read(count).tolist() if roles.weights else None,
            )


class _Stacked:
    """Features of many videos along the first axis: vectors, padded frames, or frames below each other."""

    def __init__(self, where: str, roles: Roles, opened: Mapping[str, Rows]) -> None:
        self._where = where
        self._rows = {name: opened[name] for name in roles.features}
        for name, rows in self._rows.items():
            if len(rows.shape) not in (2, 3):
                raise DataError(
                    f"{where}: {name}: expected an array (videos, values) or (videos, frames, values), received the "
                    f"shape {rows.shape}. If the whole array is one video, say --layout file."
                )
        self._lengths = _lengths(where, roles, opened)
        has_vectors = all(len(rows.shape) == 2 for rows in self._rows.values())
        self._is_ragged = self._lengths is not None and (bool(roles.offsets) or has_vectors)
        self.count = next(iter(self._rows.values())).shape[0] if self._lengths is None else len(self._lengths)
        per_video = {name: opened[name].shape for name in roles[:4] if name}
        self._refuse_other_sizes(per_video, self.count, "one for each video")
        shapes = {name: rows.shape for name, rows in self._rows.items()}
        if self._lengths is not None and self._is_ragged:
            self._refuse_other_sizes(shapes, int(self._lengths.sum()), "the frames of all videos together")
        else:
            self._refuse_other_sizes(shapes, self.count, "one for each video")
        total = sum(int(np.prod(rows.shape)) * rows.dtype.itemsize for rows in self._rows.values())
        self.step = max(1, min(_MOST_ROWS, _BLOCK_BYTES * self.count // max(total, 1)))
        self._next = 0

    def features(self, count: int) -> dict[str, NDArray[Any] | Sequence[NDArray[Any]]]:
        """Read the features of the next videos."""
        first, self._next = self._next, self._next + count
        if self._lengths is None:
            return {name: rows.read(count) for name, rows in self._rows.items()}
        lengths = self._lengths[first : self._next].tolist()
        if self._is_ragged:
            return {name: [rows.read(each) for each in lengths] for name, rows in self._rows.items()}
        return {name: self._without_padding(rows, lengths, first) for name, rows in self._rows.items()}

    def _without_padding(self, rows: Rows, lengths: Sequence[int], first: int) -> NDArray[Any] | list[NDArray[Any]]:
        block = rows.read(len(lengths))
        if block.ndim == 2:
            return block
        for index, length in enumerate(lengths):
            if length > block.shape[1]:
                raise DataError(
                    f"{self._where}: row {first + index}: expected at most {block.shape[1]} frames, received "
                    f"the length {length}."
                )
        return [values[:length] for values, length in zip(block, lengths, strict=True)]

    def _refuse_other_sizes(self, shapes: Mapping[str, tuple[int, ...]], size: int, what: str) -> None:
        for name, shape in shapes.items():
            if shape[:1] != (size,):
                raise DataError(
                    f"{self._where}: {name}: expected {size} entries, {what}, received an array of the shape {shape}."
                )


def _lengths(where: str, roles: Roles, opened: Mapping[str, Rows]) -> NDArray[np.int64] | None:
    """Return the number of frames of every video, if the set has it."""
    name = roles.offsets or roles.lengths
    if not name:
        return None
    values = opened[name].whole()
    received = f"{values.dtype} of the shape {values.shape}"
    if values.ndim == 1 and values.dtype.kind in "iu":
        numbers = values.astype(np.int64)
        lengths = np.diff(numbers) if roles.offsets else numbers
        if not (lengths < 0).any():
            return lengths
        row = int(np.argmax(lengths < 0))
        received = f"the length {lengths[row]} in row {row}"
    what = "increasing offsets" if roles.offsets else "a length for every video"
    raise DataError(f"{where}: {name}: expected {what}, received {received}.")


def _number_of_frames(value: Any, where: str) -> int:
    """Return the number of frames that a file or group gives for its video."""
    if not isinstance(value, int | float) or value < 0 or not float(value).is_integer():
        raise DataError(f"{where}: expected the number of frames of the video, received {value!r}.")
    return int(value)


def _first_frames(values: NDArray[Any], count: int) -> NDArray[Any]:
    """Remove the padding behind the frames of a video; a vector of the whole video has none."""
    frames = values[0] if values.ndim == 3 and len(values) == 1 else values
    return frames[:count] if frames.ndim > 1 else frames


def _guess(arrays: ArraySet, roles: Roles, has_ids: bool, is_single: bool) -> str:
    """Return the layout that the first set has.

    Raises:
        DataError: There are two readings.
    """
    shapes = {name: arrays.open(name).shape for name in roles.features}
    first, sizes = next(iter(shapes.items())), {shape[0] for shape in shapes.values()}
    counts = {size for name in roles[:5] if name for size in arrays.open(name).shape[:1]}
    ids = arrays.open(roles.ids).shape if roles.ids else ()
    if has_ids or roles.offsets or (ids and (ids[0] > 1 or ids[0] in sizes)):
        return "row"
    if roles.lengths and arrays.open(roles.lengths).shape not in ((), (1,)):
        return "row"
    if any(len(shape) == 3 for shape in shapes.values()):
        return "file" if not is_single and sizes == {1} else "row"
    if not is_single or all(len(shape) == 1 for shape in shapes.values()):
        return "file"
    if len(sizes) == 1 and counts & sizes:
        return "row"
    name, shape = first
    if len(sizes) > 1:
        received = ", ".join(f"{name} {shape}" for name, shape in [*shapes.items()][:3])
        raise DataError(
            f"{arrays.where}: expected an array for every feature, all with as many videos or frames, received "
            f"{received}. If every array is a video, save a file or a group of HDF5 for each video, or choose the "
            "features with --feature."
        )
    raise DataError(
        f"{arrays.where}: {name}: an array of the shape {shape} can be read in two ways. Say --layout row if it has "
        f"{shape[0]} videos with a vector of {shape[-1]} values each, or --layout file if it is one video of "
        f"{shape[0]} frames."
    )
