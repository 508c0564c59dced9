"""The first pass over videos to import: counts, labels, groups, ranges and a digest, in a few bytes per video."""

import hashlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.data.format import MOST_CLASSES
from yt8m.data.importing.labels import LabelTable
from yt8m.data.importing.ranges import ValueRange
from yt8m.data.importing.readers.checked import weight_of
from yt8m.data.importing.video import SourceVideo, VideoSource
from yt8m.data.importing.vocabulary import Vocabulary
from yt8m.errors import DataError


class LabeledVideos:
    """Videos of a source with the labels, groups and weights that count: those of files, or else their own.

    Args:
        source: Videos.
        labels: Labels by id, instead of those of the source; None if there is no such file.
        groups: Groups by id, instead of those of the source; None if there is no such file.
        weights: Weights by id, instead of those of the source; None if there is no such file.
    """

    def __init__(
        self,
        source: VideoSource,
        labels: LabelTable | None,
        groups: LabelTable | None,
        weights: LabelTable | None = None,
    ) -> None:
        self.features = source.features
        self._source, self._labels, self._groups, self._weights = source, labels, groups, weights

    def __iter__(self) -> Iterator[SourceVideo]:
        """Read the videos."""
        for video in self._source:
            labels = self._labels.get(video.id) if self._labels else video.labels
            group = video.group
            if self._groups:
                group = "|".join(map(str, self._groups.get(video.id) or ()))
            weight = video.weight
            if self._weights:
                weight = weight_of("|".join(map(str, self._weights.get(video.id) or ())), self._weights.where(video.id))
            yield video._replace(labels=labels, group=group, weight=weight)

    def where_labels(self, video: SourceVideo) -> str:
        """Return the place of a video's labels for error messages."""
        return self._labels.where(video.id) if self._labels else video.where


class ContentDigest:
    """Digest of the videos of a source in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, video: SourceVideo) -> None:
        """Add a video."""
        about: list[Any] = [video.id, video.group, sorted(video.labels or ()), *video.features]
        about += [] if video.weight is None else [video.weight]
        self._hash.update(repr(about).encode("utf-8", "surrogatepass"))
        for values in video.features.values():
            self._hash.update(f"{values.shape}".encode())
            self._hash.update(np.ascontiguousarray(values).data)

    def hexdigest(self) -> str:
        """Return the digest of all videos so far."""
        return self._hash.hexdigest()


class ClassNumbers:
    """Class numbers of labels. Names without a vocabulary are numbered in sorted order once all are known.

    Args:
        vocabulary: Names of the classes; None if it is to be made from the labels.
        num_classes: Number of classes; None if the labels decide it.
    """

    def __init__(self, vocabulary: Vocabulary | None, num_classes: int | None) -> None:
        self._vocabulary = vocabulary
        self._limit = num_classes or MOST_CLASSES
        self._is_given = num_classes is not None
        # Numbers of names in the order in which they appeared.
        self._found: dict[str, int] = {}

    def of(self, labels: Sequence[str | int], where: str) -> list[int]:
        """Return the class numbers of a video's labels, each once; they may be renumbered by `finish`.

        Raises:
            DataError: A label is unknown.
        """
        if self._vocabulary:
            numbers = list(self._vocabulary.numbers_of(labels, where))
        else:
            numbers = sorted({self._number_of(label) for label in labels})
        if numbers and max(numbers) >= self._limit:
            remedy = "Correct the labels, or the number of classes." if self._is_given else "Give names as labels."
            raise DataError(
                f"{where}: labels {', '.join(map(str, labels))}: expected classes from 0 to {self._limit - 1}, "
                f"received {max(numbers)}. {remedy}"
            )
        if numbers and numbers[0] < 0:
            raise DataError(f"{where}: label {numbers[0]}: expected the number of a class, from 0.")
        return numbers

    def finish(self, numbers: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], dict[int, str]]:
        """Renumber names in sorted order.

        Args:
            numbers: Class numbers of all videos, as `of` returned them.

        Returns:
            The final numbers, and the names by class; the names are empty if labels are numbers without a vocabulary.
        """
        if self._vocabulary:
            return numbers, self._vocabulary.names
        if not self._found:
            return numbers, {}
        names = sorted(self._found)
        places = np.empty(len(names), np.uint16)
        places[[self._found[name] for name in names]] = np.arange(len(names))
        return places[numbers], dict(enumerate(names))

    def _number_of(self, label: str | int) -> int:
        return label if isinstance(label, int) else self._found.setdefault(label, len(self._found))


class Survey:
    """What is known about all videos after the first pass, with about 20 bytes per video.

    Attributes:
        videos: Number of videos.
        frames: Number of frames of all videos, after truncation.
        longest: Number of frames of the longest video, after truncation.
        shortest: Number of frames of the shortest video, after truncation.
        cut: Number of videos that are longer than the limit.
        ids_bytes: Length of all ids and groups.
        matched: Number of videos with labels, or with an empty list of labels.
        has_labels: Whether any video has labels.
        names: Names by class; empty if labels are numbers without a vocabulary.
        classes: Classes of all videos, one video after the other.
        class_counts: Number of classes of every video.
        groups: Number of every video's group; None without groups.
        num_groups: Number of groups, of which videos without a group are one each.
        has_weights: Whether any video has a weight.
        measured: Range of every feature, and what its bytes do to the values.
        content: Digest of the videos.
    """

    def __init__(
        self,
        source: LabeledVideos,
        numbers: ClassNumbers,
        *,
        ranges: Mapping[str, tuple[float, float]],
        max_frames: int | None,
        advance: Callable[[], object],
    ) -> None:
        self.videos = self.frames = self.longest = self.cut = self.ids_bytes = self.matched = 0
        self.shortest = np.iinfo(np.int64).max
        values = {name: ValueRange(ranges.get(name)) for name in source.features}
        classes, counts, groups = array("H"), array("H"), array("Q")
        has_groups, digest = False, ContentDigest()
        self.has_weights = False
        for full in source:
            video = cut_frames(full, max_frames)
            found = numbers.of(full.labels, source.where_labels(full)) if full.labels else []
            classes.extend(found)
            counts.append(len(found))
            groups.append(_hash_of(video.group) if video.group else _hash_of(f"\0{self.videos}"))
            has_groups = has_groups or bool(video.group)
            self.has_weights = self.has_weights or video.weight is not None
            digest.add(video)
            for name, array_of in video.features.items():
                values[name].add(array_of)
            self._count(full, video)
            advance()
        self.classes, self.names = numbers.finish(np.frombuffer(classes, np.uint16))
        self.class_counts = np.frombuffer(counts, np.uint16)
        self.has_labels = bool(self.class_counts.any())
        self.groups: NDArray[np.uint32] | None = None
        self.num_groups = 0
        if has_groups:
            self.groups, self.num_groups = _number_groups(groups)
        self.measured = {name: each.measure() for name, each in values.items()}
        self.content = digest.hexdigest()

    def _count(self, full: SourceVideo, video: SourceVideo) -> None:
        length = num_frames(video)
        self.videos += 1
        self.matched += full.labels is not None
        self.frames += length
        self.longest, self.shortest = max(self.longest, length), min(self.shortest, length)
        self.cut += length < num_frames(full)
        self.ids_bytes += len(full.id.encode()) + len(full.group.encode("utf-8", "surrogatepass"))


def cut_frames(video: SourceVideo, max_frames: int | None) -> SourceVideo:
    """Return a video with at most `max_frames` frames."""
    if max_frames is None or num_frames(video) <= max_frames:
        return video
    return video._replace(features={name: values[:max_frames] for name, values in video.features.items()})


def num_frames(video: SourceVideo) -> int:
    """Return the number of frames `T` of a video."""
    return len(next(iter(video.features.values())))


def _hash_of(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _number_groups(groups: "array[int]") -> tuple[NDArray[np.uint32], int]:
    names, numbers = np.unique(np.frombuffer(groups, np.uint64), return_inverse=True)
    return numbers.astype(np.uint32), len(names)
