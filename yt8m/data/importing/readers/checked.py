"""Checks that every video of a source passes, whatever its format."""

import shlex
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.data.format import dequantize
from yt8m.data.importing.label_forms import LabelReader, decoded, is_missing
from yt8m.data.importing.video import RawVideo, SourceVideo
from yt8m.errors import DataError

# Number of videos after which ids are first searched for duplicates.
_FIRST_SEARCH = 1024


class CheckedSource:
    """Videos as floats, with equal sizes and distinct ids.

    Args:
        videos: Videos as their files hold them, which can be iterated several times.
        where: What was opened, for error messages.
        uint8: Meaning of bytes; see `SourceOptions`.
        labels: Reader of the videos' own labels.

    Raises:
        DataError: There is no video, or the first one cannot be used.
    """

    def __init__(self, videos: Iterable[RawVideo], where: str, uint8: str, labels: LabelReader) -> None:
        self._videos = videos
        self._where = where
        self._uint8 = uint8
        self._labels = labels
        self._is_distinct = False
        first = next(iter(videos), None)
        if first is None:
            raise DataError(f"{where}: no videos: the source is empty.")
        if not first.arrays:
            raise DataError(f"{first.where}: no features. Name their columns or arrays with --feature.")
        self._first = first.where
        self._sizes = {name: self._matrix(first, name).shape[1] for name in first.arrays}

    @property
    def features(self) -> Mapping[str, int]:
        """Size by name."""
        return self._sizes

    def __iter__(self) -> Iterator[SourceVideo]:
        hashes = None if self._is_distinct else array("q")
        next_search = _FIRST_SEARCH
        for raw in self._videos:
            video = self._check(raw)
            if hashes is not None:
                hashes.append(hash(video.id))
                if len(hashes) == next_search:
                    self._refuse_duplicates(hashes)
                    next_search *= 2
            yield video
        if hashes is not None:
            self._refuse_duplicates(hashes)
            self._is_distinct = True

    def _check(self, raw: RawVideo) -> SourceVideo:
        identity = id_text(raw.id, raw.where)
        for name in [*self._sizes, *raw.arrays]:
            if name not in raw.arrays or name not in self._sizes:
                has, lacks = (self._first, raw.where) if name in self._sizes else (raw.where, self._first)
                raise DataError(
                    f"{raw.where}: all videos must have the same features, but '{name}' is in {has} and not in "
                    f"{lacks}. Say which features to read with --feature."
                )
        features = {name: self._matrix(raw, name) for name in self._sizes}
        for name, matrix in features.items():
            if matrix.shape[1] != self._sizes[name]:
                raise DataError(
                    f"{raw.where}: {name}: expected {self._sizes[name]} values per frame, as in {self._first}, "
                    f"received {matrix.shape[1]}."
                )
        lengths = {name: len(matrix) for name, matrix in features.items()}
        if len(set(lengths.values())) > 1:
            shapes = {name: np.shape(values) for name, values in raw.arrays.items() if values is not None}
            received = ", ".join(f"{name} of the shape {shape}" for name, shape in shapes.items())
            likely = max(shapes, key=lambda name: len(shapes[name]))  # the first of most axes
            raise DataError(
                f"{raw.where}: expected equal numbers of frames of all features, received {received}. Choose what is a "
                f"feature, for instance --feature {shlex.quote(likely)}, or extract all features at the same times."
            )
        labels = self._labels.read(raw.labels, raw.where)
        group = "" if is_missing(raw.group) else _text(raw.group, f"{raw.where}: group")
        weight = weight_of(raw.weight, raw.where)
        return SourceVideo(identity, features, raw.where, labels, group, weight)

    def _matrix(self, raw: RawVideo, name: str) -> NDArray[np.float32]:
        values = raw.arrays[name]
        where = f"{raw.where}: {name}"
        if values is None:
            raise DataError(f"{where}: no value.")
        while values.ndim == 3 and len(values) == 1:
            values = values[0]
        if values.ndim not in (1, 2):
            raise DataError(
                f"{where}: expected an array (frames, values) or (values) for a video, received the shape "
                f"{values.shape}. If the first axis counts videos, say --layout row."
            )
        matrix = to_float32(np.atleast_2d(values), where, self._uint8)
        if len(matrix) and not matrix.size:
            raise DataError(
                f"{where}: the frames have no values: expected at least 1, received the shape {values.shape}."
            )
        if not matrix.size:
            raise DataError(
                f"{where}: the video has no frames: expected at least 1, received the shape {values.shape}."
            )
        if not np.isfinite(matrix).all():
            frame, column = np.argwhere(~np.isfinite(matrix))[0]
            place = raw.where_frame(int(frame)) if len(matrix) > 1 else raw.where
            received = "NaN or nothing" if np.isnan(matrix[frame, column]) else "an infinite one"
            remedy = "Remove the video or repeat its extraction."
            if np.isfinite(value := np.atleast_2d(values)[frame, column]):
                received, remedy = f"{value:g}, which is too large for 32-bit floats", "Scale the feature."
            raise DataError(
                f"{place}: {name}: value {column} (counted from 0): expected a finite number, received {received}. "
                f"{remedy}"
            )
        return matrix

    def _refuse_duplicates(self, hashes: "array[int]") -> None:
        """Raise an error with both places if an id occurs twice; only ids with equal hashes are compared."""
        ordered = np.sort(np.frombuffer(hashes, np.int64))
        suspects = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
        if not suspects:
            return
        places: dict[str, RawVideo] = {}
        for raw in self._videos:
            identity = id_text(raw.id, raw.where)
            if hash(identity) not in suspects:
                continue
            if identity in places:
                raise DataError(_duplicate(identity, places[identity], raw))
            places[identity] = RawVideo(identity, {}, raw.file, raw.row, raw.frame_rows)


def to_float32(values: NDArray[Any], where: str, uint8: str) -> NDArray[np.float32]:
    """Convert numbers of any type.

    Args:
        values: Numbers.
        where: Place of the values, for error messages.
        uint8: Meaning of bytes; see `SourceOptions`.

    Raises:
        DataError: The values are no real numbers, or bytes of unknown meaning.
    """
    if values.dtype == np.uint8 and uint8 != "values":
        if uint8 == "quantized":
            return dequantize(values)
        raise DataError(
            f"{where}: bytes (uint8) can be read in two ways. Say --uint8 quantized if they are quantized like "
            "YouTube-8M's (0 to 255 stand for -2 to 2), or --uint8 values if they are plain numbers from 0 to 255."
        )
    if values.dtype.kind not in "fiub" and values.dtype.name != "bfloat16":
        raise DataError(
            f"{where}: expected floats or integers, received values of type {values.dtype}. Convert them to float32."
        )
    with np.errstate(over="ignore"):  # too large for float32: infinite, which is refused
        return values.astype(np.float32)


def id_text(value: Any, where: str) -> str:
    """Return an id as text; 1, 1.0 and "1" are the same.

    Raises:
        DataError: The id is empty, or is no text and no whole number.
    """
    if is_missing(value):
        raise DataError(f"{where}: the id is empty. Every video needs one.")
    return _text(value, f"{where}: id")


def weight_of(value: Any, where: str) -> float | None:
    """Return the factor of a video's loss; None if it has none.

    Raises:
        DataError: It is no number, negative or infinite.
    """
    if is_missing(value):
        return None
    try:
        weight = float(value.item() if isinstance(value, np.ndarray) and value.size == 1 else value)
    except (TypeError, ValueError):
        weight = -1.0
    if not 0 <= weight <= np.finfo(np.float32).max:
        raise DataError(f"{where}: weight: expected a number that is at least 0, received {value!r}.")
    return weight


def _text(value: Any, where: str) -> str:
    value = value.item() if isinstance(value, np.generic | np.ndarray) and value.size == 1 else value
    if isinstance(value, bytes):
        value = decoded(value, where)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise DataError(f"{where}: expected text or a whole number, received {value!r}.")
    text = str(value)
    if "\0" in text:
        raise DataError(f"{where}: expected text without NUL characters, received {text!r}.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(f"{where}: expected text in UTF-8, received {text!r}. Rename it.") from None
    return text


def _duplicate(identity: str, first: RawVideo, second: RawVideo) -> str:
    if first.frame_rows and first.file == second.file:
        return (
            f"{second.where}: id '{identity}' comes back after other ids; its first frames begin in row {first.row}. "
            "Frames of a video must be in consecutive rows. Sort the file by id and frame."
        )
    hint = ""
    if first.file == second.file and first.row is not None:
        hint = " If a row is a frame and not a video, say --layout frame."
    return f"{second.where}: id '{identity}' occurs twice, first in {first.where}. Ids must be distinct.{hint}"
