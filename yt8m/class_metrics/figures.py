"""Figures of single classes: average precision, and precision and recall at the threshold with the best F1."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yt8m.class_metrics.scores import ClassScores


class ClassFigures(NamedTuple):
    """Figures of a class. None where there is nothing to compute them from.

    Attributes:
        average_precision: Mean of the precision at each video with the label, with the videos in the order of their
            scores. Videos with equal scores have one place, so that their order does not matter.
        threshold: Score with the best F1 on the videos that decide. A video is said to have the class from this score
            on.
        precision: Share of the videos that are said to have the class that have the label.
        recall: Share of the videos with the label that are said to have the class.
        deciding_videos: Number of videos with the label among those that decide.
        videos: Number of videos with the label among those that are measured.
        predicted_videos: Number of measured videos that are said to have the class.
    """

    average_precision: float | None
    threshold: float | None
    precision: float | None
    recall: float | None
    deciding_videos: int
    videos: int
    predicted_videos: int | None


def measure_classes(measured: ClassScores, deciding: ClassScores) -> list[ClassFigures]:
    """Compute the figures of each class.

    Args:
        measured: Videos on which the classes are measured.
        deciding: Videos on which the thresholds are chosen, perhaps the same.

    Returns:
        One entry per class.
    """
    pairs = zip(measured.by_class(), deciding.by_class(), strict=True)
    return [_measure(*videos, *others) for videos, others in pairs]


def _measure(
    scores: npt.NDArray[np.float32],
    labeled: npt.NDArray[np.int64],
    deciding_scores: npt.NDArray[np.float32],
    deciding_labeled: npt.NDArray[np.int64],
) -> ClassFigures:
    precision = recall = predicted = None
    if (threshold := _best_threshold(deciding_scores, deciding_labeled)) is not None:
        predicted = int((scores >= threshold).sum())
        right = int((scores[labeled] >= threshold).sum())
        precision = right / predicted if predicted else None
        recall = right / len(labeled) if len(labeled) else None
    return ClassFigures(
        average_precision=_average_precision(scores, labeled),
        threshold=None if threshold is None else float(threshold),
        precision=precision,
        recall=recall,
        deciding_videos=len(deciding_labeled),
        videos=len(labeled),
        predicted_videos=predicted,
    )


def _average_precision(scores: npt.NDArray[np.float32], labeled: npt.NDArray[np.int64]) -> float | None:
    if not len(labeled):
        return None
    _, right, predicted = _rank(scores, labeled)
    return float((-np.diff(right, append=0) * right / predicted).sum() / len(labeled))


def _best_threshold(scores: npt.NDArray[np.float32], labeled: npt.NDArray[np.int64]) -> np.float32 | None:
    """Return the highest score with the best F1. Between two scores of labeled videos F1 only falls."""
    if not len(labeled):
        return None
    thresholds, right, predicted = _rank(scores, labeled)
    f1 = 2 * right / (predicted + len(labeled))
    best: np.float32 = thresholds[len(f1) - 1 - int(np.argmax(f1[::-1]))]
    return best


def _rank(
    scores: npt.NDArray[np.float32], labeled: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rank the videos with the label.

    Returns:
        Their distinct scores, ascending; and for each, the number of videos with the label and of all videos that have
        at least this score.
    """
    thresholds, times = np.unique(scores[labeled], return_counts=True)
    right = np.cumsum(times[::-1])[::-1]
    # Sorting has vector instructions, so that it is faster than a search for each score.
    return thresholds, right, len(scores) - np.searchsorted(np.sort(scores), thresholds)
