"""Numbers of a context feature, and whether they can be labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

from yt8m.data.format import MOST_CLASSES, DataSpec


class LabelKey(NamedTuple):
    """A context feature that can be the labels.

    Attributes:
        key: Name of the feature.
        form: Form of the labels; see `RecordLayout`.
        classes: Length of the vectors, or largest number plus 1, at most the largest number of classes.
        named: Whether the name says that these are labels.
    """

    key: str
    form: Literal["numbers", "multi_hot", "multi_hot_floats"]
    classes: int
    named: bool

    def set_in(self, spec: DataSpec) -> DataSpec:
        """Return a format with these labels. Numbers do not tell that there are fewer classes than expected."""
        layout = spec.layout.model_copy(update={"labels": self.key, "label_form": self.form})
        classes = max(self.classes, spec.num_classes) if self.form == "numbers" else self.classes
        return spec.model_copy(update={"layout": layout, "num_classes": classes})


@dataclass
class Numbers:
    """Numbers of a context feature in all records.

    Attributes:
        smallest: Smallest number; 0 without a negative one.
        largest: Largest number; -1 without any.
        lengths: Numbers of values that occur.
        binary: Whether all numbers are 0 or 1.
        is_set: Whether all could be ascending lists of different class numbers.
        integers: Whether all are stored as integers.
    """

    smallest: int = 0
    largest: int = -1
    lengths: set[int] = field(default_factory=set)
    binary: bool = True
    is_set: bool = True
    integers: bool = True

    def add(self, values: Sequence[float], *, integers: bool) -> None:
        """Add the numbers of a record, which are stored as integers or as floats."""
        if not len(values):
            return
        finite = [int(each) for each in values if math.isfinite(each)]
        self.smallest = min([self.smallest, *finite])
        self.largest = max([self.largest, *finite])
        self.lengths.add(len(values))
        self.binary &= all(each in (0, 1) for each in values)
        self.is_set &= all(one < other for one, other in pairwise(values))
        self.integers &= integers

    @property
    def length(self) -> int:
        """Length of the vectors, 0 if they differ or there are none."""
        return next(iter(self.lengths)) if len(self.lengths) == 1 else 0

    @property
    def is_vector(self) -> bool:
        """True if the numbers are a 0 or 1 for every class."""
        return self.binary and self.length > 1 and (not self.is_set or not self.integers)

    def as_labels(self, key: str, *, named: bool) -> LabelKey:
        """Return what they are if they are labels."""
        if self.is_vector:
            return LabelKey(key, "multi_hot" if self.integers else "multi_hot_floats", self.length, named)
        return LabelKey(key, "numbers", min(self.largest + 1, MOST_CLASSES), named)

    @property
    def are_classes(self) -> bool:
        """True if the numbers can be labels, whatever their name is."""
        return self.is_vector or (self.integers and self.is_set and self.smallest == 0 <= self.largest < MOST_CLASSES)
