"""Stored predictions of a model: the top-K classes of every video with its labels and id."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from yt8m.errors import DataError
from yt8m.holdout import Part
from yt8m.storage import open_atomic
from yt8m.top_classes import top_classes

# Number of classes kept per video: 600 bytes, or 139 MB for the 232,072 hold-out videos of the paper.
# Classes beyond the top 100 of a member count as 0 in an ensemble; `yt8m.ensembling` states the effect.
DEFAULT_TOP_K = 100

_FORMAT = "yt8m-predictions-2"


@dataclass(frozen=True)
class Predictions:
    """The top `K` predictions of `N` videos, with labels.

    Attributes:
        ids: Ids of the videos in the order of the data, bytes `(N,)` (NumPy type `S`).
        classes: Class indices by descending score, uint16 `(N, K)`. Among equal scores the smaller index comes first.
        scores: Probabilities of these classes, float32 `(N, K)`.
        label_ptr: Offsets of labels, int64 `(N + 1,)`: video `i` has `labels[label_ptr[i]:label_ptr[i + 1]]`.
        labels: Concatenated labels of all videos, ascending within a video, uint16.
        num_classes: Number of classes `C` of the model.
        report: Whether each video belongs to the part *report* of the hold-out, bool `(N,)`. No video does if the
            hold-out is not divided.
    """

    ids: npt.NDArray[np.bytes_]
    classes: npt.NDArray[np.uint16]
    scores: npt.NDArray[np.float32]
    label_ptr: npt.NDArray[np.int64]
    labels: npt.NDArray[np.uint16]
    num_classes: int
    report: npt.NDArray[np.bool_]

    @property
    def num_videos(self) -> int:
        """Number of videos `N`."""
        return len(self.ids)

    @property
    def top_k(self) -> int:
        """Number of classes `K` kept per video."""
        return int(self.classes.shape[1])

    @property
    def part(self) -> Part:
        """Part of the hold-out on which figures are computed."""
        return "report" if self.report.any() else "hold-out"

    @property
    def rows_select(self) -> npt.NDArray[np.int64]:
        """Indices of the videos on which decisions are made; all if the hold-out is not divided."""
        return np.flatnonzero(~self.report)

    @property
    def rows_report(self) -> npt.NDArray[np.int64]:
        """Indices of the videos on which figures are computed; all if the hold-out is not divided."""
        return np.flatnonzero(self.report) if self.report.any() else np.arange(self.num_videos)

    def rows(self, rows: npt.NDArray[np.int64]) -> Self:
        """Return the predictions of some of the videos.

        Args:
            rows: Indices of the videos.
        """
        starts, counts = self.label_ptr[rows], np.diff(self.label_ptr)[rows]
        ptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        return replace(
            self,
            ids=self.ids[rows],
            classes=self.classes[rows],
            scores=self.scores[rows],
            label_ptr=ptr,
            labels=self.labels[np.arange(ptr[-1]) + np.repeat(starts - ptr[:-1], counts)],
            report=self.report[rows],
        )

    def save(self, path: str | Path) -> None:
        """Write the predictions to a safetensors file atomically."""
        width = max(self.ids.dtype.itemsize, 1)
        tensors = {
            "ids": np.ascontiguousarray(self.ids.astype(f"S{width}")).view(np.uint8).reshape(-1, width),
            "classes": np.ascontiguousarray(self.classes),
            "scores": np.ascontiguousarray(self.scores),
            "label_ptr": self.label_ptr,
            "labels": self.labels,
            "report": self.report,
        }
        with open_atomic(path) as file:
            file.write(save(tensors, {"format": _FORMAT, "num_classes": str(self.num_classes)}))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read predictions written by `save`.

        Raises:
            DataError: The file is missing or holds no predictions.
        """
        try:
            # Read all tensors here, because the file is closed after this block.
            with safe_open(path, framework="np") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != _FORMAT:
                    raise DataError(_not_predictions(path, f"format is {metadata.get('format')!r}"))
                tensors: dict[str, npt.NDArray[Any]] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (OSError, SafetensorError) as error:
            raise DataError(_not_predictions(path, str(error))) from None
        ids = tensors["ids"]
        return cls(
            ids=np.ascontiguousarray(ids).view(f"S{ids.shape[1]}").reshape(-1),
            classes=tensors["classes"],
            scores=tensors["scores"],
            label_ptr=tensors["label_ptr"],
            labels=tensors["labels"],
            num_classes=int(metadata["num_classes"]),
            report=tensors["report"],
        )


class PredictionsBuilder:
    """Collects the top-K predictions of videos batch by batch, using 6 K bytes per video.

    Args:
        num_classes: Number of classes `C`.
        top_k: Number of classes kept per video, at most `C`.
    """

    def __init__(self, num_classes: int, top_k: int = DEFAULT_TOP_K) -> None:
        self._num_classes = num_classes
        self._top_k = min(top_k, num_classes)
        self._ids: list[npt.NDArray[np.bytes_]] = []
        self._classes: list[npt.NDArray[np.uint16]] = []
        self._scores: list[npt.NDArray[np.float32]] = []
        self._labels: list[npt.NDArray[np.uint16]] = []
        self._report: list[npt.NDArray[np.bool_]] = []
        self._label_counts: list[npt.NDArray[np.int64]] = []

    def append(
        self,
        ids: npt.ArrayLike,
        probabilities: npt.ArrayLike,
        labels: npt.ArrayLike,
        report: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of predictions.

        Args:
            ids: Ids of the videos, bytes or str `(B,)`.
            probabilities: Non-negative probabilities `(B, C)`.
            labels: Multi-hot labels `(B, C)`. Any value but 0 is a label.
            report: Whether each video belongs to *report*, bool `(B,)`. None means that no video does.

        Raises:
            DataError: A probability is negative or not finite.
        """
        multi_hot = np.asarray(labels) != 0
        classes, scores = top_classes(np.asarray(probabilities), self._top_k)
        assert multi_hot.shape == (len(classes), self._num_classes), multi_hot.shape
        self._ids.append(_as_bytes(ids))
        self._classes.append(classes)
        self._scores.append(scores)
        self._labels.append(np.nonzero(multi_hot)[1].astype(np.uint16))
        self._report.append(np.zeros(len(classes), np.bool_) if report is None else np.asarray(report, np.bool_))
        self._label_counts.append(multi_hot.sum(axis=1, dtype=np.int64))

    def build(self) -> Predictions:
        """Concatenate all batches."""
        k = self._top_k
        counts = np.concatenate([np.zeros(1, np.int64), *self._label_counts])
        return Predictions(
            ids=np.concatenate(self._ids) if self._ids else np.zeros(0, "S1"),
            classes=np.concatenate([np.zeros((0, k), np.uint16), *self._classes]),
            scores=np.concatenate([np.zeros((0, k), np.float32), *self._scores]),
            label_ptr=np.cumsum(counts),
            labels=np.concatenate([np.zeros(0, np.uint16), *self._labels]),
            num_classes=self._num_classes,
            report=np.concatenate([np.zeros(0, np.bool_), *self._report]),
        )


def _as_bytes(ids: npt.ArrayLike) -> npt.NDArray[np.bytes_]:
    array = np.asarray(ids)
    if array.dtype.kind == "U":
        return np.char.encode(array, "utf-8")
    return array.astype(np.bytes_)


def _not_predictions(path: str | Path, reason: str) -> str:
    return (
        f"{path}: expected the predictions of a model, received something else: {reason}. "
        "Repeat the step that made the model, or evaluate the model again."
    )
