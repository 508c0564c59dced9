"""Procedural frames vary as real ones do, and each kind of class has its own evidence."""

from collections.abc import Callable

import numpy as np
import pytest

from yt8m.data.synthetic.presets import PRESETS, Preset
from yt8m.data.synthetic.procedural import ProceduralVideos

# Lag in seconds -> range of the autocorrelation: the range measured on real frames, slightly widened.
RGB_CORRELATION = {1: (0.5, 0.7), 5: (0.35, 0.55), 30: (0.24, 0.34)}
AUDIO_CORRELATION = {1: (0.6, 0.77), 5: (0.58, 0.76), 30: (0.5, 0.69)}


def _frames(
    source: ProceduralVideos, preset: Preset, seed: int, count: int
) -> list[tuple[tuple[int, ...], dict[str, np.ndarray]]]:
    made = []
    for video in source.draw(np.random.default_rng(seed), 0, count):
        frames = {name: np.empty((video.num_frames, size), np.uint8) for name, size in preset.spec.features.items()}
        video.write(frames)
        made.append((video.labels, frames))
    return made


@pytest.fixture(scope="module")
def full_size() -> list[dict[str, np.ndarray]]:
    """Generate videos as large as YouTube-8M's."""
    preset = PRESETS["yt8m"]
    return [frames for _, frames in _frames(ProceduralVideos(0, preset, 0.2), preset, 1, 250)]


def _lag_correlation(frames: np.ndarray, lag: int) -> float:
    centered = frames.astype(np.float32) - 127
    return float((centered[lag:] * centered[:-lag]).mean() / (centered**2).mean())


@pytest.mark.parametrize(
    ("name", "sd", "spread", "mean_sd"), [("rgb", (49, 57), (42, 64), 29), ("audio", (62, 71), (46, 86), 43.5)]
)
def test_bytes_are_normally_distributed_with_the_measured_deviations(
    full_size: list[dict[str, np.ndarray]], name: str, sd: tuple[int, int], spread: tuple[int, int], mean_sd: float
) -> None:
    values = [frames[name].astype(np.float32) for frames in full_size]
    # With 250 videos, the standard error of a feature's mean is about sd / 16; it averages out over the features.
    assert np.mean([v.mean() for v in values]) == pytest.approx(127, abs=2)
    within = np.array([v.std() for v in values])
    assert sd[0] < np.sqrt((within**2).mean()) < sd[1]
    assert spread[0] < np.percentile(within, 5) < np.percentile(within, 95) < spread[1]
    means = np.array([v.mean(axis=0) for v in values])
    assert means.std(axis=0).mean() == pytest.approx(mean_sd, abs=2.5)
    saturated = np.array([((v == 0) | (v == 255)).mean() for v in values])
    assert 0.01 < saturated.mean() < 0.10
    everything = np.concatenate([v[::20, ::8].ravel() for v in values])
    inside = np.abs(everything - 127) < within.mean()
    assert inside.mean() == pytest.approx(0.68, abs=0.04)


@pytest.mark.parametrize(("name", "ranges"), [("rgb", RGB_CORRELATION), ("audio", AUDIO_CORRELATION)])
def test_frames_have_the_measured_autocorrelation(
    full_size: list[dict[str, np.ndarray]], name: str, ranges: dict[int, tuple[float, float]]
) -> None:
    for lag, (low, high) in ranges.items():
        found = np.mean([_lag_correlation(frames[name], lag) for frames in full_size])
        assert low < found < high, f"{name}, {lag} s"


class Evidence:
    """Demo videos, pooled over frames: mean, standard deviation, extremes, and difference of the two halves."""

    def __init__(self) -> None:
        preset = PRESETS["demo"]
        self.source = ProceduralVideos(7, preset, 0.2)
        made = _frames(self.source, preset, 8, 6000)
        self.labels = np.zeros((len(made), preset.spec.num_classes), np.float32)
        for row, (labels, _) in enumerate(made):
            self.labels[row, list(labels)] = 1
        rgb = [frames["rgb"].astype(np.float32) for _, frames in made]
        self.mean = np.array([x.mean(axis=0) for x in rgb])
        self.spread = np.array([x.std(axis=0) for x in rgb])
        self.extremes = np.array([np.concatenate([x.max(axis=0), x.min(axis=0)]) for x in rgb])
        self.order = np.array([x[: len(x) // 2].mean(axis=0) - x[len(x) // 2 :].mean(axis=0) for x in rgb])

    def separation(self, kind: str, *features: np.ndarray) -> float:
        """Return the mean ROC AUC of linear models over the classes of a kind."""
        inputs = np.concatenate(features, axis=1)
        areas = [_separate(inputs, self.labels[:, c]) for c in self.source.classes.of_kind(kind)]
        return float(np.mean(areas))

    def direction(self, *features: np.ndarray) -> float:
        """Return the mean ROC AUC for order class against mirror class, on the videos with exactly one of them."""
        inputs = np.concatenate(features, axis=1)
        areas = []
        for c in self.source.classes.of_kind("order")[::2]:
            either = self.labels[:, c] + self.labels[:, c + 1] == 1
            areas.append(_separate(inputs[either], self.labels[either, c]))
        return float(np.mean(areas))


def _separate(inputs: np.ndarray, labels: np.ndarray) -> float:
    """Fit ridge regression on half of the videos; return its ROC AUC on the other half."""
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    fitted, tested = inputs[::2], inputs[1::2]
    normal = fitted.T @ fitted + 30 * np.eye(inputs.shape[1], dtype=np.float32)
    weights = np.linalg.solve(normal, fitted.T @ (labels[::2] - labels[::2].mean()))
    return _area(tested @ weights, labels[1::2])


def _area(scores: np.ndarray, labels: np.ndarray) -> float:
    ranks = scores.argsort().argsort() + 1
    positive = labels > 0
    P, total = positive.sum(), len(labels)
    return float((ranks[positive].sum() - P * (P + 1) / 2) / (P * (total - P)))


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence()


def test_mean_classes_are_detected_in_the_mean(evidence: Evidence) -> None:
    assert evidence.separation("mean", evidence.mean) > 0.8


@pytest.mark.parametrize(
    ("kind", "feature", "gain"),
    [
        ("variance", lambda e: e.spread, 0.08),
        ("rare", lambda e: e.extremes, 0.015),
    ],
)
def test_other_kinds_are_detected_by_the_pooling_of_their_architecture(
    evidence: Evidence, kind: str, feature: Callable[[Evidence], np.ndarray], gain: float
) -> None:
    from_mean = evidence.separation(kind, evidence.mean)
    assert evidence.separation(kind, evidence.mean, feature(evidence)) > from_mean + gain


def test_order_classes_are_detected_only_in_the_order(evidence: Evidence) -> None:
    assert evidence.direction(evidence.mean, evidence.spread, evidence.extremes) == pytest.approx(0.5, abs=0.06)
    assert evidence.direction(evidence.order) > 0.8


def test_equal_seeds_give_equal_videos_and_different_seeds_do_not() -> None:
    preset = PRESETS["smoke"]
    first, again = (_frames(ProceduralVideos(1, preset, 0.2), preset, 5, 3) for _ in range(2))
    other = _frames(ProceduralVideos(2, preset, 0.2), preset, 5, 3)
    assert [labels for labels, _ in first] == [labels for labels, _ in again]
    assert all((a["rgb"] == b["rgb"]).all() for (_, a), (_, b) in zip(first, again, strict=True))
    assert any(a["rgb"].tobytes() != b["rgb"].tobytes() for (_, a), (_, b) in zip(first, other, strict=True))
