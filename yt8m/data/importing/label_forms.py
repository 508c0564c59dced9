"""Forms in which one video's labels are written."""

import ast
import re
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from yt8m.data.format import MOST_CLASSES
from yt8m.data.importing.vocabulary import Vocabulary
from yt8m.errors import DataError

LabelForm = Literal["auto", "numbers", "names", "multi_hot"]

# Longer numbers are no class numbers.
_NUMBER = re.compile(r"\s*-?\d{1,18}(\.0*)?\s*")
# Numbers without leading zeros. A text such as 007 is a name.
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
# Remedy for labels in another form than those of `read_labels`.
LIST_OF_OBJECTS = (
    'In JSON, write a list of objects such as {"id": "a", "labels": ["cat"]}. Pandas does with orient=\'records\'.'
)
# Separators that are always understood. A comma or a space may be a part of a name.
_SEPARATORS = ("|", ";")
# Characters that a text file with the names of the classes cannot hold.
_UNUSABLE = re.compile("[\0\n\r\ud800-\udfff]")
_MIXED = "Say --label-form names if numbers are names, too, or --label-form numbers if all should be class numbers."


class LabelReader:
    """Reader of labels, which are all names or all class numbers.

    With the form `auto`, the first label decides which of the two all must be.

    Args:
        form: Form of the labels.
        separator: Text between the labels of a cell. Empty means `|` or `;`, and for numbers also commas and spaces.
        vocabulary: Names of classes, which tell commas and spaces in names from separators.
    """

    def __init__(self, form: LabelForm = "auto", separator: str = "", vocabulary: Vocabulary | None = None) -> None:
        self._form = form
        self._separator = separator
        self._vocabulary = vocabulary
        self._decided: tuple[str, str, str | int] | None = None

    @property
    def is_named(self) -> bool:
        """Whether the labels read so far are names."""
        return self._form == "names" or (self._decided is not None and self._decided[0] == "names")

    def read(self, value: Any, where: str) -> tuple[str | int, ...] | None:
        """Return the labels of a video in their order, or None if there is no value at all.

        Args:
            value: Text, a number, a list or an array.
            where: Place of the labels, for error messages.

        Raises:
            DataError: The labels cannot be read as the form demands, or differ from those before.
        """
        if value is None:
            return None
        if isinstance(value, np.ndarray | np.generic):
            value = value.tolist()
        if self._form == "multi_hot":
            return self._of_vector(self._split(value, where), where)
        items = [each for each in self._split(value, where) if not is_missing(each)]
        if self._form == "auto" and len(items) == 1 and isinstance(items[0], bool):
            raise DataError(
                f"{where}: labels: {items[0]} can be read in several ways. Say --label-form numbers if False and True "
                "are the classes 0 and 1, --label-form names if they are the names of two classes, or --label-form "
                "multi_hot if True is the only class and False means no label."
            )
        if self._form == "auto" and (any(isinstance(each, bool) for each in items) or _looks_multi_hot(items)):
            if all(isinstance(each, bool) for each in items):
                return self._of_vector(items, where)
            raise DataError(
                f"{where}: labels: {len(items)} values that are all 0 or 1 can be read in two ways. Say "
                "--label-form multi_hot if they are a 0 or 1 for every class, or --label-form numbers if they are "
                "the classes 0 and 1."
            )
        return tuple(self._label(each, where) for each in items)

    def _split(self, value: Any, where: str) -> list[Any]:
        if isinstance(value, bytes):
            value = decoded(value, f"{where}: labels")
        if not isinstance(value, str):
            return list(value) if isinstance(value, list | tuple) else [value]
        return self._split_text(value.strip(), where)

    def _split_text(self, text: str, where: str) -> list[Any]:
        if not self._separator and self._has_all([text]):
            return [text]
        are_brackets_names = self._form == "names" and self._separator and "," not in self._separator
        if text.startswith("[") and text.endswith("]") and not are_brackets_names:
            try:
                return list(ast.literal_eval(text))
            except (ValueError, SyntaxError, TypeError):
                raise DataError(
                    f"{where}: labels: expected a list such as [1, 2] or ['a', 'b'], received {shown(text)}. If the "
                    "brackets are a part of the name, say --label-form names --label-separator '|'."
                ) from None
        separator = self._separator or next((each for each in _SEPARATORS if each in text), "")
        if separator:
            return [each.strip() for each in text.split(separator)]
        return self._split_doubtful(text, where)

    def _split_doubtful(self, text: str, where: str) -> list[Any]:
        """Split at commas or spaces, unless they may be a part of a name."""
        for doubtful in (",", None):
            parts = [each.strip() for each in text.split(doubtful)]
            if len(parts) > 1 and (all(map(_NUMBER.fullmatch, parts)) or self._has_all(parts)):
                return parts
        if "," in text and self._form != "numbers" and not self._vocabulary:
            raise DataError(
                f"{where}: labels: {shown(text)} can be read in two ways. Say --label-separator ',' if commas separate "
                "labels, or --label-separator '|' if the comma is a part of the name."
            )
        return [text]

    def _has_all(self, parts: Iterable[str]) -> bool:
        return self._vocabulary is not None and all(map(self._vocabulary.has, parts))

    def _label(self, value: Any, where: str) -> str | int:
        if isinstance(value, bytes):
            value = decoded(value, f"{where}: labels")
        if not isinstance(value, str | int | float):
            raise DataError(
                f"{where}: labels: expected names or class numbers, received {shown(value)}. {LIST_OF_OBJECTS}"
            )
        if self._form == "names":
            whole = isinstance(value, float) and value.is_integer()
            return _name(str(int(value)) if whole else str(value), where)
        number = _number(value)
        if self._form == "numbers":
            if number is None:
                raise DataError(f"{where}: labels: expected a class number, received {shown(value)}.")
            return _class_number(number, where)
        named = value if isinstance(value, str) and not _DECIMAL.fullmatch(value.strip()) else None
        label = number if named is None else named
        if label is None:
            raise DataError(
                f"{where}: labels: expected a whole class number, received {shown(value)}. If it is a name, say "
                "--label-form names."
            )
        kind = "names" if isinstance(label, str) else "numbers"
        self._decided = self._decided or (kind, where, label)
        if kind != self._decided[0]:
            raise DataError(
                f"{where}: labels: {shown(value)} is a {kind[:-1]}, but {shown(self._decided[2])} in "
                f"{self._decided[1]} is a {self._decided[0][:-1]}. {_MIXED}"
            )
        return _name(label, where) if isinstance(label, str) else _class_number(label, where)

    def _of_vector(self, values: list[Any], where: str) -> tuple[int, ...]:
        """Return the classes of a vector with a 0 or 1 for every class."""
        numbers = [_number(each) for each in values]
        if bad := [value for value, number in zip(values, numbers, strict=True) if number not in (0, 1)]:
            raise DataError(f"{where}: labels: expected a 0 or 1 for every class, received {shown(bad[0])}.")
        self._decided = self._decided or ("numbers", where, 0)
        return tuple(index for index, number in enumerate(numbers) if number)


def _name(text: str, where: str) -> str:
    name = text.strip()
    if _UNUSABLE.search(name):
        raise DataError(
            f"{where}: labels: expected names of classes, received {text[:80]!r}. Remove line breaks and "
            "characters that no text file can hold."
        )
    return name


def _number(value: Any) -> int | None:
    if isinstance(value, str):
        return int(value.partition(".")[0]) if _NUMBER.fullmatch(value) else None
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else None


def _class_number(number: int, where: str) -> int:
    if not 0 <= number < MOST_CLASSES:
        raise DataError(
            f"{where}: labels: expected a class number from 0 to {MOST_CLASSES - 1}, received {number}. If it is a "
            "name, say --label-form names."
        )
    return number


def is_missing(value: Any) -> bool:
    """Return whether a cell holds nothing: no value, NaN or blank text."""
    if isinstance(value, np.generic | np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, str | bytes):
        return not value.strip()
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def shown(value: Any) -> str:
    """Return a value as a message shows it, cut if it is long."""
    text = repr(value)
    return f"{text[:80]}..." if len(text) > 80 else text


def _looks_multi_hot(items: list[Any]) -> bool:
    """Return whether these are more zeros and ones than there are classes 0 and 1."""
    return len(items) > 2 and {_number(each) for each in items} <= {0, 1}


def decoded(value: bytes, where: str) -> str:
    """Decode text in UTF-8.

    Raises:
        DataError: The bytes are something else.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise DataError(f"{where}: expected text in UTF-8, received {shown(value)}.") from None
