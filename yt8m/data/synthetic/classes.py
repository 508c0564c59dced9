"""Class prototypes of synthetic videos."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from yt8m.data.synthetic.statistics import class_shares

# Kinds of evidence by frequency rank of the class. The pattern repeats, so that every kind has frequent and infrequent
# classes. A cooccurrence class is implied by the next class. Two neighboring order classes mirror each other.
_PATTERN = (
    "cooccurrence",
    "mean",
    "mean",
    "order",
    "order",
    "rare",
    "variance",
    "mean",
    "mean",
    "rare",
    "mean",
    "variance",
)

# All kinds, in the order of reports.
KINDS = ("mean", "rare", "variance", "order", "cooccurrence")

# Probability that a video with the parent class also has the implied class ("Video game" and "Game").
IMPLIED_SHARE = 0.92

# Number of topics in YouTube-8M ("verticals"), and classes per topic in smaller vocabularies.
_MAX_TOPICS = 24
_CLASSES_PER_TOPIC = 6


@dataclass(frozen=True)
class Classes:
    """The class vocabulary of procedural videos; class 0 is the most frequent.

    Attributes:
        kinds: Kind of evidence of each class.
        shares: Share of all labels that each class holds, `(C,)`.
        topics: Topic of each class, `(C,)`; classes of a topic tend to occur together.
        num_topics: Number of topics.
    """

    kinds: tuple[str, ...]
    shares: NDArray[np.float64]
    topics: NDArray[np.int64]
    num_topics: int

    @property
    def num_classes(self) -> int:
        """Number of classes `C`."""
        return len(self.kinds)

    @cached_property
    def implied(self) -> dict[int, int]:
        """The implied cooccurrence class, by parent class."""
        return {c + 1: c for c, kind in enumerate(self.kinds) if kind == "cooccurrence"}

    @cached_property
    def mirrored(self) -> dict[int, int]:
        """The order class with the reversed sequence of scenes, by order class."""
        first = [c for c, kind in enumerate(self.kinds) if kind == "order"][::2]
        return {c: c + 1 for c in first} | {c + 1: c for c in first}

    def of_kind(self, kind: str) -> list[int]:
        """Return the classes of a kind in ascending order."""
        return [c for c, each in enumerate(self.kinds) if each == kind]


def make_classes(rng: np.random.Generator, num_classes: int) -> Classes:
    """Assign a kind of evidence, a frequency and a topic to each of `num_classes` classes."""
    kinds = [_PATTERN[c % len(_PATTERN)] for c in range(num_classes)]
    # An order class without its mirror class, or a cooccurrence class without its parent, would have no evidence.
    if kinds[-1] == "cooccurrence" or (kinds[-1] == "order" and kinds.count("order") % 2):
        kinds[-1] = "mean"
    num_topics = max(1, min(_MAX_TOPICS, num_classes // _CLASSES_PER_TOPIC))
    topics = rng.permutation(np.arange(num_classes) % num_topics)
    classes = Classes(tuple(kinds), class_shares(num_classes), topics, num_topics)
    for follower, leader in [*classes.implied.items(), *classes.mirrored.items()]:
        topics[max(follower, leader)] = topics[min(follower, leader)]
    return classes
