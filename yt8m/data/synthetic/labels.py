"""Which labels come together, and which of them a machine forgot."""

from dataclasses import dataclass

import numpy as np

from yt8m.data.synthetic.classes import IMPLIED_SHARE, Classes
from yt8m.data.synthetic.statistics import label_count_shares

# How much likelier a class is in a video of its own topic than in another.
_TOPIC_ODDS = 60.0

# Longest list of labels: at most 12, and at most this part of all classes.
_MOST_LABELS = 12
_LARGEST_PART = 4

# Candidates drawn per video: enough for labels, forgotten ones and those that exclude each other.
_CANDIDATES = 40

_CALIBRATION_ROUNDS = 6
_CALIBRATION_VIDEOS = 4000

# Classes above this rank get a correction of their own, others share one by band of ranks.
_CALIBRATED_ALONE = 12


@dataclass(frozen=True)
class VideoLabels:
    """A video's labels.

    Attributes:
        topic: Main topic.
        present: Classes that are in the video.
        given: The labels of the record: ascending, some of `present`.
    """

    topic: int
    present: tuple[int, ...]
    given: tuple[int, ...]


class LabelSampler:
    """Draws the labels of videos: a topic, classes mostly of this topic, and what they imply.

    Labels were made by a machine, which forgets some: those in `present` but not in `given`. The number of given
    labels and their frequencies follow YouTube-8M's. An implied class is never forgotten where its parent was found.

    Args:
        rng: VideoSource of randomness for fitting the frequencies.
        classes: The classes.
        missing_share: Share of the labels that are forgotten.
    """

    def __init__(self, rng: np.random.Generator, classes: Classes, missing_share: float) -> None:
        self._classes = classes
        self._missing_share = missing_share
        self._count_shares = label_count_shares(max(1, min(_MOST_LABELS, classes.num_classes // _LARGEST_PART)))
        topics = np.arange(classes.num_topics)
        self._topic_shares = np.array([classes.shares[classes.topics == topic].sum() for topic in topics])
        self._topic_odds = np.where(classes.topics == topics[:, None], _TOPIC_ODDS, 1.0)
        weights = classes.shares.copy()
        for parent, child in classes.implied.items():
            weights[child] = max(weights[child] - IMPLIED_SHARE * weights[parent], 0.05 * weights[child])
        self._weights = weights
        self._calibrate(rng)

    def sample(self, rng: np.random.Generator, num_videos: int) -> list[VideoLabels]:
        """Draw the labels of `num_videos` videos."""
        topics = rng.choice(len(self._topic_shares), size=num_videos, p=self._topic_shares)
        # The first arrivals of processes with these rates are a draw without replacement.
        arrivals = rng.standard_exponential((num_videos, self._classes.num_classes))
        arrivals /= (self._weights * self._topic_odds)[topics]
        size = min(_CANDIDATES, self._classes.num_classes)
        first = np.argpartition(arrivals, size - 1, axis=1)[:, :size]
        first = np.take_along_axis(first, np.argsort(np.take_along_axis(arrivals, first, 1), axis=1), 1)
        counts = 1 + rng.choice(len(self._count_shares), size=num_videos, p=self._count_shares)
        forgotten = rng.negative_binomial(counts, 1 - self._missing_share) if self._missing_share else 0 * counts
        return [
            self._of_video(rng, int(topics[v]), first[v].tolist(), int(counts[v]), int(forgotten[v]))
            for v in range(num_videos)
        ]

    def _of_video(
        self, rng: np.random.Generator, topic: int, candidates: list[int], given: int, forgotten: int
    ) -> VideoLabels:
        implied, mirrored = self._classes.implied, self._classes.mirrored
        present: dict[int, None] = {}
        for candidate in candidates:
            if len(present) >= given + forgotten:
                break
            if mirrored.get(candidate) in present:
                continue
            if candidate in implied and rng.random() < IMPLIED_SHARE:
                present[implied[candidate]] = None
            if len(present) < given + forgotten:
                present[candidate] = None
        keys = dict(zip(present, rng.random(len(present)).tolist(), strict=True))
        for parent in present:
            child = implied.get(parent)
            if child in keys:
                keys[child] = min(keys[child], keys[parent])
        kept = sorted(present, key=lambda label: (keys[label], label))[:given]
        return VideoLabels(topic, tuple(present), tuple(sorted(kept)))

    def _calibrate(self, rng: np.random.Generator) -> None:
        """Fit the weights so that the given labels have the wanted frequencies."""
        C = self._classes.num_classes
        ranks = np.arange(C)
        bands = np.where(ranks < _CALIBRATED_ALONE, ranks, _CALIBRATED_ALONE + np.log2(ranks + 1).astype(int))
        wanted = np.bincount(bands, self._classes.shares)
        for _ in range(_CALIBRATION_ROUNDS):
            labels = [label for video in self.sample(rng, _CALIBRATION_VIDEOS) for label in video.given]
            found = np.bincount(bands[labels], minlength=len(wanted)) / len(labels)
            ratio = np.divide(wanted, found, out=np.ones_like(wanted), where=found > 0)
            self._weights *= np.clip(ratio, 0.5, 2.0)[bands]
