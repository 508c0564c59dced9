"""Bytes to frames."""

from typing import Any

import keras

from yt8m.data.format import OFFSET, SCALE
from yt8m.layers.frame_mask import frame_mask
from yt8m.layers.l2_normalization import l2_normalize


class Dequantize(keras.layers.Layer):
    """Turns the bytes of frames into floats and L2-normalizes every frame as one vector, all features together.

    Args:
        **kwargs: As for every Keras layer.

    Call arguments:
        frames: uint8 tensor `(B, T, D)`.
        num_frames: Integer tensor `(B,)`, real frames of each video.

    Output shape:
        `(B, T, D)`, float32; each real frame of unit norm, padding exactly 0.

    Reference:
        - YouTube-8M's `utils.Dequantize` with range [-2, 2]; frames normalized as in the winners' `train.py`.
    """

    def call(self, frames: Any, num_frames: Any) -> Any:
        real = frame_mask(frames, num_frames)
        values = l2_normalize(keras.ops.cast(frames, "float32") * SCALE + OFFSET)
        return keras.ops.where(real[:, :, None], values, 0.0)
