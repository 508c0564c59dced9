"""Mask of real frames."""

from typing import Any

import keras


def frame_mask(frames: Any, num_frames: Any) -> Any:
    """Compute the mask of real frames.

    A video without frames counts as one frame of zeros, because cuDNN's recurrent kernels and means over frames need
    at least one. Readers of shards reject such videos.

    Args:
        frames: Tensor `(B, T, D)`.
        num_frames: Integer tensor `(B,)`, number of real frames of each video.

    Returns:
        Bool tensor `(B, T)`, `False` on padding.
    """
    positions = keras.ops.arange(keras.ops.shape(frames)[1], dtype="int32")
    return positions[None, :] < keras.ops.maximum(keras.ops.cast(num_frames, "int32"), 1)[:, None]
