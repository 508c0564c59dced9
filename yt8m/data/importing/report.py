"""Result of an import: what was written, or would be."""

from collections.abc import Iterator
from typing import Self

import numpy as np

from yt8m.config import Config
from yt8m.data.description import DatasetDescription
from yt8m.data.importing.labels import LabelTable
from yt8m.data.importing.plan import UNLABELED, ShardPlan
from yt8m.data.importing.survey import Survey


class ImportReport(Config):
    """What an import wrote, or would write.

    Attributes:
        description: Content of `dataset.json`.
        frames: Number of frames of all videos.
        shortest: Number of frames of the shortest video.
        longest: Number of frames of the longest video, before it was cut.
        cut: Number of videos that were cut.
        size_bytes: Size of all shards, estimated.
        unlabeled: Number of videos without labels, or with an empty list of labels.
        labels_without_video: Number of ids in the file of labels that no video has; None without such a file.
        unseen_classes: Number of classes that no video has.
        one_sided_classes: Number of classes with two or more videos that only training or validation has.
        was_complete: Whether the folder already had this data set.
    """

    description: DatasetDescription
    frames: int
    shortest: int
    longest: int
    cut: int
    size_bytes: int
    unlabeled: int
    labels_without_video: int | None
    unseen_classes: int
    one_sided_classes: int
    was_complete: bool = False

    @classmethod
    def of(cls, description: DatasetDescription, survey: Survey, plan: ShardPlan, labels: LabelTable | None) -> Self:
        """Collect the figures of an import."""
        labeled = int(np.count_nonzero(survey.class_counts))
        return cls(
            description=description,
            frames=survey.frames,
            shortest=survey.shortest,
            longest=survey.longest,
            cut=survey.cut,
            size_bytes=plan.size_bytes,
            unlabeled=survey.videos - labeled,
            labels_without_video=len(labels) - survey.matched if labels else None,
            unseen_classes=description.data.num_classes - len(np.unique(survey.classes)),
            one_sided_classes=plan.one_sided,
        )

    @property
    def videos(self) -> int:
        """Number of videos."""
        return sum(self.description.videos.values())

    def summary(self) -> Iterator[tuple[str, str]]:
        """Yield lines that describe the data set, as pairs of a name and a text."""
        spec, imported = self.description.data, self.description.imported
        assert imported
        yield "videos", f"{self.videos:,}"
        mean = self.frames / self.videos
        cut = f"; {self.cut:,} videos are cut after {spec.max_frames}" if self.cut else ""
        yield "frames per video", f"{self.shortest:,} to {self.longest:,}, mean {mean:.1f}{cut}"
        for name, size in spec.features.items():
            low, high = spec.range_of(name)
            clipped = f"{imported.clipped[name]:.3%} of the values are outside and clipped"
            yield f"feature {name}", f"{size:,} values in bytes from {low:.6g} to {high:.6g}; {clipped}"
        unseen = f", {self.unseen_classes:,} of them without a video" if self.unseen_classes else ""
        yield "classes", f"{spec.num_classes:,}{unseen}" if self.unlabeled < self.videos else "none: no labels"
        if self.one_sided_classes:
            yield "classes on one side only", f"{self.one_sided_classes:,}: not both trained and validated"
        yield "videos without labels", self._unlabeled()
        if self.labels_without_video is not None:
            yield "labels without a video", f"{self.labels_without_video:,}"
        if imported.groups:
            yield "groups", f"{imported.groups:,}, each on one side"
        for split, videos in self.description.videos.items():
            shards = self.description.shards[split]
            yield split, f"{videos:,} videos ({videos / self.videos:.1%}) in {shards:,} shards"
        yield "size", f"about {self.size_bytes:,} bytes"

    def _unlabeled(self) -> str:
        if not self.unlabeled:
            return "0"
        where = UNLABELED if UNLABELED in self.description.videos else "test"
        return f"{self.unlabeled:,}, in {where} shards: for predictions, not for training"
