"""What a split divides: videos or groups of videos, with their classes."""

import numpy as np
from numpy.typing import NDArray


class Units:
    """What stays on one side: single videos, or groups of videos.

    Args:
        sizes: Number of videos of every unit, (U,).
        owners: Unit of every entry of `classes`, ascending, (E,).
        classes: Class that occurs in the unit, (E,).
        weights: Number of the unit's videos with that class, (E,). None means 1.
        num_classes: Number of classes.
    """

    def __init__(
        self,
        sizes: NDArray[np.integer],
        owners: NDArray[np.uint32],
        classes: NDArray[np.uint16],
        weights: NDArray[np.int64] | None,
        num_classes: int,
    ) -> None:
        self.sizes, self.owners, self.classes, self.weights = sizes, owners, classes, weights
        self.num_classes = num_classes

    @classmethod
    def of_videos(cls, counts: NDArray[np.uint16], classes: NDArray[np.uint16], num_classes: int) -> "Units":
        """Make a unit of every video.

        Args:
            counts: Number of classes of every video, (N,).
            classes: Classes of all videos, one video after the other, (E,).
            num_classes: Number of classes.
        """
        owners = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)
        return cls(np.ones(len(counts), np.uint8), owners, classes, None, num_classes)

    def grouped(self, groups: NDArray[np.uint32], num_groups: int) -> "Units":
        """Join videos to groups.

        Args:
            groups: Number of every video's group, (N,).
            num_groups: Number of groups.
        """
        pairs = groups[self.owners].astype(np.int64) * self.num_classes + self.classes
        pairs, weights = np.unique(pairs, return_counts=True)
        owners, classes = np.divmod(pairs, self.num_classes)
        sizes = np.bincount(groups, minlength=num_groups)
        return Units(sizes, owners.astype(np.uint32), classes.astype(np.uint16), weights, self.num_classes)

    def ends(self) -> NDArray[np.int64]:
        """Return where the entries of every unit begin, and where the last ones end, (U + 1,)."""
        return np.searchsorted(self.owners, np.arange(len(self.sizes) + 1, dtype=np.uint32))

    def class_counts(self, sides: NDArray[np.uint8], num_sides: int) -> NDArray[np.int64]:
        """Count the videos of every class on every side, (S, C)."""
        places = sides[self.owners].astype(np.int64) * self.num_classes + self.classes
        counts = np.bincount(places, self.weights, num_sides * self.num_classes)
        return counts.astype(np.int64).reshape(num_sides, self.num_classes)
