"""Exact GAP of many weighted means of the same members, computed fast and in bounded memory."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yt8m.metrics import GAP_TOP_K, gap_of_keys, label_hits, pack_keys
from yt8m.predictions import Predictions

# Weight vectors per batch: the members' scores are read from memory once per batch. The buffer of the top 20 takes
# 4 * 20 bytes per video and vector, 297 MB at 232,072 videos.
TRIALS_AT_ONCE = 16

# Videos whose candidate classes are collected at a time.
_BUILD_VIDEOS = 2048

# Multiplications per matrix product of a block. OpenBLAS runs products of this size in the calling thread; it would
# spread larger ones over its own threads, which compete with ours (measured: 15 times slower). Results fit the caches.
_BLOCK_PRODUCTS = 2**18


@dataclass(frozen=True)
class _Block:
    """Scores (M, n * U) and labels, 0 or 1, (n, U) of n videos with up to U candidate classes in ascending order.

    The number of all labels of each video is in `positives` (n,).
    """

    scores: npt.NDArray[np.float32]
    hits: npt.NDArray[np.uint32]
    positives: npt.NDArray[np.int64]


class EnsembleScores:
    """The members' scores of all classes that can matter, and the GAP of their weighted means.

    A class beyond a member's stored top K counts as 0 for that member. The mean of a class is therefore too low by at
    most the weighted sum of those members' K-th scores. If K is the number of classes, the result is exact.

    Only candidate classes are kept: those of the members' classes that can enter a video's top k under some weights. A
    mean lies between the smallest and the largest score of its members. A class therefore cannot enter if its largest
    score is below the k-th largest of all classes' smallest scores. Dropping it changes no result.

    Memory is 4 * M + 4 bytes per candidate. For 9 members on 232,072 videos that is about 0.5 GB if the members mostly
    agree, and 3 GB if they have few classes in common.

    Args:
        members: Predictions of the `M` members on the same videos.
        rows: Indices of the videos to use. All by default.
        top_k: Number of predictions per video that count in GAP.
        threads: Number of threads. One per core by default.

    Attributes:
        num_members: Number of members `M`.
        num_videos: Number of videos `N`.
        positives: Number of labels of each video, int64 `(N,)`, in the order of the videos in `top_keys`.
        num_positives: Number of all labels.
    """

    def __init__(
        self,
        members: Sequence[Predictions],
        rows: npt.NDArray[np.int64] | None = None,
        *,
        top_k: int = GAP_TOP_K,
        threads: int | None = None,
    ) -> None:
        assert members
        rows = np.arange(members[0].num_videos) if rows is None else rows
        self._top_k = min(top_k, members[0].num_classes)
        self.num_members, self.num_videos = len(members), len(rows)
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1)
        parts = [rows[start : start + _BUILD_VIDEOS] for start in range(0, len(rows), _BUILD_VIDEOS)]
        blocks = self._pool.map(lambda part: list(_blocks(members, part, self._top_k)), parts)
        self._blocks = [block for part in blocks for block in part]
        self.positives = np.concatenate([np.zeros(0, np.int64), *(block.positives for block in self._blocks)])
        self.num_positives = int(self.positives.sum())

    @property
    def size_bytes(self) -> int:
        """Bytes of memory that the scores take."""
        return sum(block.scores.nbytes + block.hits.nbytes for block in self._blocks)

    def gaps(
        self, weights: npt.ArrayLike, on_done: Callable[[int], object] = lambda _: None
    ) -> npt.NDArray[np.float64]:
        """Compute the GAP of weighted means.

        Args:
            weights: Non-negative weights `(trials, M)`; each row sums to 1.
            on_done: Called with the number of trials just finished.

        Returns:
            GAP of each trial, `(trials,)`.
        """
        table = np.atleast_2d(np.asarray(weights, np.float32))
        found: list[float] = []
        for start in range(0, len(table), TRIALS_AT_ONCE):
            keys = self.top_keys(table[start : start + TRIALS_AT_ONCE])
            found.extend(self._pool.map(lambda trial: gap_of_keys(trial, self.num_positives), keys))
            on_done(len(keys))
        return np.array(found)

    def top_keys(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
        """Find the top k predictions of each video under each of several weightings.

        Args:
            weights: float32 `(trials, M)`.

        Returns:
            Keys as made by `yt8m.metrics.pack_keys`, uint32 `(trials, N * k)`, videos in an order of their own.
        """
        top = np.empty((len(weights), self.num_videos, self._top_k), np.uint32)
        starts = np.cumsum([0] + [len(block.hits) for block in self._blocks])

        def fill(index: int) -> None:
            block = self._blocks[index]
            _top_of_block(weights, block, top[:, starts[index] : starts[index + 1]])

        for _ in self._pool.map(fill, range(len(self._blocks))):
            pass
        return top.reshape(len(weights), -1)


def _top_of_block(weights: npt.NDArray[np.float32], block: _Block, out: npt.NDArray[np.uint32]) -> None:
    k = out.shape[2]
    means = (weights @ block.scores).reshape(len(weights), *block.hits.shape)
    # `pack_keys` in place. Weights and scores are not negative, so the means are not, either.
    keys = means.view(np.uint32)
    keys <<= np.uint32(1)
    keys |= block.hits
    if keys.shape[2] == k:
        out[...] = keys
        return
    keys.partition(keys.shape[2] - k - 1, axis=2)
    out[...] = keys[:, :, -k:]
    # If scores tie at the edge of the top k and one of the classes is a label, smaller classes go first.
    edge = out.min(axis=2)
    trials, videos = np.nonzero((keys[:, :, -k - 1] | 1) == (edge | 1))
    mixed = (out[trials, videos] == (edge[trials, videos] | 1)[:, None]).any(axis=1)
    trials, videos = trials[mixed], videos[mixed]
    if trials.size:
        means = (weights @ block.scores).reshape(means.shape)
        out[trials, videos] = _top_by_class(means[trials, videos], block.hits[videos] != 0, k)


def _top_by_class(means: npt.NDArray[np.float32], hits: npt.NDArray[np.bool_], k: int) -> npt.NDArray[np.uint32]:
    """Find the top k keys `(n, k)`, with ties in order of class."""
    order = np.argsort(-means, axis=1, kind="stable")[:, :k]
    return pack_keys(np.take_along_axis(means, order, axis=1), np.take_along_axis(hits, order, axis=1))


def _blocks(members: Sequence[Predictions], rows: npt.NDArray[np.int64], top_k: int) -> Iterator[_Block]:
    scores, classes, real = _union(members, rows)
    keep = real & _can_enter(scores, real, top_k)
    labels = members[0].rows(rows)
    hits = label_hits(classes, labels.label_ptr, labels.labels) & keep
    positives = np.diff(labels.label_ptr)
    counts = keep.sum(axis=1)
    candidates_of_block = _BLOCK_PRODUCTS // (TRIALS_AT_ONCE * len(members))
    # Videos with similar numbers of candidates share a block, which keeps padding small.
    by_count = np.argsort(-counts, kind="stable")
    start = 0
    while start < len(rows):
        chosen = by_count[start : start + max(1, candidates_of_block // int(counts[by_count[start]]))]
        start += len(chosen)
        slots = np.argsort(~keep[chosen], axis=1, kind="stable")[:, : counts[chosen[0]]]
        kept = np.take_along_axis(scores[:, chosen], slots[None], axis=2)
        kept[:, ~np.take_along_axis(keep[chosen], slots, axis=1)] = 0
        # Adding 0 turns -0.0 into 0.0.
        kept = kept.reshape(len(members), -1) + np.float32(0)
        yield _Block(kept, np.take_along_axis(hits[chosen], slots, axis=1).astype(np.uint32), positives[chosen])


def _union(
    members: Sequence[Predictions], rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Merge the members' classes; return scores (M, n, U), ascending classes (n, U), and False on padding (n, U)."""
    depths = [member.top_k for member in members]
    width = sum(depths)
    key = np.dtype(np.uint32 if members[0].num_classes * width < 2**32 else np.uint64)
    every_class = np.concatenate([member.classes[rows] for member in members], axis=1).astype(key)
    every_score = np.concatenate([member.scores[rows] for member in members], axis=1)
    # Class and position packed into one integer sort many times faster than indices.
    ordered = np.sort(every_class * key.type(width) + np.arange(width, dtype=key), axis=1)
    classes, positions = np.divmod(ordered, key.type(width))
    slots = np.zeros(classes.shape, np.int64)
    np.cumsum(classes[:, 1:] != classes[:, :-1], axis=1, out=slots[:, 1:])
    counts = slots[:, -1] + 1
    positions = positions.astype(np.int64)
    owners = np.repeat(np.arange(len(members)), depths)[positions]
    videos = np.arange(len(rows))[:, None]
    scores = np.zeros((len(members), len(rows), counts.max()), np.float32)
    scores[owners, videos, slots] = np.take_along_axis(every_score, positions, axis=1)
    union = np.zeros(scores.shape[1:], np.uint16)
    union[videos, slots] = classes
    return scores, union, np.arange(scores.shape[2]) < counts[:, None]


def _can_enter(scores: npt.NDArray[np.float32], real: npt.NDArray[np.bool_], top_k: int) -> npt.NDArray[np.bool_]:
    """Mark the classes (n, U) that can enter the top k of a mean with weights that sum to 1."""
    smallest = np.where(real, scores.min(axis=0), np.float32(-1))
    edge = smallest.shape[1] - top_k
    bound = np.partition(smallest, edge, axis=1)[:, edge]
    # Rounding may lift a mean a few units in the last place above its largest score.
    possible: npt.NDArray[np.bool_] = scores.max(axis=0) * np.float32(1 + 1e-5) >= bound[:, None]
    return possible
