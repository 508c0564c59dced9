"""What YouTube-8M's videos look like in numbers, measured on 57,975 validation videos of 2018.

Times are in seconds, which for YouTube-8M are frames; amplitudes are in steps of a frame byte
(`4 / 255` in the units of the dequantized features).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Length of the videos in frames that all other times refer to.
FULL_FRAMES = 300

# Share of all labels that the most frequent classes hold together: (number of classes, share).
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

# Share of the videos with 1, 2, ... labels; their mean is 3.0. The last entry holds the longer tail.
_LABEL_COUNTS = (0.2458, 0.2247, 0.1876, 0.1557, 0.0882, 0.0461, 0.0262, 0.0126, 0.0065, 0.0034, 0.0017, 0.0015)

# Quantiles of the number of frames: 30% of the videos have exactly 300.
_FRAME_QUANTILES = (0.0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.65, 0.698, 0.6981, 1.0)
_FRAME_COUNTS = (117, 121, 129, 140, 175, 235, 281, 296, 300, 300)

# 11 of 43,458 videos have a frame too many.
SHARE_ONE_FRAME_TOO_LONG = 11 / 43458


@dataclass(frozen=True)
class FeatureFacts:
    """How the bytes of a frame feature vary; all parts are independent, so their variances add.

    Attributes:
        mean_sd: Standard deviation, over videos, of a feature's mean over a video.
        scene_sd: Standard deviation, within a video, of what stays the same during a scene.
        noise_sd: Standard deviation of what changes from frame to frame.
        scene_frames: Mean length of a scene.
    """

    mean_sd: float
    scene_sd: float
    noise_sd: float
    scene_frames: float


# The mean of all bytes: features lie around 0, which is 127.
MEAN_BYTE = 127.0

# rgb: sd 29 between and about 45 within videos, half of the latter for a scene's some seconds. With it frames 1, 5 and
# 30 s apart correlate by 0.6, 0.45 and 0.3. The figures are those before bytes saturate, which takes 1 to 3%.
RGB = FeatureFacts(mean_sd=29.6, scene_sd=32.0, noise_sd=30.0, scene_frames=7.0)

# audio: sd 43 between and about 50 within videos; what stays the same lasts minutes (music, a speaker). Correlation
# after 1, 5 and 30 s: 0.66, 0.64 and 0.6.
AUDIO = FeatureFacts(mean_sd=45.0, scene_sd=39.0, noise_sd=36.0, scene_frames=120.0)


def feature_facts(name: str) -> FeatureFacts:
    """The facts of a feature; everything that is not called `audio` looks like `rgb`."""
    return AUDIO if name == "audio" else RGB


def class_shares(num_classes: int) -> NDArray[np.float64]:
    """Share of all labels that each class holds, the most frequent class first.

    Args:
        num_classes: Number of classes `C`, at most 3,862; fewer are the most frequent ones.

    Returns:
        `(C,)`, falling, with sum 1.
    """
    ranks, shares = zip(*_LABEL_SHARES, strict=True)
    held = np.interp(np.log(np.arange(1, num_classes + 1)), np.log(ranks), shares)
    each: NDArray[np.float64] = np.sort(np.diff(held, prepend=0.0))[::-1]
    each /= each.sum()
    return each


def label_count_shares(most: int) -> NDArray[np.float64]:
    """Share of the videos with 1 to `most` labels; longer lists are left out."""
    shares = np.array(_LABEL_COUNTS[:most])
    shares /= shares.sum()
    return shares


def sample_frame_counts(rng: np.random.Generator, num_videos: int, max_frames: int) -> NDArray[np.int64]:
    """Draw numbers of frames, scaled so that the longest videos have `max_frames`.

    Args:
        rng: VideoSource of randomness.
        num_videos: How many to draw, `N`.
        max_frames: Frames of the longest videos; a few have one more, as in the original.

    Returns:
        `(N,)`, each at least 1.
    """
    frames = np.interp(rng.random(num_videos), _FRAME_QUANTILES, _FRAME_COUNTS)
    scaled = np.maximum(1, np.rint(frames * max_frames / FULL_FRAMES)).astype(np.int64)
    return scaled + (rng.random(num_videos) < SHARE_ONE_FRAME_TOO_LONG)
