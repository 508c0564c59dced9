"""Streaming metrics of the YouTube-8M challenge: GAP@k, mAP, Hit@1 and PERR.

Ties are resolved so that the metrics do not depend on the order of the videos:

- Among equal scores of one video, the smaller class index ranks first. This decides which classes are the top k.
- Equal scores of different videos form one threshold. The precision at each of them is the precision after the last
  one. Without ties this is equation 1 of the paper.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from yt8m.top_classes import top_classes

# Number of predictions per video that count in GAP, as in the challenge.
GAP_TOP_K = 20

# Videos processed at once. With 3,862 classes this takes some tens of MB.
_ROWS = 4096

_Key = TypeVar("_Key", np.uint32, np.uint64)


class StreamingMetrics:
    """Computes the metrics over batches of videos.

    The top k predictions of every video are kept with 6 bytes each (score, class, and a bit for hit or miss). With
    k = 20 this takes 122 bytes per video, or 28 MB for the 232,072 hold-out videos of the paper, independent of the
    number of classes.

    The recall in GAP and mAP counts all labels, including those outside the top k, as in the challenge's starter code.
    mAP considers the top k predictions of every video, as in the starter code, and is the mean over the classes with
    at least one label; the starter code counts other classes as 0. Hit@1 and PERR are means over all videos. A video
    without labels counts as 0 in them, as in the starter code, which averages over the rows of a batch.

    Args:
        num_classes: Number of classes `C`.
        top_k: Number of predictions per video that count in GAP and mAP; at most all classes.
    """

    def __init__(self, num_classes: int, top_k: int = GAP_TOP_K) -> None:
        self._top_k = min(top_k, num_classes)
        self._positives = np.zeros(num_classes, np.int64)
        self._keys: list[npt.NDArray[np.uint32]] = []
        self._classes: list[npt.NDArray[np.uint16]] = []
        self._label_counts: list[npt.NDArray[np.uint16]] = []
        self._videos = 0
        self._hits_at_1 = np.zeros(num_classes, np.int64)
        self._sum_perr = 0.0

    def update(self, probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Add a batch of predictions.

        Args:
            probabilities: Non-negative probabilities `(B, C)`.
            labels: Multi-hot labels `(B, C)`. Any value but 0 is a label.

        Raises:
            DataError: A probability is negative or not finite.
        """
        values, positive = np.asarray(probabilities), np.asarray(labels) != 0
        assert values.shape == positive.shape, (values.shape, positive.shape)
        label_counts = positive.sum(axis=1)
        depth = max(self._top_k, int(label_counts.max(initial=0)))
        classes, scores = top_classes(values, depth)
        self._add(classes, scores, np.take_along_axis(positive, classes.astype(np.int64), axis=1), label_counts)
        self._positives += positive.sum(axis=0)

    @property
    def keys(self) -> npt.NDArray[np.uint32]:
        """Keys of the top predictions of the videos so far, uint32 `(N, k)`; see `pack_keys`."""
        return np.concatenate([np.zeros((0, self._top_k), np.uint32), *self._keys])

    @property
    def label_counts(self) -> npt.NDArray[np.uint16]:
        """Number of labels of each video so far, predicted or not, uint16 `(N,)`."""
        return np.concatenate([np.zeros(0, np.uint16), *self._label_counts])

    def result(self) -> dict[str, float]:
        """Return `gap`, `map`, `hit_at_1`, `perr` and the number of `videos` so far, all finite."""
        keys = self.keys
        classes = np.concatenate([np.zeros((0, self._top_k), np.uint16), *self._classes])
        videos = max(self._videos, 1)
        return {
            "gap": gap_of_keys(keys, int(self._positives.sum())),
            "map": _mean_average_precision(keys, classes, self._positives),
            "hit_at_1": float(self._hits_at_1.sum()) / videos,
            "perr": self._sum_perr / videos,
            "videos": float(self._videos),
        }

    def accuracy(self) -> dict[str, float]:
        """Return what counts where every video so far has exactly one label.

        Returns:
            `accuracy`, the share of the videos whose most probable class is right, and `balanced_accuracy`, the mean of
            this share over the classes that have a video.
        """
        given = self._positives > 0
        right = self._hits_at_1[given] / self._positives[given]
        return {
            "accuracy": float(self._hits_at_1.sum()) / max(self._videos, 1),
            "balanced_accuracy": float(right.mean()) if given.any() else 0.0,
        }

    def _add(
        self,
        classes: npt.NDArray[np.uint16],
        scores: npt.NDArray[np.float32],
        hits: npt.NDArray[np.bool_],
        label_counts: npt.NDArray[np.int64],
    ) -> None:
        k = self._top_k
        self._videos += len(classes)
        self._hits_at_1 += np.bincount(classes[hits[:, 0], 0], minlength=len(self._hits_at_1))
        within = np.arange(hits.shape[1]) < label_counts[:, None]
        self._sum_perr += float(((hits & within).sum(axis=1) / np.maximum(label_counts, 1)).sum())
        # Copies, because views would keep all predictions of the batch in memory.
        self._keys.append(pack_keys(scores[:, :k], hits[:, :k]))
        self._classes.append(classes[:, :k].copy())
        self._label_counts.append(label_counts.astype(np.uint16))


def keys_from_top(
    classes: npt.NDArray[np.uint16],
    scores: npt.NDArray[np.float32],
    label_ptr: npt.NDArray[np.int64],
    labels: npt.NDArray[np.uint16],
    k: int = GAP_TOP_K,
) -> npt.NDArray[np.uint32]:
    """Return the keys of stored top-K predictions; see `pack_keys`.

    Args:
        classes: Predicted classes by descending score, uint16 `(N, K)`.
        scores: Non-negative scores of these classes, float32 `(N, K)`.
        label_ptr: Offsets of each video's labels, int64 `(N + 1,)`.
        labels: Labels of all videos, uint16.
        k: Number of predictions per video that count.

    Returns:
        Keys, uint32 `(N, k)`.
    """
    return pack_keys(scores[:, :k], label_hits(classes[:, :k], label_ptr, labels))


def label_hits(
    classes: npt.NDArray[np.uint16], label_ptr: npt.NDArray[np.int64], labels: npt.NDArray[np.uint16]
) -> npt.NDArray[np.bool_]:
    """Determine which predicted classes are labels of their video.

    Args:
        classes: Predicted classes, uint16 `(N, K)`.
        label_ptr: Offsets of each video's labels, int64 `(N + 1,)`.
        labels: Labels of all videos, uint16.

    Returns:
        Hits, bool `(N, K)`.
    """
    hits = np.zeros(classes.shape, np.bool_)
    # One more than the largest class, so that the table always has a column.
    width = int(max(classes.max(initial=0), labels.max(initial=0))) + 1
    for start in range(0, len(classes), _ROWS):
        part = classes[start : start + _ROWS]
        ptr = label_ptr[start : start + len(part) + 1]
        table = np.zeros((len(part), width), np.bool_)
        table[np.repeat(np.arange(len(part)), np.diff(ptr)), labels[ptr[0] : ptr[-1]]] = True
        hits[start : start + len(part)] = np.take_along_axis(table, part.astype(np.int64), axis=1)
    return hits


def pack_keys(scores: npt.NDArray[np.float32], hits: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Pack each score and its hit into a 32-bit key that sorts by score, misses before hits.

    The bits of a non-negative float32 sort like its value and leave the sign bit free, so no precision is lost, and
    NumPy sorts these integers with vector instructions.

    Args:
        scores: Non-negative scores, float32.
        hits: Whether each prediction is a label, bool of the same shape.

    Returns:
        Keys, uint32 of the same shape.
    """
    # Adding 0 turns -0.0, whose sign bit is set, into 0.0.
    bits = (np.asarray(scores, np.float32) + np.float32(0)).view(np.uint32)
    return (bits << np.uint32(1)) | hits.astype(np.uint32)


def gap_of_keys(keys: npt.NDArray[np.uint32], num_positives: float) -> float:
    """Compute GAP (equation 1) of the predictions of all videos.

    Args:
        keys: Keys from `pack_keys` of the top k predictions of all videos, of any shape.
        num_positives: Number of all labels, predicted or not. It may be an expected, fractional number.

    Returns:
        GAP, 0 if there are no labels.
    """
    if num_positives == 0:
        return 0.0
    ordered = np.sort(keys, axis=None)
    first, hits_before, _ = _thresholds_of_hits(ordered)
    precision = (len(first) - hits_before) / (len(ordered) - first)
    return float(precision.sum() / num_positives)


def _thresholds_of_hits(
    ordered: npt.NDArray[_Key],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[_Key]]:
    """Return for every hit, in ascending order: the first position of its score, the hits before it, and its key."""
    positions = np.flatnonzero(ordered & 1)
    keys = ordered[positions]
    ordinal = np.arange(len(keys))
    starts = np.ones(len(keys), np.bool_)
    starts[1:] = keys[1:] != keys[:-1]
    hits_before = np.maximum.accumulate(np.where(starts, ordinal, 0))
    first = positions[hits_before]
    # Misses with the same score precede the first hit with that score. Such ties are rare.
    tied = np.flatnonzero((first > 0) & (ordered[first - 1] == (keys ^ 1)))
    first[tied] = np.searchsorted(ordered, keys[tied] ^ 1)
    return first, hits_before, keys


def _mean_average_precision(
    keys: npt.NDArray[np.uint32], classes: npt.NDArray[np.uint16], positives: npt.NDArray[np.int64]
) -> float:
    labelled = np.flatnonzero(positives)
    if labelled.size == 0:
        return 0.0
    ordered = np.sort((classes.astype(np.uint64) << np.uint64(32)) | keys, axis=None)
    first, hits_before, hit_keys = _thresholds_of_hits(ordered)
    hit_classes = (hit_keys >> np.uint64(32)).astype(np.int64)
    # End positions of the predictions and the hits of each class.
    ends = np.searchsorted(ordered, np.arange(1, len(positives) + 1, dtype=np.uint64) << np.uint64(32))
    hit_ends = np.searchsorted(hit_classes, np.arange(1, len(positives) + 1))
    precision = (hit_ends[hit_classes] - hits_before) / (ends[hit_classes] - first)
    sums = np.bincount(hit_classes, weights=precision, minlength=len(positives))
    return float((sums[labelled] / positives[labelled]).mean())
