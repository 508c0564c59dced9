"""Result of an import: what was written, or would be."""

from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np

from yt8m.config import Config
from yt8m.data.description import DatasetDescription
from yt8m.data.importing.dividing.plan import UNLABELED, ShardPlan
from yt8m.data.importing.dividing.split import LEAST_GROUPS
from yt8m.data.importing.labels import LabelTable
from yt8m.data.importing.survey import Survey
from yt8m.words import count

# Share of the values outside a range above which a warning says so.
_MUCH_CLIPPED = 0.05


class ImportReport(Config):
    """What an import wrote, or would write.

    Attributes:
        description: Content of `dataset.json`.
        frames: Number of frames of all videos.
        shortest: Number of frames of the shortest video, like the others after they were cut.
        longest: Number of frames of the longest video.
        cut: Number of videos that were cut.
        size_bytes: Size of all shards, estimated.
        unlabeled: Number of videos without labels, or with an empty list of labels.
        all_empty: Whether there are labels, which are empty for all videos.
        labels_without_video: Number of ids in the file of labels that no video has; None without such a file.
        unseen_classes: Number of classes that no video has.
        lacks_class_0: Whether labels are numbers without names, and no video has the class 0.
        untrained_classes: Number of classes that have videos, but none for training.
        unvalidated_classes: Number of classes that have videos, but none for validation.
        used_classes: Number of classes that have videos.
        shared: Share of the values that the two most frequent bytes stand for, by feature.
        constant: The only value of every feature that has no other.
        was_complete: Whether the folder already had this data set.
    """

    description: DatasetDescription
    frames: int
    shortest: int
    longest: int
    cut: int
    size_bytes: int
    unlabeled: int
    all_empty: bool
    labels_without_video: int | None
    unseen_classes: int
    lacks_class_0: bool
    untrained_classes: int
    unvalidated_classes: int
    used_classes: int
    shared: Mapping[str, float]
    constant: Mapping[str, float]
    was_complete: bool = False

    @classmethod
    def of(cls, description: DatasetDescription, survey: Survey, plan: ShardPlan, labels: LabelTable | None) -> Self:
        """Collect the figures of an import."""
        labeled, used_classes = int(np.count_nonzero(survey.class_counts)), len(np.unique(survey.classes))
        return cls(
            description=description,
            frames=survey.frames,
            shortest=survey.shortest,
            longest=survey.longest,
            cut=survey.cut,
            size_bytes=plan.size_bytes,
            unlabeled=survey.videos - labeled,
            all_empty=survey.matched > 0 and not survey.has_labels,
            labels_without_video=len(labels) - survey.matched if labels else None,
            unseen_classes=description.data.num_classes - used_classes,
            lacks_class_0=not survey.names and 0 not in survey.classes,
            used_classes=used_classes,
            shared={name: each.shared for name, each in survey.measured.items() if each.is_too_wide},
            constant={name: each.constant for name, each in survey.measured.items() if each.constant is not None},
            untrained_classes=plan.untrained,
            unvalidated_classes=plan.unvalidated,
        )

    @property
    def one_validation_group(self) -> bool:
        """Whether all videos for validation are of one group, so that they cannot be divided."""
        return self.description.imported is not None and self.description.imported.validation_groups == 1

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
        cut = f"; {count(self.cut, 'video')} cut after {spec.max_frames}" if self.cut else ""
        yield "frames per video", f"{self.shortest:,} to {self.longest:,}, mean {mean:.1f}{cut}"
        for name, size in spec.features.items():
            low, high = spec.range_of(name)
            clipped = f"{imported.clipped[name]:.3%} of the values are outside and clipped"
            yield f"feature {name}", f"{size:,} values in bytes from {low:.6g} to {high:.6g}; {clipped}"
        unseen = f", {self.unseen_classes:,} of them without a video" if self.unseen_classes else ""
        yield "classes", f"{spec.num_classes:,}{unseen}" if self.unlabeled < self.videos else "none: no labels"
        yield "videos without labels", self._unlabeled()
        if self.labels_without_video is not None:
            yield "labels without a video", f"{self.labels_without_video:,}"
        if imported.groups:
            yield "groups", f"{imported.groups:,}, each on one side"
        if spec.layout.weight:
            yield "weights", "in the records, for training; videos without one have 1"
        for split, videos in self.description.videos.items():
            shards = self.description.shards[split]
            share = f"{videos / self.videos:.1%}"
            yield split, f"{count(videos, 'video')} ({share}) in {count(shards, 'shard')}"
        yield "size", f"about {self.size_bytes:,} bytes"

    def warnings(self) -> Iterator[str]:
        """Yield sentences on what may spoil the training."""
        spec, imported = self.description.data, self.description.imported
        assert imported
        for name, clipped in imported.clipped.items():
            if clipped > _MUCH_CLIPPED:
                low, high = spec.range_of(name)
                yield f"{name}: {clipped:.1%} of the values are outside {low:g} to {high:g} and lost. Check the range."
        for name, shared in self.shared.items():
            low, high = spec.range_of(name)
            yield (
                f"{name}: {shared:.1%} of the values other than 0 become one or two of the 256 bytes from {low:g} to "
                f"{high:g}, and can hardly be told apart. Give a narrower --range, or scale the feature, for instance "
                "by a logarithm."
            )
        for name, value in self.constant.items():
            yield f"{name}: all values of all videos are {value:g}, so that a model learns nothing from it."
        if self.unseen_classes and self.unlabeled < self.videos:
            verb, them = ("has", "it") if self.unseen_classes == 1 else ("have", "them")
            hint = " Class numbers count from 0." if self.lacks_class_0 else ""
            yield (
                f"{self.unseen_classes:,} of {count(spec.num_classes, 'class', 'classes')} {verb} no video, so that "
                f"a model cannot learn {them}.{hint}"
            )
        if self.all_empty:
            yield "All videos have an empty list of labels. They can be predicted, but not trained on."
        if self.unlabeled < self.videos and self.used_classes < 2:
            yield "All labeled videos have the same class, so that a model has nothing to tell apart."
        yield from self._about_sides()

    def _about_sides(self) -> Iterator[str]:
        """Yield sentences on what a side lacks."""
        for number, purpose in ((self.untrained_classes, "training"), (self.unvalidated_classes, "validation")):
            if number:
                verb = "has" if number == 1 else "have"
                yield f"{number:,} of {count(self.used_classes, 'class', 'classes')} {verb} no video for {purpose}."
        if not self.one_validation_group:
            return
        assert self.description.imported
        split, groups = self.description.imported.split, self.description.imported.groups
        remedy = f"Import videos of more groups (here: {groups}), or of smaller ones."
        if {"train", "test"} <= split.keys() and groups >= LEAST_GROUPS:
            share = split["validate"] + split["test"]
            remedy += f" Or leave the test out: --split train={1 - share:g},validate={share:g}."
        yield (
            f"All {self.description.videos['validate']:,} videos for validation are of one group. A group stays whole, "
            "so that they cannot be divided into videos that decide and videos that give the figures. A recipe needs "
            "data.report_share: 0, as `yt8m init` writes it: the same videos decide and give the figures, which are a "
            f"little too good. {remedy}"
        )

    def _unlabeled(self) -> str:
        if not self.unlabeled:
            return "0"
        where = UNLABELED if UNLABELED in self.description.videos else "test"
        return f"{self.unlabeled:,}, in {where} shards: for predictions, not for training"
