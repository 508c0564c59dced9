"""Labels of procedural videos: co-occurrence, frequencies and missing labels."""

from dataclasses import dataclass

import numpy as np

from yt8m.data.synthetic.classes import IMPLIED_SHARE, Classes
from yt8m.data.synthetic.statistics import label_count_shares

# Odds of a class in a video of its own topic, relative to other topics.
_TOPIC_ODDS = 60.0

# Maximum number of labels per video: 12, or a quarter of the classes if there are few.
_MAX_LABELS = 12
_MIN_CLASSES_PER_LABEL = 4

# Candidate classes per video: enough for given labels, missing labels and mutually exclusive classes.
_CANDIDATES = 40

_CALIBRATION_ROUNDS = 6
_CALIBRATION_VIDEOS = 4000

# Number of the most frequent classes that are calibrated one by one. Others are calibrated in bands of ranks.
_CALIBRATED_ALONE = 12


@dataclass(frozen=True)
class VideoLabels:
    """The classes and labels of a video.

    Attributes:
        topic: Main topic of the video.
        present: Classes that the video shows.
        given: Labels in the video's record: a subset of `present`, in ascending order.
    """

    topic: int
    present: tuple[int, ...]
    given: tuple[int, ...]


class LabelSampler:
    """Sampler of video labels: a topic, classes mostly of this topic, and the classes that these imply.

    YouTube-8M's labels are made by a machine that misses some. Accordingly, some classes in `present` are missing in
    `given`. The number of given labels and their frequencies follow YouTube-8M. If a parent class is given, so is the
    class that it implies.

    Args:
        rng: Random generator for calibrating the frequencies.
        classes: Class vocabulary.
        missing_share: Share of the labels that are missing.
    """

    def __init__(self, rng: np.random.Generator, classes: Classes, missing_share: float) -> None:
        self._classes = classes
        self._missing_share = missing_share
        self._count_shares = label_count_shares(max(1, min(_MAX_LABELS, classes.num_classes // _MIN_CLASSES_PER_LABEL)))
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
        # Exponential races: the first arrivals are a weighted sample without replacement.
        arrivals = rng.standard_exponential((num_videos, self._classes.num_classes))
        arrivals /= (self._weights * self._topic_odds)[topics]
        size = min(_CANDIDATES, self._classes.num_classes)
        first = np.argpartition(arrivals, size - 1, axis=1)[:, :size]
        first = np.take_along_axis(first, np.argsort(np.take_along_axis(arrivals, first, 1), axis=1), 1)
        counts = 1 + rng.choice(len(self._count_shares), size=num_videos, p=self._count_shares)
        missing = rng.negative_binomial(counts, 1 - self._missing_share) if self._missing_share else 0 * counts
        return [
            self._of_video(rng, int(topics[v]), first[v].tolist(), int(counts[v]), int(missing[v]))
            for v in range(num_videos)
        ]

    def _of_video(
        self, rng: np.random.Generator, topic: int, candidates: list[int], given: int, missing: int
    ) -> VideoLabels:
        implied, mirrored = self._classes.implied, self._classes.mirrored
        present: dict[int, None] = {}
        for candidate in candidates:
            if len(present) >= given + missing:
                break
            if mirrored.get(candidate) in present:
                continue
            if candidate in implied and rng.random() < IMPLIED_SHARE:
                present[implied[candidate]] = None
            if len(present) < given + missing:
                present[candidate] = None
        keys = dict(zip(present, rng.random(len(present)).tolist(), strict=True))
        for parent in present:
            child = implied.get(parent)
            if child in keys:
                keys[child] = min(keys[child], keys[parent])
        kept = sorted(present, key=lambda label: (keys[label], label))[:given]
        return VideoLabels(topic, tuple(present), tuple(sorted(kept)))

    def _calibrate(self, rng: np.random.Generator) -> None:
        """Fit the weights by simulation so that the given labels have the frequencies of YouTube-8M."""
        C = self._classes.num_classes
        ranks = np.arange(C)
        bands = np.where(ranks < _CALIBRATED_ALONE, ranks, _CALIBRATED_ALONE + np.log2(ranks + 1).astype(int))
        wanted = np.bincount(bands, self._classes.shares)
        for _ in range(_CALIBRATION_ROUNDS):
            labels = [label for video in self.sample(rng, _CALIBRATION_VIDEOS) for label in video.given]
            found = np.bincount(bands[labels], minlength=len(wanted)) / len(labels)
            ratio = np.divide(wanted, found, out=np.ones_like(wanted), where=found > 0)
            self._weights *= np.clip(ratio, 0.5, 2.0)[bands]
