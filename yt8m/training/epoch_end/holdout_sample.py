"""A sample of the part *select* of the hold-out, on which a training is measured after every epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, Shard
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import data_errors, read_videos
from yt8m.holdout import hash_keys
from yt8m.metrics import GAP_TOP_K, StreamingMetrics
from yt8m.models.inference import Predictor, predict_videos
from yt8m.training.holdout import PredictedBatch, summed_crossentropy
from yt8m.training.steps import SAMPLE_VIDEOS, SAMPLED_VIDEOS

_MEMORY_BYTES = 1 << 30
_BATCH_VIDEOS = 128
_HASHES = 2**64

Videos = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class SampleFigures:
    """What a network is worth on the sample.

    Attributes:
        gap: GAP. None if no video of the sample has a label.
        loss: Cross entropy, summed over classes and averaged over videos. NaN or infinite after a diverged training,
            None if the sample has no video.
    """

    gap: float | None
    loss: float | None


class Sample(Protocol):
    """Videos on which a network is measured.

    Attributes:
        part: Part of the hold-out to which they belong: `select`, or `hold-out` if it is not divided.
    """

    part: str

    def measure(self, predictor: Predictor, *, exclusive: bool) -> SampleFigures:
        """Predict the videos, and compute GAP and loss.

        Args:
            predictor: Predictor of the network.
            exclusive: Whether the classes exclude each other, so that the loss is the categorical cross entropy.
        """


class HoldoutSample:
    """At most 2,000 hold-out videos that decide, the same in all trainings on a partition.

    The videos are chosen by a hash of their ids, and none belongs to *report*. Of a large hold-out, only some shards
    are read.

    Args:
        partition: Partition with the hold-out shards. Its seed decides which videos are chosen.
        batch_size: Videos per step of the training. Twice as many are predicted at once, up to 128.
        top_k: Number of predictions per video that count in GAP.
    """

    def __init__(self, partition: Partition, batch_size: int, top_k: int = GAP_TOP_K) -> None:
        self.part = "select" if partition.division.part == "report" else "hold-out"
        self._partition = partition
        self._top_k = top_k
        self._batch_size = min(2 * batch_size, _BATCH_VIDEOS)
        self._shards, found = _choose_shards(partition)
        self._report = ReadReport()
        self._in_memory: list[Videos] | None = None
        # A little less than the maximum is expected, so that hardly ever more are found.
        self._share = 1.0 if found <= SAMPLE_VIDEOS else 0.95 * SAMPLE_VIDEOS / found
        self._fits = self.fits_in_memory(found, partition.spec)

    @staticmethod
    def fits_in_memory(num_videos: int, spec: DataSpec) -> bool:
        """Return whether the sample of a hold-out is kept in memory; otherwise it is read after every epoch.

        Args:
            num_videos: Number of hold-out videos.
            spec: Their features, classes and length.
        """
        size = min(num_videos, SAMPLE_VIDEOS) * (spec.max_frames * spec.num_features + spec.num_classes)
        return size <= _MEMORY_BYTES

    def measure(self, predictor: Predictor, *, exclusive: bool) -> SampleFigures:
        """Predict the videos, and compute GAP and loss; see `Sample`.

        Raises:
            DataError: A shard cannot be read.
            StorageError: A shard cannot be opened.
        """
        metrics = StreamingMetrics(self._partition.spec.num_classes, self._top_k)
        loss, videos, labels = 0.0, 0, 0
        for batch in self._batches():
            probabilities = predict_videos(predictor, batch["frames"], batch["num_frames"], self._batch_size)
            if not np.isfinite(probabilities).all():
                return SampleFigures(None, float("nan"))
            metrics.update(probabilities, batch["labels"])
            in_report = np.zeros(len(probabilities), np.bool_)
            predicted = PredictedBatch(batch["ids"], batch["labels"], probabilities, in_report)
            loss += summed_crossentropy(predicted, exclusive=exclusive)
            videos += len(probabilities)
            labels += int(np.count_nonzero(batch["labels"]))
        return SampleFigures(metrics.result()["gap"] if labels else None, loss / videos if videos else None)

    def _batches(self) -> Iterator[Videos] | list[Videos]:
        if self._in_memory is not None:
            return self._in_memory
        if not self._fits:
            return self._read()
        self._in_memory = list(self._read())
        return self._in_memory

    def _read(self) -> Iterator[Videos]:
        """Read the chosen videos in batches of a fixed size, but for the last one."""
        waiting: list[Videos] = []
        with data_errors():
            for video in islice(self._chosen(), SAMPLE_VIDEOS):
                waiting.append(video)
                if len(waiting) == self._batch_size:
                    yield _join(waiting)
                    waiting = []
        if waiting:
            yield _join(waiting)

    def _chosen(self) -> Iterator[Videos]:
        partition = self._partition
        batches = read_videos(
            [shard.uri for shard in self._shards],
            partition.spec,
            batch_size=_BATCH_VIDEOS,
            on_bad=partition.on_bad,
            checksums=partition.checksums,
            report=self._report,
            with_groups=True,
        )
        for batch in batches.as_numpy_iterator():
            in_report = partition.division.in_report(batch.pop("groups"))
            chosen = hash_keys(batch["ids"], partition.seed, "sample") < self._share * _HASHES
            for row in np.flatnonzero(chosen & ~in_report).tolist():
                yield {name: array[row : row + 1].copy() for name, array in batch.items()}


def _join(videos: list[Videos]) -> Videos:
    return {name: np.concatenate([video[name] for video in videos]) for name in videos[0]}


def _choose_shards(partition: Partition) -> tuple[list[Shard], int]:
    """Choose shards in a random order until they hold enough videos that decide.

    Returns:
        The shards in the partition's order, and the number of their videos that decide.
    """
    counts = partition.select_counts or [shard.videos for shard in partition.holdout]
    chosen: set[int] = set()
    videos = 0
    for number in np.random.default_rng(partition.seed).permutation(len(partition.holdout)).tolist():
        if videos >= SAMPLED_VIDEOS:
            break
        # A shard may have none: its videos can be of one group.
        if counts[number]:
            chosen.add(number)
        videos += counts[number]
    return [shard for number, shard in enumerate(partition.holdout) if number in chosen], videos
