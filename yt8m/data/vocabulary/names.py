"""Names of the classes of a model or data set, for everything that people read."""

import logging
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Self

from yt8m import storage
from yt8m.data.description import DatasetDescription, descriptions_of
from yt8m.data.vocabulary.files import OTHER_CLASSES, read_classes
from yt8m.errors import DataError, UserError

_LOGGER = logging.getLogger("yt8m.data")

# Number of classes to name before "and N more".
MOST_LISTED = 3


class ClassNames:
    """Names of classes. A class without a name is shown by its number.

    Args:
        names: Name by number of the class. Numbers may be missing, and names empty.

    Attributes:
        names: Names by number, without empty ones.
    """

    def __init__(self, names: Mapping[int, str] | None = None) -> None:
        self.names = {number: name for number, name in (names or {}).items() if name}

    @classmethod
    def of_shards(cls, uris: Iterable[str], num_classes: int) -> Self:
        """Read the names that the description of a data set names beside its shards; none if there is no such file.

        Names only help to read messages: a file that cannot be used is a warning.

        Args:
            uris: URIs of the shards.
            num_classes: Number of classes.
        """
        try:
            found = vocabulary_of(descriptions_of(uris))
        except UserError as error:
            _tell(f"Classes are shown by their numbers: {error}")
            return cls()
        return cls.read(found, num_classes) if found else cls()

    @classmethod
    def read(cls, uri: str, num_classes: int) -> Self:
        """Read names from a file like `read_vocabulary`, but a file that cannot be used is a warning.

        Args:
            uri: URI of the file.
            num_classes: Number of classes.
        """
        try:
            return cls({each.number: each.name for each in read_classes(uri, num_classes)})
        except UserError as error:
            _tell(f"Classes are shown by their numbers: {error}")
            return cls()

    def name(self, number: int) -> str:
        """Return the name of a class; empty if it has none."""
        return self.names.get(number, "")

    def label(self, number: int) -> str:
        """Return what people read for a class: `7 (cat)`, or `7` if it has no name."""
        name = self.name(number)
        return f"{number} ({name})" if name not in ("", str(number)) else str(number)

    def listing(self, numbers: Collection[int], most: int = MOST_LISTED) -> str:
        """List classes: `class 7 (cat)`, `classes 7 (cat), 8 (dog), 9 and 4 more`.

        Args:
            numbers: Numbers of the classes, at least one.
            most: Number of classes to list. Further ones are counted.
        """
        return f"class{'es' * (len(numbers) > 1)} {self.labels(numbers, most)}"

    def labels(self, numbers: Collection[int], most: int = MOST_LISTED) -> str:
        """List classes like `listing`, but without the word `class`."""
        listed = ", ".join(self.label(number) for number in list(numbers)[:most])
        return listed + (f" and {len(numbers) - most:,} more" if len(numbers) > most else "")


def read_vocabulary(uri: str, num_classes: int, *, complete: bool = True) -> dict[int, str]:
    """Read the names of all classes; see `read_classes`.

    Logs a warning with the number of classes whose name is empty, and of names that occur twice.

    Args:
        uri: URI of the file.
        num_classes: Number of classes.
        complete: Whether every class must have a row. Models that earlier versions exported may lack some.

    Returns:
        Names by class.

    Raises:
        DataError: The file is invalid, has another class or, if it must be complete, lacks one.
        StorageError: The file does not exist or cannot be read.
    """
    names = {each.number: each.name for each in read_classes(uri, num_classes)}
    missing = [number for number in range(num_classes) if number not in names]
    if missing and complete:
        raise DataError(
            f"{uri}: {len(names):,} names, but there are {num_classes:,} classes: "
            f"{ClassNames().listing(missing)} missing. {OTHER_CLASSES}"
        )
    _warn(uri, names, num_classes)
    return names


def vocabulary_of(descriptions: Mapping[str, DatasetDescription]) -> str:
    """Return the URI of the vocabulary that the first of these descriptions names; empty if none does.

    Args:
        descriptions: Descriptions by folder, as `descriptions_of` returns them.
    """
    named = (storage.join(folder, found.vocabulary) for folder, found in descriptions.items() if found.vocabulary)
    return next(named, "")


def _warn(uri: str, names: Mapping[int, str], num_classes: int) -> None:
    if missing := num_classes - sum(map(bool, names.values())):
        _tell(f"{uri}: {missing} of {num_classes} classes have no name.")
    seen: dict[str, int] = {}
    twice = [
        (first, index) for index, name in names.items() if name and (first := seen.setdefault(name, index)) != index
    ]
    if twice:
        first, second = twice[0]
        example = f"for instance '{names[first]}' of {first} and {second}"
        _tell(f"{uri}: classes that have the name of another one: {len(twice)}, {example}.")


@cache
def _tell(warning: str) -> None:
    """Log a warning, but only once: a command looks at the same file several times."""
    _LOGGER.warning("%s", warning)
