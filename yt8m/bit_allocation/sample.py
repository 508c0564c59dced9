"""A sample of the hold-out videos that decide, in memory, on which variants of a model are compared."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from yt8m.bootstrap import difference_error
from yt8m.data.partition import Partition
from yt8m.metrics import StreamingMetrics
from yt8m.models.inference import Predictor, predict_videos
from yt8m.top_classes import top_classes
from yt8m.training.holdout import read_holdout

# Largest sample in memory, with its predictions.
MEMORY_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Sample:
    """Hold-out videos and their labels.

    Attributes:
        frames: Quantized frames, uint8 `(N, T, D)`.
        num_frames: Numbers of real frames, int32 `(N,)`.
        labels: Multi-hot labels, uint8 `(N, C)`.
    """

    frames: npt.NDArray[np.uint8]
    num_frames: npt.NDArray[np.int32]
    labels: npt.NDArray[np.uint8]

    @classmethod
    def read(cls, partition: Partition, most: int, batch_size: int) -> Self:
        """Read every n-th video of the part *select*, or of the whole hold-out if it is not divided.

        Args:
            partition: Partition with the hold-out shards and their division.
            most: Largest number of videos. Fewer are read if they would take more than a gigabyte.
            batch_size: Number of videos that are read at a time.
        """
        spec = partition.spec
        # Predictions of the float model and of a variant are in memory as well.
        video_bytes = spec.max_frames * spec.num_features + 9 * spec.num_classes
        most = max(min(most, MEMORY_BYTES // video_bytes), 1)
        deciding = partition.division.select_videos or partition.num_holdout_videos
        every = max(deciding // most, 1)
        kept: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.uint8]]] = []
        seen = found = 0
        for batch in read_holdout(partition, batch_size):
            rows = np.flatnonzero(~batch["report"])
            rows, seen = rows[(seen + np.arange(len(rows))) % every == 0][: most - found], seen + len(rows)
            found += len(rows)
            kept.append((batch["frames"][rows], batch["num_frames"][rows], batch["labels"][rows]))
        frames = np.zeros((found, spec.max_frames, spec.num_features), np.uint8)
        start = 0
        for part, _, _ in kept:  # padded to the longest of their batch
            frames[start : start + len(part), : part.shape[1]] = part
            start += len(part)
        return cls(frames, *(np.concatenate(arrays) for arrays in list(zip(*kept, strict=True))[1:]))

    def __len__(self) -> int:
        """Return the number of videos `N`."""
        return len(self.frames)

    def part(self, most: int) -> Self:
        """Return every n-th of the videos, at most so many."""
        rows = np.linspace(0, len(self), min(most, len(self)), endpoint=False).astype(int)
        return type(self)(self.frames[rows], self.num_frames[rows], self.labels[rows])

    def predict(self, predictor: Predictor, batch_size: int) -> npt.NDArray[np.float32]:
        """Predict all videos, float32 `(N, C)`."""
        starts = range(0, len(self), batch_size)
        batches = [slice(start, start + batch_size) for start in starts]
        return np.concatenate(
            [predict_videos(predictor, self.frames[each], self.num_frames[each], batch_size) for each in batches]
        )

    def lost_gap(
        self, reference: npt.NDArray[np.float32], probabilities: npt.NDArray[np.float32], top_k: int
    ) -> tuple[float, float]:
        """Compute how much GAP predictions of all videos lose to others, and the standard error of it."""
        first, second = (StreamingMetrics(self.labels.shape[1], top_k) for _ in range(2))
        first.update(reference, self.labels)
        second.update(probabilities, self.labels)
        error = difference_error(first.keys, second.keys, first.label_counts)
        return first.result()["gap"] - second.result()["gap"], error


def expected_gap(reference: npt.NDArray[np.float32], probabilities: npt.NDArray[np.float32], top_k: int) -> float:
    """Compute the GAP that the float model expects of predictions: each label is there with its probability.

    It is lower for predictions that rank differently from the float model. By how much tells the loss of GAP more
    exactly than labels do, as a sample has few of them.

    Args:
        reference: Probabilities of the float model, float32 `(N, C)`.
        probabilities: Predictions of which GAP is expected, of the same shape.
        top_k: Number of predictions per video that count in GAP.

    Raises:
        DataError: A prediction is negative or not finite.
    """
    classes, scores = top_classes(probabilities, top_k)
    chances = np.take_along_axis(reference, classes.astype(np.int64), axis=1).astype(np.float64).ravel()
    chances = chances[np.argsort(-scores, axis=None, kind="stable")]
    # A label counts itself and the expected labels of higher ranks.
    precision = (1 + np.cumsum(chances) - chances) / np.arange(1, len(chances) + 1)
    return float(chances @ precision / max(reference.sum(dtype=np.float64), np.finfo(np.float64).tiny))
