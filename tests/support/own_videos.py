"""Sources of small videos to import, without files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from yt8m.data.importing.video import SourceVideo


@dataclass
class OwnVideos:
    """Videos drawn from their numbers, with labels, and groups if asked for.

    Attributes:
        count: Number of videos.
        features: Size by name.
        most_frames: Videos have 1 to so many frames.
        labels: Function that returns the labels of a video's number.
        groups: Number of groups; 0 for none.
        shift: Number that is added to all values.
    """

    count: int
    features: dict[str, int] = field(default_factory=lambda: {"rgb": 6, "audio/2": 3})
    most_frames: int = 4
    labels: Callable[[int], tuple[str | int, ...] | None] = lambda number: (f"class {number % 7}",)
    groups: int = 0
    shift: float = 0.0

    def video(self, number: int) -> SourceVideo:
        rng = np.random.default_rng(number)
        frames = 1 + number % self.most_frames
        values = {
            name: (rng.normal(size=(frames, size)) + self.shift).astype(np.float32)
            for name, size in self.features.items()
        }
        group = f"g{number % self.groups}" if self.groups else ""
        return SourceVideo(f"v{number}", values, f"row {number}", self.labels(number), group)

    def __iter__(self) -> Iterator[SourceVideo]:
        return map(self.video, range(self.count))
