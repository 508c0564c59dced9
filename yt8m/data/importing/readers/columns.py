"""What the columns of a table mean."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m.data.importing.options import SourceOptions, given_column
from yt8m.data.importing.readers.array_files import UNNAMED
from yt8m.data.importing.readers.csv_header import some
from yt8m.data.importing.readers.paths import format_of
from yt8m.data.importing.readers.table_files import find_column
from yt8m.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Usual names of the column of ids, the most usual first.
ID_COLUMNS = ("id", "ids", "video_id", "video")
# The first column that Pandas writes for an index without a name.
_INDEX_COLUMNS = ("(column 1)", "__index_level_0__")
_FRAMES = ("frame", "frame_index", "frame_number", "frame_idx", "frame_id")
_LABELS = ("labels", "label")
_GROUPS = ("group",)
_NUMBERED = re.compile(r"(.*?)[_.\- ]?(\d+)", re.DOTALL)


class Columns(NamedTuple):
    """Columns by their meaning; empty if there is none.

    Attributes:
        id: Ids.
        frame: Numbers or times of frames.
        labels: Labels.
        group: Groups.
        weight: Factors of the loss.
        features: Columns of every feature: one of lists, or one of numbers for each value.
        unused: Columns without a meaning, unless the features were chosen.
    """

    id: str
    frame: str
    labels: str
    group: str
    weight: str
    features: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...] = ()

    def types(self, types: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns to read, with the types to which the cells of a CSV file are converted."""
        import pyarrow as pa  # noqa: PLC0415 - loads only when needed

        text = {name: pa.string() for name in (self.id, self.labels, self.group, self.weight) if name}
        numbers = {self.frame: pa.float64()} if self.frame else {}
        values = {
            name: pa.string() if is_list(types[name]) else pa.float64()
            for columns in self.features.values()
            for name in columns
        }
        return text | numbers | values


def find_columns(types: Mapping[str, Any], options: SourceOptions, path: str) -> Columns:
    """Find out what the columns of a table mean.

    Args:
        types: Type by column.
        options: Options of the source.
        path: File, for error messages.

    Raises:
        DataError: A column that an option names is missing, or there are no features.
    """
    plain = [name for name, kind in types.items() if not is_list(kind)]

    def role(name: str, option: str, known: Sequence[str], candidates: Iterable[str]) -> str:
        return given_column(name, option, types, path) or find_column(list(candidates), known)

    identity = role(options.id_column, "--id-column", ID_COLUMNS, plain)
    identity = identity or _index(types)
    frame = role(options.frame_column, "--frame-column", _FRAMES, plain)
    labels = role(options.labels_column, "--labels-column", _LABELS, types)
    group = role(options.group_column, "--group-column", _GROUPS, plain)
    weight = given_column(options.weight_column, "--weight-column", types, path)
    rest = {name: kind for name, kind in types.items() if name not in (identity, frame, labels, group, weight)}
    numbered = _numbered(rest, path)
    if options.features:
        features = {name: _columns_of(name, types, numbered, path) for name in options.features}
    else:
        features = {name: (name,) for name, kind in rest.items() if is_list(kind)} | numbered
    if not features:
        raise DataError(
            f"{path}: expected features in columns of lists or in numbered columns such as rgb_0, rgb_1, rgb_2, "
            f"received the columns {some(types)}. Name the features with --feature.{hint_at_names(types, path)}"
        )
    used = {name for parts in features.values() for name in parts}
    unused = () if options.features else tuple(name for name in rest if name not in used)
    return Columns(identity, frame, labels, group, weight, features, unused)


def has_usual_names(names: Collection[str]) -> bool:
    """Return whether a column has a name that tells its meaning."""
    return bool(find_column(names, (*ID_COLUMNS, *_FRAMES, *_LABELS, *_GROUPS, *_INDEX_COLUMNS)))


def hint_at_names(names: Collection[str], path: str) -> str:
    """Return a sentence for CSV files whose first line may be a row."""
    if format_of(path) != "csv" or has_usual_names(names):
        return ""
    return " If the first line is a row, put a line with the names of the columns before it."


def _index(types: Mapping[str, Any]) -> str:
    """Return the column of texts without a name that holds ids, or an empty text."""
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    first = next((name for name in _INDEX_COLUMNS if name in types), "")
    is_text = first and (pa.types.is_string(types[first]) or pa.types.is_large_string(types[first]))
    return first if is_text else ""


def is_list(kind: Any) -> bool:
    """Return whether the cells of a column are lists or arrays."""
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    kind = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_number(kind: Any) -> bool:
    """Return whether the cells of a column are numbers."""
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    return bool(
        pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
    )


def is_nested(kind: Any) -> bool:
    """Return whether the cells of a column are lists of lists: the frames of a video."""
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    if isinstance(kind, pa.FixedShapeTensorType):
        return len(kind.shape) > 1
    return is_list(kind) and is_list(kind.value_type)


def feature_values(
    batch: "pa.RecordBatch", columns: Sequence[str], where: Callable[[int], str]
) -> NDArray[Any] | list[NDArray[Any] | None]:
    """Return the values of a feature in every row of a batch.

    Args:
        batch: Rows.
        columns: Column of lists, or columns of numbers.
        where: Function that returns the place of a row of the batch, for error messages.

    Raises:
        DataError: Cells are no numbers.
    """
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    column = batch.column(columns[0])
    if isinstance(column, pa.FixedShapeTensorArray) and not column.null_count:
        return column.to_numpy_ndarray()  # type: ignore[no-any-return]
    if pa.types.is_string(column.type):
        return [_parsed(cell, where(row)) for row, cell in enumerate(column.to_pylist())]
    if is_list(column.type):
        return _lists(column.storage if isinstance(column, pa.ExtensionArray) else column, where)
    arrays = [_numbers(batch.column(name), where(0)) for name in columns]
    return np.stack(arrays, axis=1)


def _parsed(cell: str | None, where: str) -> NDArray[Any] | None:
    """Return the list in a cell of text, written as in JSON; None if the cell is empty."""
    if cell is None or not cell.strip():
        return None
    try:
        return np.asarray(json.loads(cell), np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise DataError(f"{where}: expected a list such as [0.5, 1.25], received {cell[:60]!r}.") from None


def _lists(column: "pa.Array", where: Callable[[int], str]) -> NDArray[Any] | list[NDArray[Any] | None]:
    if is_list(column.type.value_type):
        return [_frames(cell.values, where(row)) if cell.is_valid else None for row, cell in enumerate(column)]
    sizes = np.unique(column.value_lengths().to_numpy(zero_copy_only=False))
    if len(sizes) == 1 and sizes[0] == sizes[0]:  # all rows have the same size, and none is missing
        return _numbers(column.flatten(), where(0)).reshape(len(column), int(sizes[0]))
    return [_numbers(cell.values, where(row)) if cell.is_valid else None for row, cell in enumerate(column)]


def _frames(frames: "pa.Array", where: str) -> NDArray[Any]:
    """Return the frames of a video as a matrix."""
    values = _lists(frames, lambda frame: f"{where}: frame {frame} (counted from 0)")
    if isinstance(values, np.ndarray):
        return values
    for index, frame in enumerate(values):
        if frame is None or frame.shape != (values[0].shape if values[0] is not None else None):
            received = "nothing" if frame is None else f"{frame.size}"
            expected = "a list" if values[0] is None else f"{values[0].size} values, as in the first frame"
            raise DataError(f"{where}: frame {index} (counted from 0): expected {expected}, received {received}.")
    return np.zeros((0, 0), np.float32)


def _numbers(column: "pa.Array", where: str) -> NDArray[Any]:
    """Return numbers as an array; missing ones are NaN."""
    if not is_number(column.type):
        raise DataError(f"{where}: expected numbers, received values of type {column.type}.")
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values if values.dtype != object else values.astype(np.float64)


def _numbered(types: Mapping[str, Any], path: str) -> dict[str, tuple[str, ...]]:
    """Return the features that consist of numbered columns, from 0 or 1."""
    found: dict[str, dict[int, str]] = {}
    for name, kind in types.items():
        match = _NUMBERED.fullmatch(name)
        if match and not is_list(kind):
            columns = found.setdefault(match[1] or UNNAMED, {})
            if int(match[2]) in columns:
                raise DataError(f"{path}: the columns '{columns[int(match[2])]}' and '{name}' have the same number.")
            columns[int(match[2])] = name
    features = {}
    for feature, columns in found.items():
        first = min(columns)
        # A column of text may be one of numbers with a wrong cell, which is told when it is converted.
        if len(columns) < 2 or first > 1 or not any(map(is_number, map(types.get, columns.values()))):
            continue
        for number in range(first, first + len(columns)):
            if number not in columns:
                raise DataError(
                    f"{path}: {feature}: expected {max(columns) - first + 1} columns, from '{columns[first]}' to "
                    f"'{columns[max(columns)]}', received {len(columns)}: number {number} is missing."
                )
        features[feature] = tuple(columns[number] for number in sorted(columns))
    return features


def _columns_of(
    feature: str, types: Mapping[str, Any], numbered: Mapping[str, tuple[str, ...]], path: str
) -> tuple[str, ...]:
    if feature in types:
        return (feature,)
    if feature in numbered:
        return numbered[feature]
    return (given_column(feature, "--feature", [*types, *numbered], path, "column or columns"),)
