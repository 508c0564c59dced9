"""What tells the classes of generated videos apart."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from yt8m.data.synthetic.statistics import class_shares

# Kinds of evidence, by rank of the class; the pattern repeats, so every kind has frequent and infrequent classes.
# A co-occurrence class follows from the next class; the two neighbouring order classes mirror each other.
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

# Every kind, in the order of reports.
KINDS = ("mean", "rare", "variance", "order", "cooccurrence")

# Share of the videos with a parent class that have the co-occurring class as well ("Video game" and "Game").
IMPLIED_SHARE = 0.92

# Topics of the original ("verticals"), and classes per topic where there are fewer classes.
_MOST_TOPICS = 24
_CLASSES_PER_TOPIC = 6


@dataclass(frozen=True)
class Classes:
    """The classes of a generated world; class 0 is the most frequent.

    Attributes:
        kinds: Kind of each of the `C` classes.
        shares: Share of all labels, `(C,)`.
        topics: Topic of each class, `(C,)`; classes of a topic come together.
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
        """Class -> the co-occurrence class that it implies."""
        return {c + 1: c for c, kind in enumerate(self.kinds) if kind == "cooccurrence"}

    @cached_property
    def mirrored(self) -> dict[int, int]:
        """Order class -> the one that shows the same scenes the other way round."""
        first = [c for c, kind in enumerate(self.kinds) if kind == "order"][::2]
        return {c: c + 1 for c in first} | {c + 1: c for c in first}

    def of_kind(self, kind: str) -> list[int]:
        """The classes of a kind, ascending."""
        return [c for c, each in enumerate(self.kinds) if each == kind]


def make_classes(rng: np.random.Generator, num_classes: int) -> Classes:
    """Give each class a kind of evidence, a frequency and a topic.

    Args:
        rng: VideoSource of randomness.
        num_classes: Number of classes `C`.

    Returns:
        The classes.
    """
    kinds = [_PATTERN[c % len(_PATTERN)] for c in range(num_classes)]
    # An order class without its mirror image or an implied class without its parent would have no evidence.
    if kinds[-1] == "cooccurrence" or (kinds[-1] == "order" and kinds.count("order") % 2):
        kinds[-1] = "mean"
    num_topics = max(1, min(_MOST_TOPICS, num_classes // _CLASSES_PER_TOPIC))
    topics = rng.permutation(np.arange(num_classes) % num_topics)
    classes = Classes(tuple(kinds), class_shares(num_classes), topics, num_topics)
    for follower, leader in [*classes.implied.items(), *classes.mirrored.items()]:
        topics[max(follower, leader)] = topics[min(follower, leader)]
    return classes
