"""Labels of videos from a file of `id, labels`, and names of classes."""

from collections.abc import Iterable, Sequence
from typing import Literal, Self

LabelForm = Literal["auto", "numbers", "names", "multi_hot"]


class Vocabulary:
    """Names of classes by number.

    Args:
        names: Name by class number. Numbers may be missing.
        where: File that they come from, or empty if they were made from labels.
    """

    def __init__(self, names: dict[int, str], where: str = "") -> None:
        self.names = names
        self.where = where

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """Make a vocabulary of distinct names, which are numbered in sorted order."""
        return cls(dict(enumerate(sorted(set(names)))))

    @classmethod
    def read(cls, uri: str) -> Self:
        """Read a CSV file with columns `Index` and `Name`, or AudioSet's `index,mid,display_name`.

        Raises:
            DataError: A column is missing, or a number or name is not valid or occurs twice. The message names file and
                row.
            StorageError: The file does not exist.
        """
        raise NotImplementedError

    def numbers_of(self, labels: Sequence[str | int], where: str) -> tuple[int, ...]:
        """Return the sorted, distinct class numbers of labels; numbers stay as they are.

        Args:
            labels: Names or class numbers of one video.
            where: Place of the labels, for error messages.

        Raises:
            DataError: A label is not in the vocabulary.
        """
        raise NotImplementedError


class LabelTable:
    """Labels of videos by id, in about 30 bytes per video.

    Attributes:
        is_named: Whether labels are names. Otherwise they are class numbers.
        names: Distinct names, sorted; empty if labels are numbers.
        largest: Largest class number; -1 if labels are names.
        merged: Number of labels that were given more than once for a video.
    """

    is_named: bool
    names: tuple[str, ...]
    largest: int
    merged: int

    def __len__(self) -> int:
        """Return the number of ids in the file."""
        raise NotImplementedError

    def get(self, video: str) -> tuple[str | int, ...] | None:
        """Return the distinct labels of a video (empty if the file says so), or None if the file lacks its id."""
        raise NotImplementedError

    def where(self, video: str) -> str:
        """Return the place of a video's first row, for error messages, for instance `labels.csv: row 17`."""
        raise NotImplementedError


def read_labels(uri: str, form: LabelForm = "auto", vocabulary: Vocabulary | None = None) -> LabelTable:
    """Read labels from CSV, TSV, Parquet, JSON or JSON lines.

    Args:
        uri: File with columns (or keys) `id` and `labels`: a row per video with a list of labels, or with labels
            separated by `|`, `;`, `,` or spaces; or a row per pair of id and label. JSON may be an object of lists by
            id, too.
        form: Form of the labels. With `auto`, labels are numbers if all of them are, and names otherwise; a file with
            both is refused.
        vocabulary: Names of classes. Labels that are not among them are refused.

    Raises:
        DataError: The file cannot be read, or a label is not valid. The message names file and row.
        StorageError: The file does not exist.
    """
    raise NotImplementedError
