"""Statistics of YouTube-8M, measured on 57,975 validation videos of 2018.

Times are in frames; YouTube-8M has one per second. Amplitudes are in byte steps (`4 / 255` in the units of the
dequantized features).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Length of the longest videos in frames, to which all other times refer.
FULL_FRAMES = 300

# Cumulative share of labels: (number of the most frequent classes, their share of all labels).
_LABEL_SHARES = (
    (1, 0.068),
    (3, 0.150),
    (10, 0.290),
    (30, 0.441),
    (100, 0.610),
    (300, 0.765),
    (1000, 0.905),
    (2000, 0.966),
    (3862, 1.0),
)

# Share of the videos with 1, 2, ... labels, 3.0 on average. The last entry includes the tail.
_LABEL_COUNTS = (0.2458, 0.2247, 0.1876, 0.1557, 0.0882, 0.0461, 0.0262, 0.0126, 0.0065, 0.0034, 0.0017, 0.0015)

# Quantiles of the number of frames: 30% of the videos have exactly 300.
_FRAME_QUANTILES = (0.0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.65, 0.698, 0.6981, 1.0)
_FRAME_COUNTS = (117, 121, 129, 140, 175, 235, 281, 296, 300, 300)

# 11 of 43,458 videos have 301 frames.
SHARE_ONE_FRAME_TOO_LONG = 11 / 43458


@dataclass(frozen=True)
class FeatureStatistics:
    """Variation of the bytes of a frame feature, as a sum of three independent parts.

    Attributes:
        mean_sd: Standard deviation of the video means between videos.
        scene_sd: Standard deviation of the scene means within a video.
        noise_sd: Standard deviation of the frames within a scene.
        scene_frames: Mean length of a scene in frames.
    """

    mean_sd: float
    scene_sd: float
    noise_sd: float
    scene_frames: float


# Mean of all bytes. It encodes 0, the mean of the features.
MEAN_BYTE = 127.0

# rgb: measured sd 29 between and about 45 within videos; half of the variance within videos stays constant for a few
# seconds. This gives the measured correlations of 0.6, 0.45 and 0.3 between frames 1, 5 and 30 s apart. The values are
# those before clipping to bytes, which reduces them by 1 to 3%.
RGB = FeatureStatistics(mean_sd=29.6, scene_sd=32.0, noise_sd=30.0, scene_frames=7.0)

# audio: measured sd 43 between and about 50 within videos; scenes last minutes (music, a speaker). The measured
# correlations between frames 1, 5 and 30 s apart are 0.66, 0.64 and 0.6.
AUDIO = FeatureStatistics(mean_sd=45.0, scene_sd=39.0, noise_sd=36.0, scene_frames=120.0)


def feature_statistics(name: str) -> FeatureStatistics:
    """Return the statistics of a feature: those of `audio` for `audio`, those of `rgb` for any other name."""
    return AUDIO if name == "audio" else RGB


def class_shares(num_classes: int) -> NDArray[np.float64]:
    """Return the share of all labels that each class holds.

    Args:
        num_classes: Number of the most frequent classes `C`, at most 3,862.

    Returns:
        Shares `(C,)` in descending order, with sum 1.
    """
    ranks, shares = zip(*_LABEL_SHARES, strict=True)
    held = np.interp(np.log(np.arange(1, num_classes + 1)), np.log(ranks), shares)
    each: NDArray[np.float64] = np.sort(np.diff(held, prepend=0.0))[::-1]
    each /= each.sum()
    return each


def label_count_shares(max_labels: int) -> NDArray[np.float64]:
    """Return the shares of videos with 1 to `max_labels` labels among those with at most that many."""
    shares = np.array(_LABEL_COUNTS[:max_labels])
    shares /= shares.sum()
    return shares


def sample_frame_counts(rng: np.random.Generator, num_videos: int, max_frames: int) -> NDArray[np.int64]:
    """Sample the numbers of frames of videos, scaled so that the longest videos have `max_frames`.

    Args:
        rng: Random generator.
        num_videos: Number of videos `N`.
        max_frames: Frames of the longest videos; a few have one more, as in YouTube-8M.

    Returns:
        Numbers of frames, `(N,)`, each at least 1.
    """
    frames = np.interp(rng.random(num_videos), _FRAME_QUANTILES, _FRAME_COUNTS)
    scaled = np.maximum(1, np.rint(frames * max_frames / FULL_FRAMES)).astype(np.int64)
    return scaled + (rng.random(num_videos) < SHARE_ONE_FRAME_TOO_LONG)
