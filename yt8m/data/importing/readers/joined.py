"""Features of the same videos from several sources, joined by their ids."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from yt8m.data.importing.video import RawVideo, SourceVideo, VideoSource
from yt8m.errors import DataError


class NamedVideos:
    """Videos whose only feature gets another name.

    Args:
        videos: Videos.
        name: Name of the feature.
    """

    def __init__(self, videos: Iterable[RawVideo], name: str) -> None:
        self._videos, self._name = videos, name

    def __iter__(self) -> Iterator[RawVideo]:
        for video in self._videos:
            if len(video.arrays) == 1:
                yield video._replace(arrays={self._name: next(iter(video.arrays.values()))})
            else:
                yield video


class JoinedSource:
    """Videos whose features come from several sources, which have the same ids in the same order.

    Args:
        sources: Source by the name of its feature. Each one has a single feature.

    Raises:
        DataError: A source has several features.
    """

    def __init__(self, sources: Mapping[str, VideoSource]) -> None:
        for name, source in sources.items():
            if len(source.features) > 1:
                where = next(iter(source)).where
                raise DataError(
                    f"{where}: expected one feature for {name}=..., received {', '.join(source.features)}. Choose one "
                    "with --feature, or give the files without a name to read all of them."
                )
        self._sources = sources

    @property
    def features(self) -> Mapping[str, int]:
        """Size by name."""
        return {name: size for name, source in self._sources.items() for size in source.features.values()}

    def __iter__(self) -> Iterator[SourceVideo]:
        for parts in zip_longest(*self._sources.values()):
            first = next(each for each in parts if each is not None)
            if any(each is None or each.id != first.id for each in parts):
                self._refuse(parts)
            features = dict(zip(self._sources, map(_only, parts), strict=True))
            if len({len(matrix) for matrix in features.values()}) > 1:
                received = ", ".join(
                    f"{name} {len(matrix)} ({part.where})"
                    for (name, matrix), part in zip(features.items(), parts, strict=True)
                )
                raise DataError(
                    f"{first.where}: video '{first.id}': expected equal numbers of frames of all features, received "
                    f"{received}."
                )
            labels = next((each.labels for each in parts if each.labels is not None), None)
            group = next((each.group for each in parts if each.group), "")
            weight = next((each.weight for each in parts if each.weight is not None), None)
            yield SourceVideo(first.id, features, first.where, labels, group, weight)

    def _refuse(self, parts: tuple[SourceVideo | None, ...]) -> None:
        """Raise an error that names an id which a source lacks, or says that the order differs."""
        present = [(name, part) for name, part in zip(self._sources, parts, strict=True) if part is not None]
        for name, part in present:
            for other, source in self._sources.items():
                if other != name and all(each.id != part.id for each in source):
                    raise DataError(
                        f"{part.where}: video '{part.id}' has the feature '{name}' and lacks '{other}'. Every video "
                        "needs all features: add it, or remove the video."
                    )
        (_, first), (_, second) = present[0], next(each for each in present if each[1].id != present[0][1].id)
        raise DataError(
            f"{first.where}: video '{first.id}' is at the place of '{second.id}' in {second.where}: the sources have "
            "the same videos in different orders. Sort both by id."
        )


def _only(video: SourceVideo) -> NDArray[np.float32]:
    (matrix,) = video.features.values()
    return matrix
