"""Which frames are real."""

from typing import Any

import keras


def frame_mask(frames: Any, num_frames: Any) -> Any:
    """Tell real frames from padding.

    A video without frames (no reader lets one through) counts as one frame of zeros: cuDNN's recurrent kernels and
    means over frames need at least one.

    Args:
        frames: Tensor `(B, T, D)`.
        num_frames: Integer tensor `(B,)`.

    Returns:
        Bool tensor `(B, T)`, `False` on padding.
    """
    positions = keras.ops.arange(keras.ops.shape(frames)[1], dtype="int32")
    return positions[None, :] < keras.ops.maximum(keras.ops.cast(num_frames, "int32"), 1)[:, None]
