"""Which scene is on screen in which frame, and what each scene shows."""

import numpy as np
from numpy.typing import NDArray


def scene_of_frames(rng: np.random.Generator, num_frames: int, mean_length: float) -> NDArray[np.int64]:
    """Cut a video into scenes whose lengths are geometric, that is without memory.

    Args:
        rng: Source of randomness.
        num_frames: Frames of the video, `T`.
        mean_length: Mean length of a scene in frames, at least 1.

    Returns:
        Number of the scene of every frame, `(T,)`, from 0, rising.
    """
    cuts = rng.random(num_frames) < 1.0 / mean_length
    cuts[0] = False
    return np.cumsum(cuts)


def deal(rng: np.random.Generator, num_scenes: int, num_contents: int) -> NDArray[np.int64]:
    """Deal contents to scenes so that all get about equally many, in random order.

    Args:
        rng: Source of randomness.
        num_scenes: Number of scenes `S`.
        num_contents: Number of contents; when there are more than scenes, some are not dealt.

    Returns:
        Number of the content of every scene, `(S,)`.
    """
    rounds = -(-num_scenes // num_contents)
    dealt = np.concatenate([rng.permutation(num_contents) for _ in range(rounds)])[:num_scenes]
    return rng.permutation(dealt)
