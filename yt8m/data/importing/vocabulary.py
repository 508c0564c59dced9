"""Class numbers of labels, by the names of the classes."""

from collections.abc import Iterable, Sequence
from typing import Self

from yt8m.data.vocabulary.files import read_classes
from yt8m.errors import DataError, suggest, suggest_similar


class Vocabulary:
    """Names of classes by number.

    Args:
        names: Name by class number. Numbers may be missing, and names empty: some of YouTube-8M's classes have none.
        where: File that they come from, or empty if they were made from labels.
        aliases: Further names, such as AudioSet's machine ids.
    """

    def __init__(self, names: dict[int, str], where: str = "", aliases: dict[str, int] | None = None) -> None:
        self.names = names
        self.where = where
        self._numbers = dict(aliases or {})
        self._ambiguous: dict[str, tuple[int, int]] = {}
        for number, name in names.items():
            if name and self._numbers.setdefault(name, number) != number:
                self._ambiguous[name] = (self._numbers[name], number)

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """Make a vocabulary of distinct names, which are numbered in sorted order."""
        return cls(dict(enumerate(sorted(set(names)))))

    @classmethod
    def read(cls, uri: str) -> Self:
        """Read a file in any form that `yt8m.data.vocabulary` knows. AudioSet's machine ids are names, too.

        Raises:
            DataError: The file cannot be used. The message names file and line.
            StorageError: The file does not exist.
        """
        classes = read_classes(uri)
        aliases = {each.alias: each.number for each in classes if each.alias}
        return cls({each.number: each.name for each in classes}, uri, aliases)

    def has(self, name: str) -> bool:
        """Return whether a class has this name."""
        return name in self._numbers

    def numbers_of(self, labels: Sequence[str | int], where: str) -> tuple[int, ...]:
        """Return the sorted, distinct class numbers of labels.

        Args:
            labels: Names or class numbers of one video.
            where: Place of the labels, for error messages.

        Raises:
            DataError: A label is not in the vocabulary.
        """
        return tuple(sorted({self._number_of(each, where) for each in labels}))

    def _number_of(self, label: str | int, where: str) -> int:
        source = self.where or "the vocabulary"
        if isinstance(label, int):
            if label not in self.names:
                raise DataError(
                    f"{where}: unknown label {label}: {source} has {len(self.names)} classes, up to number "
                    f"{max(self.names)}. If labels are names that look like numbers, say --label-form names."
                )
            return label
        if label in self._ambiguous:
            first, second = self._ambiguous[label]
            raise DataError(f"{where}: label '{label}': {source} has two classes of this name, {first} and {second}.")
        if label not in self._numbers:
            few = self.names.values() if len(self.names) <= 20 else ()
            hint = suggest(label, few) if few else suggest_similar(label, self.names.values())
            raise DataError(f"{where}: unknown label '{label}': it is not in {source}. {hint}".rstrip())
        return self._numbers[label]
