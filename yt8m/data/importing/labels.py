"""Labels of videos from a file of `id, labels`."""

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from yt8m.data.importing.label_forms import LabelForm, LabelReader
from yt8m.data.importing.readers.checked import id_text
from yt8m.data.importing.readers.label_files import columns_of, read_cells
from yt8m.data.importing.vocabulary import Vocabulary
from yt8m.errors import DataError

__all__ = ["LabelForm", "LabelTable", "Vocabulary", "read_label_file", "read_labels"]

_ROWS_AT_ONCE = 1024


class LabelTable:
    """Labels of videos by id, in about 60 bytes per video. Spaces around ids do not count.

    Args:
        rows: Id and labels of every row. Several rows of a video are joined.
        uri: File, for error messages.

    Attributes:
        first: First id of the file.
        names: Distinct names, sorted; empty if labels are numbers.
        largest: Largest class number; -1 if labels are names.
        merged: Number of labels that were given more than once for a video.
    """

    def __init__(self, rows: Iterator[tuple[str, tuple[str | int, ...]]], uri: str) -> None:
        import pyarrow as pa  # noqa: PLC0415 - loads only when needed

        self._uri = uri
        hashes, codes, ends = array("q"), array("i"), array("q", [0])
        numbers: dict[str, int] = {}
        parts: list[Any] = []
        ids: list[str] = []
        for given_id, labels in rows:
            identity = given_id.strip()
            hashes.append(hash(identity))
            ids.append(identity)
            codes.extend(each if isinstance(each, int) else numbers.setdefault(each, len(numbers)) for each in labels)
            ends.append(len(codes))
            if len(ids) == _ROWS_AT_ONCE:
                parts.append(pa.array(ids, pa.large_string()))
                ids.clear()
        parts.append(pa.array(ids, pa.large_string()))
        self._ids = pa.concat_arrays(parts)
        self.first = self._ids[0].as_py() if len(self._ids) else ""
        self._ends = np.frombuffer(ends, np.int64)
        self._codes = np.frombuffer(codes, np.int32)
        self.names = tuple(sorted(numbers))
        self.largest = -1 if numbers else int(self._codes.max(initial=-1))
        if numbers:
            self._codes = np.argsort([numbers[name] for name in self.names]).astype(np.int32)[self._codes]
        keys = np.frombuffer(hashes, np.int64)
        self._order = np.argsort(keys, kind="stable").astype(np.int32)
        self._hashes = keys[self._order]
        self.merged, self._num_ids = self._count()

    def __len__(self) -> int:
        """Return the number of videos in the file."""
        return self._num_ids

    @property
    def is_named(self) -> bool:
        """Whether labels are names. Otherwise they are class numbers."""
        return bool(self.names)

    @property
    def has_labels(self) -> bool:
        """Whether any video has a label."""
        return len(self._codes) > 0

    def get(self, video: str) -> tuple[str | int, ...] | None:
        """Return the distinct labels of a video (empty if the file says so), or None if the file lacks its id."""
        rows = self._rows(video)
        if not rows:
            return None
        codes = dict.fromkeys(
            code for row in rows for code in self._codes[self._ends[row] : self._ends[row + 1]].tolist()
        )
        return tuple(self.names[code] for code in codes) if self.names else tuple(codes)

    def where(self, video: str) -> str:
        """Return the place of a video's first row, for error messages, for instance `labels.csv: row 17`."""
        rows = self._rows(video)
        return f"{self._uri}: row {rows[0] + 1}" if rows else self._uri

    def _rows(self, video: str) -> list[int]:
        video = video.strip()
        key = np.int64(hash(video))
        first, end = np.searchsorted(self._hashes, key), np.searchsorted(self._hashes, key, "right")
        # Different ids may have the same hash.
        return [row for row in self._order[first:end].tolist() if self._ids[row].as_py() == video]

    def _count(self) -> tuple[int, int]:
        """Return the number of repeated labels of a video, and the number of videos."""
        starts = np.ones(len(self._hashes), bool)
        starts[1:] = self._hashes[1:] != self._hashes[:-1]
        video = np.empty(len(starts), np.int64)
        video[self._order] = np.cumsum(starts)
        pairs = np.repeat(video * (int(self._codes.max(initial=0)) + 1), np.diff(self._ends))
        pairs += self._codes
        pairs.sort()
        return int((pairs[1:] == pairs[:-1]).sum()), int(starts.sum())


def read_labels(
    uri: str,
    form: LabelForm = "auto",
    vocabulary: Vocabulary | None = None,
    *,
    separator: str = "",
    id_column: str = "",
    labels_column: str = "",
) -> LabelTable:
    """Read labels from CSV, TSV, Parquet, JSON or JSON lines, or an array of NumPy.

    Args:
        uri: File with columns (or keys) `id` and `labels`: a row per video with a list of labels, or with several
            labels in a text; or a row per pair of id and label. JSON may be an object of lists by id, too. An array has
            a row for every row of stacked features, whose ids are their numbers.
        form: Form of the labels. With `auto`, labels are numbers if all of them are, and names otherwise; a file with
            both is refused.
        vocabulary: Names of classes. Labels that are not among them are refused.
        separator: Text between the labels of a cell. Empty means `|` or `;`, and for numbers also commas and spaces.
        id_column: Column of the ids. Empty means the one called `id`, `ids`, `video_id` or `video`.
        labels_column: Column of the labels. Empty means the one called `labels`, `label`, `class` or `classes`.

    Raises:
        DataError: The file cannot be read, or a label is not valid. The message names file and row.
        StorageError: The file does not exist.
    """
    cells = read_cells(uri, id_column, labels_column)
    reader = LabelReader(form, separator, vocabulary)

    def rows() -> Iterator[tuple[str, tuple[str | int, ...]]]:
        for row, (identity, value) in enumerate(cells, start=1):
            where = f"{uri}: row {row}"
            labels = reader.read(() if value is None else value, where) or ()
            if vocabulary:
                vocabulary.numbers_of(labels, where)
                _refuse_doubt(labels, where, form, vocabulary)
            yield id_text(identity, where), labels

    table = LabelTable(rows(), uri)
    if not len(table):
        raise DataError(f"{uri}: expected labels, received no row.")
    return table


class LabelFile(NamedTuple):
    """What a file of labels holds.

    Attributes:
        labels: Labels by id.
        groups: Groups by id; None if the file has none.
        weights: Weights by id; None if the file has none.
        columns: Names of its columns.
    """

    labels: LabelTable
    groups: LabelTable | None
    weights: LabelTable | None
    columns: Sequence[str]


def read_label_file(uri: str, reading: dict[str, Any], vocabulary: Vocabulary | None) -> LabelFile:
    """Read labels from a file like `read_labels`, and groups and weights if it has them.

    Args:
        uri: File of labels.
        reading: Options of the source, as in `SourceOptions`. Those that name columns of labels, groups or weights in
            the file are removed.
        vocabulary: Names of classes.
    """
    labels = reading.pop("labels_column", "")
    columns = columns_of(uri, reading.get("id_column", ""), labels)
    ids = reading.get("id_column", "") if reading.get("id_column") in columns else ""
    form, separator = reading["label_form"], reading.get("label_separator", "")
    table = read_labels(uri, form, vocabulary, separator=separator, id_column=ids, labels_column=labels)

    def by_id(option: str, default: str = "") -> LabelTable | None:
        column = reading.get(option, default)
        if column not in columns:
            return None
        reading.pop(option, None)
        return read_labels(uri, "names", separator="\0", id_column=ids, labels_column=column)

    return LabelFile(table, by_id("group_column", "group"), by_id("weight_column"), columns)


def _refuse_doubt(labels: Sequence[str | int], where: str, form: LabelForm, vocabulary: Vocabulary) -> None:
    """Refuse a number that is the name of another class."""
    for label in labels if form == "auto" else ():
        if isinstance(label, int) and vocabulary.has(str(label)) and vocabulary.names.get(label) != str(label):
            raise DataError(
                f"{where}: label {label} is the number of a class and the name of another in {vocabulary.where}. Say "
                "--label-form numbers or --label-form names."
            )
