"""Members of ensembles: their folders, and their hold-out predictions, checked to be of the same videos."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import numpy as np

from yt8m.data.format import id_text
from yt8m.ensembling.files import FLOAT, OffersFile
from yt8m.errors import ConfigError, DataError
from yt8m.predictions import Predictions

_REMEDY = "Quantize the model again."

Name = TypeVar("Name")


class Offer(NamedTuple):
    """A member in one of its sizes."""

    member: str
    size: str


@dataclass(frozen=True)
class Member:
    """A folder that stage `quantize` writes: a model in every size in which the search may choose it.

    Beside them is the record of the model's training, for runs that take the member.

    Attributes:
        folder: The folder. It need not be complete, unless it was opened with `open`.
    """

    folder: Path

    def model(self, size: str) -> Path:
        """Return the folder of the model in a size."""
        return self.folder / size

    @classmethod
    def open(cls, name: str, folder: Path, size: str) -> Self:
        """Check that a folder holds a member.

        Args:
            name: Name of the member, for errors.
            folder: Folder written by stage `quantize`.
            size: Size in which it is needed.

        Raises:
            DataError: There is no model in this size.
        """
        member = cls(folder)
        _check_parts(name, folder, "a member", [member.model(size)])
        return member


@dataclass(frozen=True)
class Offers:
    """The other folder that stage `quantize` writes: what the search needs to know of a member in its sizes.

    Attributes:
        folder: The folder. It need not be complete, unless it was opened with `open`.
    """

    folder: Path

    @property
    def description(self) -> Path:
        """File with the sizes and their bytes (`yt8m.ensembling.files.OffersFile`)."""
        return self.folder / "offers.json"

    @property
    def float_predictions(self) -> Path:
        """Predictions of the model before quantization."""
        return self.folder / f"{FLOAT}.safetensors"

    def predictions(self, size: str) -> Path:
        """Return the file with the predictions of the model in a size."""
        return self.folder / f"{size}.safetensors"

    def read(self) -> OffersFile:
        """Read the description.

        Raises:
            DataError: Its content is not one that stage `quantize` writes.
        """
        try:
            return OffersFile.load(self.description)
        except ConfigError as error:
            raise DataError(f"{error}\n{self.description}: damaged, or of another version. {_REMEDY}") from None

    @classmethod
    def open(cls, name: str, folder: Path) -> Self:
        """Check that a folder holds the offers of a member.

        Args:
            name: Name of the member, for errors.
            folder: Folder written by stage `quantize`.

        Raises:
            DataError: A file is missing, or the description is damaged.
        """
        offers = cls(folder)
        _check_parts(name, folder, "offers", [offers.description, offers.float_predictions])
        _check_parts(name, folder, "offers", map(offers.predictions, offers.read().sizes))
        return offers


def _check_parts(name: str, folder: Path, what: str, parts: Iterable[Path]) -> None:
    for path in parts:
        if not path.exists():
            raise DataError(
                f"{folder}: expected {what} written by the quantize step as '{name}', received a folder without "
                f"{path.relative_to(folder)}. {_REMEDY}"
            )


def load_members(paths: Mapping[Name, Path], top_k: int) -> dict[Name, Predictions]:
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
    members: dict[Name, Predictions] = {}
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
