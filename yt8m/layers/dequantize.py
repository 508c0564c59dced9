"""Dequantization of frame features."""

from typing import Any

import keras

from yt8m.data.format import YT8M_RANGE, scale_and_offset
from yt8m.layers.frame_mask import frame_mask
from yt8m.layers.l2_normalization import l2_normalize


class Dequantize(keras.layers.Layer):
    """Dequantizes the bytes of frames and L2-normalizes every frame as one vector of all features.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: uint8 tensor `(B, T, D)`.
        num_frames: Integer tensor `(B,)`, number of real frames of each video.

    Output shape:
        `(B, T, D)`, float32. Real frames have unit L2 norm; padding is exactly 0.

    Reference:
        - `utils.Dequantize` of YouTube-8M's starter code with range [-2, 2]; normalization as in the winners'
          `train.py`.
    """

    def call(self, frames: Any, num_frames: Any) -> Any:
        real = frame_mask(frames, num_frames)
        scale, offset = scale_and_offset(*YT8M_RANGE)
        values = l2_normalize(keras.ops.cast(frames, "float32") * scale + offset)
        return keras.ops.where(real[:, :, None], values, 0.0)
