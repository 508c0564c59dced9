"""Metrics of single classes, against counting for every threshold, and against values worked out by hand."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from yt8m.class_metrics.figures import ClassFigures, measure_classes
from yt8m.class_metrics.scores import ClassScores
from yt8m.errors import StorageError


def scores_of(scores, labels, *, batch: int = 3, memory_bytes: int = 1 << 20) -> ClassScores:
    found = ClassScores(np.shape(scores)[1], memory_bytes)
    for first in range(0, len(scores), batch):
        found.update(np.asarray(scores)[first : first + batch], np.asarray(labels)[first : first + batch])
    return found


def figures(scores, labels, **options: int) -> list[ClassFigures]:
    found = scores_of(scores, labels, **options)
    return measure_classes(found, found)


def precision_and_recall(scores: np.ndarray, labels: np.ndarray, threshold: float) -> tuple[float, float]:
    """Count every video alone."""
    predicted = [bool(score >= threshold) for score in scores]
    right = sum(each and bool(label) for each, label in zip(predicted, labels, strict=True))
    return right / sum(predicted), right / labels.sum()


def expected_average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """Sum precision times the gain of recall over all thresholds, as the definition says."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        precision, recall = precision_and_recall(scores, labels, threshold)
        total += (recall - before) * precision
        before = recall
    return total


def test_figures_worked_out_by_hand() -> None:
    # Right are the first, third and fifth. AP = (1/1 + 2/3 + 3/5) / 3. F1 of the cuts: 2/4, 2/5, 4/6, 4/7, 6/8.
    (found,) = figures([[0.9], [0.8], [0.7], [0.6], [0.5]], [[1], [0], [1], [0], [1]])
    assert found.average_precision == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert found.threshold == pytest.approx(0.5)
    assert (found.precision, found.recall) == (3 / 5, 1.0)
    assert (found.deciding_videos, found.videos, found.predicted_videos) == (3, 3, 5)


def test_equal_scores_are_one_threshold() -> None:
    for labels in ([[1], [0], [0]], [[0], [1], [0]]):
        (found,) = figures([[0.5], [0.5], [0.1]], labels)
        assert (found.average_precision, found.precision, found.predicted_videos) == (0.5, 0.5, 2)


def test_the_highest_of_equally_good_thresholds_is_taken() -> None:
    # F1 is 2/3 for the first alone (1 of 1, 1 of 2) and for all four (2 of 4, 2 of 2).
    (found,) = figures([[0.9], [0.8], [0.7], [0.6]], [[1], [0], [0], [1]])
    assert found.threshold == pytest.approx(0.9)


@pytest.mark.parametrize("memory_bytes", [1, 700, 1 << 20])
def test_every_class_is_as_counted_video_by_video(memory_bytes: int) -> None:
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 40, (97, 6)).astype(np.float32) / 40  # with many equal scores
    labels = rng.random((97, 6)) < [0.5, 0.2, 0.05, 0.9, 0.02, 0.3]
    for number, found in enumerate(figures(scores, labels, batch=10, memory_bytes=memory_bytes)):
        mine, truth = scores[:, number], labels[:, number]
        assert found.average_precision == pytest.approx(expected_average_precision(mine, truth))
        pairs = {each: precision_and_recall(mine, truth, each) for each in set(mine.tolist())}
        f1 = {each: 2 * p * r / (p + r) if p + r else 0.0 for each, (p, r) in pairs.items()}
        assert f1[found.threshold] == pytest.approx(max(f1.values()))
        assert (found.precision, found.recall) == pytest.approx(pairs[found.threshold])
        assert found.videos == truth.sum()


def test_thresholds_come_from_the_videos_that_decide() -> None:
    deciding = scores_of([[0.9], [0.6], [0.3]], [[1], [1], [0]])
    measured = scores_of([[0.95], [0.7], [0.65], [0.5]], [[1], [0], [1], [1]])
    (found,) = measure_classes(measured, deciding)
    assert found.threshold == pytest.approx(0.6)
    assert (found.precision, found.recall) == (2 / 3, 2 / 3)
    assert (found.deciding_videos, found.videos, found.predicted_videos) == (2, 3, 3)


def test_what_cannot_be_computed_is_left_out() -> None:
    deciding = scores_of([[0.9, 0.9, 0.9], [0.1, 0.2, 0.3]], [[0, 1, 1], [0, 0, 0]])
    measured = scores_of([[0.5, 0.5, 0.5]], [[1, 0, 1]])
    undecided, unlabeled, unpredicted = measure_classes(measured, deciding)
    assert undecided == ClassFigures(1.0, None, None, None, 0, 1, None)
    threshold = float(np.float32(0.9))
    assert unlabeled == ClassFigures(None, threshold, None, None, 1, 0, 0)
    assert unpredicted == ClassFigures(1.0, threshold, None, 0.0, 1, 1, 0)


def test_batches_without_a_video_change_nothing() -> None:
    deciding, measured = ClassScores(2), scores_of([[0.5, 0.6]], [[1, 0]])
    for found in (deciding, measured):
        found.update(np.zeros((0, 2)), np.zeros((0, 2)))
    assert [each.average_precision for each in measure_classes(measured, deciding)] == [1.0, None]


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "r+b", buffering=0))  # noqa: PTH123, SIM115
    found = ClassScores(2, memory_bytes=1)
    with pytest.raises(StorageError, match=r"1 videos and 2 classes cannot be stored: No space.*Set TMPDIR"):
        found.update([[0.1, 0.2]], [[0, 1]])


MEMORY = """
import resource
import numpy as np
from yt8m.class_metrics.figures import measure_classes
from yt8m.class_metrics.scores import ClassScores
scores = ClassScores(500, memory_bytes=1 << 20)
rng = np.random.default_rng(0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(VIDEOS // 1000):
    batch = rng.random((1000, 500), np.float32)
    scores.update(batch, batch > 0.99)
measure_classes(scores, scores)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_scores() -> None:
    root = Path(__file__).parents[1]

    def kilobytes(videos: int) -> int:
        command = [sys.executable, "-c", MEMORY.replace("VIDEOS", str(videos))]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout)

    # 60,000 more videos have 120 MB of scores; their labels take 10 bytes each, 3 MB.
    assert kilobytes(80_000) - kilobytes(20_000) < 40_000
