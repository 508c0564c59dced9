"""Members of ensembles: their folders, and their hold-out predictions, checked to be of the same videos."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from yt8m.data.format import id_text
from yt8m.errors import DataError
from yt8m.predictions import Predictions


@dataclass(frozen=True)
class Member:
    """The folder that stage `quantize` writes: a quantized model with hold-out predictions.

    Beside them is the record of the model's training, for runs that take the member.

    Attributes:
        folder: The folder. It need not be complete, unless it was opened with `open`.
    """

    folder: Path

    @property
    def model(self) -> Path:
        """Folder of the quantized model. Only its bytes count against a budget."""
        return self.folder / "model"

    @property
    def predictions(self) -> Path:
        """Predictions of the quantized model."""
        return self.folder / "predictions.safetensors"

    @property
    def float_predictions(self) -> Path:
        """Predictions of the model before quantization."""
        return self.folder / "float_predictions.safetensors"

    @classmethod
    def open(cls, name: str, folder: Path) -> Self:
        """Check that a folder holds a member.

        Args:
            name: Name of the member, for errors.
            folder: Folder written by stage `quantize`.

        Raises:
            DataError: A part of the member is missing.
        """
        member = cls(folder)
        for path in (member.model, member.predictions, member.float_predictions):
            if not path.exists():
                raise DataError(
                    f"{folder}: expected a member written by the quantize step as '{name}', received a folder without "
                    f"{path.relative_to(folder)}. Quantize the model again."
                )
        return member


def load_members(paths: Mapping[str, Path], top_k: int) -> dict[str, Predictions]:
    """Read the predictions of several models on the same videos.

    Memory is 6 * K bytes per video and member: 1.3 GB for 9 members with K = 100 on 232,072 videos.

    Args:
        paths: Predictions file of each member by name.
        top_k: Number of classes per video to score; each file must hold at least as many, or all classes.

    Returns:
        The predictions by name, in the given order.

    Raises:
        DataError: There are no members, a file holds too few classes per video, or two files differ in videos, their
            order, labels, number of classes, number of stored classes or division of the hold-out.
    """
    if not paths:
        raise DataError("predictions: expected at least one member, received none. Name the models to combine.")
    members: dict[str, Predictions] = {}
    for name, path in paths.items():
        members[name] = Predictions.load(path)
        first = next(iter(members))
        _check_depth(members[name], path, top_k)
        _check_same(members[first], members[name], paths[first], path)
    if members[first].num_videos == 0:
        raise DataError(f"{paths[first]}: expected predictions of at least one video, received none.")
    return members


def _check_depth(member: Predictions, path: Path, top_k: int) -> None:
    needed = min(top_k, member.num_classes)
    if member.top_k < needed:
        raise DataError(
            f"{path}: expected at least the top {needed} classes of every video, received the top {member.top_k}. "
            "Set evaluation.top_k to at least evaluation.gap_top_k, and run again."
        )


def _check_same(first: Predictions, other: Predictions, first_path: Path, path: Path) -> None:
    both = f"{first_path} and {path}"
    remedy = "Predict the same partition with both models."
    if first.num_classes != other.num_classes:
        raise DataError(f"{both}: different number of classes, {first.num_classes} and {other.num_classes}. {remedy}")
    if first.top_k != other.top_k:
        raise DataError(
            f"{both}: different numbers of classes stored per video, {first.top_k} and {other.top_k}. "
            "Predict with both models with the same evaluation.top_k."
        )
    if first.num_videos != other.num_videos:
        raise DataError(f"{both}: different number of videos, {first.num_videos} and {other.num_videos}. {remedy}")
    differing = np.flatnonzero(first.ids != other.ids)
    if differing.size:
        at = int(differing[0])
        ids = f"'{id_text(first.ids[at])}' and '{id_text(other.ids[at])}'"
        raise DataError(f"{both}: different ids at video {at}, {ids}. {remedy}")
    if not (np.array_equal(first.label_ptr, other.label_ptr) and np.array_equal(first.labels, other.labels)):
        raise DataError(f"{both}: the same videos with different labels. {remedy}")
    if not np.array_equal(first.report, other.report):
        raise DataError(
            f"{both}: the hold-out is divided differently, {int(first.report.sum())} and {int(other.report.sum())} "
            "videos for the report. What one model decided on would be reported for the other. Predict the same "
            "partition with both models; models of other runs need runs with the same data.report_share and seed."
        )
