"""Prediction files: the submission format of the YouTube-8M challenge, and Parquet with class names."""

import csv
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

# Videos per Parquet row group. One row group is in memory at a time.
VIDEOS_PER_ROW_GROUP = 4096
# Bytes that are parsed together. A line with all classes must fit.
_BLOCK_BYTES = 16 << 20


@dataclass(frozen=True)
class TopBatch:
    """The most probable classes of a batch of videos.

    Attributes:
        ids: Ids of the videos.
        classes: Classes by descending score, int32 (B, k).
        scores: Scores of the classes, float32 (B, k).
    """

    ids: list[str]
    classes: NDArray[np.int32]
    scores: NDArray[np.float32]


class PredictionFormat(Protocol):
    """A file format that is written shard by shard and then joined."""

    def write_part(self, path: Path, batches: Iterable[TopBatch]) -> None:
        """Write the predictions of one shard."""

    def ids(self, part: Path) -> list[str]:
        """Read the ids of the videos of a part, in its order."""

    def join(self, parts: Iterable[Path], path: Path) -> None:
        """Join the parts in the given order."""


class RepeatedId(NamedTuple):
    """An id that several videos have.

    Attributes:
        videos: Number of all videos that have the id of an earlier one.
        parts: Numbers of the part of the first video with this id, and of that of the second one.
        position: Position of the first video in its part.
    """

    videos: int
    parts: tuple[int, int]
    position: int


class IdCollector:
    """Ids of the videos of consecutive parts, which take 8 bytes each."""

    def __init__(self) -> None:
        self._hashes: list[NDArray[np.int64]] = []

    def add_part(self, ids: Sequence[str]) -> None:
        """Add the ids of the next part."""
        self._hashes.append(np.fromiter(map(hash, ids), np.int64, len(ids)))

    def find_repeated(self) -> RepeatedId | None:
        """Return the first id that occurs again; None if there is none."""
        hashes = np.concatenate([np.zeros(0, np.int64), *self._hashes])
        _, places, counts = np.unique(hashes, return_index=True, return_counts=True)
        if len(places) == len(hashes):
            return None
        first = int(places[counts > 1].min())
        second = int(np.flatnonzero(hashes == hashes[first])[1])
        ends = np.cumsum([len(each) for each in self._hashes])
        one, two = (int(each) for each in np.searchsorted(ends, [first, second], "right"))
        return RepeatedId(len(hashes) - len(places), (one, two), first - int(ends[one]) + len(self._hashes[one]))


class SubmissionCsv:
    """The challenge's format: `VideoId,LabelConfidencePairs`, with pairs `label confidence` separated by spaces.

    Numbers are formatted as in YouTube-8M's `inference.py`: integer labels, confidences with 6 significant digits.
    """

    header = ("VideoId", "LabelConfidencePairs")

    def write_part(self, path: Path, batches: Iterable[TopBatch]) -> None:
        """Write the predictions of one shard, without a header."""
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            for batch in batches:
                for video, classes, scores in zip(batch.ids, batch.classes, batch.scores, strict=True):
                    pairs = " ".join(f"{label} {score:g}" for label, score in zip(classes, scores, strict=True))
                    rows.writerow((video, pairs))

    def ids(self, part: Path) -> list[str]:
        """Read the ids of the videos of a part, in its order."""
        if not part.stat().st_size:
            return []
        table = arrow_csv.read_csv(
            part,
            arrow_csv.ReadOptions(column_names=self.header, block_size=_BLOCK_BYTES),
            arrow_csv.ParseOptions(newlines_in_values=True),
            arrow_csv.ConvertOptions(include_columns=self.header[:1], column_types={self.header[0]: pa.string()}),
        )
        ids: list[str] = table.column(0).to_pylist()
        return ids

    def join(self, parts: Iterable[Path], path: Path) -> None:
        """Write the header and the lines of all parts."""
        with path.open("wb") as file:
            file.write((",".join(self.header) + "\n").encode())
            for part in parts:
                with part.open("rb") as lines:
                    shutil.copyfileobj(lines, file)


class PredictionsParquet:
    """One row per video and class: `VideoId`, `Rank` (from 1), `Label`, `Name`, `Confidence`.

    Args:
        names: Names by class. Classes without a name get a null.
    """

    schema = pa.schema(
        [
            ("VideoId", pa.string()),
            ("Rank", pa.int32()),
            ("Label", pa.int32()),
            ("Name", pa.string()),
            ("Confidence", pa.float32()),
        ]
    )

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names

    def write_part(self, path: Path, batches: Iterable[TopBatch]) -> None:
        """Write the predictions of one shard."""
        waiting: list[Any] = []
        videos = 0
        with pq.ParquetWriter(path, self.schema) as writer:
            for batch in batches:
                waiting.append(self._table(batch))
                videos += len(batch.ids)
                if videos >= VIDEOS_PER_ROW_GROUP:
                    writer.write_table(pa.concat_tables(waiting))
                    waiting, videos = [], 0
            if waiting:
                writer.write_table(pa.concat_tables(waiting))

    def ids(self, part: Path) -> list[str]:
        """Read the ids of the videos of a part, in its order."""
        ids: list[str] = pq.read_table(part, columns=["VideoId"], filters=[("Rank", "==", 1)]).column(0).to_pylist()
        return ids

    def join(self, parts: Iterable[Path], path: Path) -> None:
        """Copy the row groups of all parts."""
        with pq.ParquetWriter(path, self.schema) as writer:
            for part in parts:
                with pq.ParquetFile(part) as file:
                    for group in range(file.num_row_groups):
                        writer.write_table(file.read_row_group(group))

    def _table(self, batch: TopBatch) -> Any:
        videos, top_k = batch.classes.shape
        labels = batch.classes.reshape(-1)
        columns = [
            np.repeat(np.array(batch.ids, dtype=object), top_k),
            np.tile(np.arange(1, top_k + 1, dtype=np.int32), videos),
            labels,
            [self._names.get(label) for label in labels.tolist()],
            batch.scores.reshape(-1),
        ]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self.schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=self.schema)
