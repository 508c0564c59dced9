"""Dequantization of frame features."""

from typing import Any

import keras

from yt8m.data.format import DataSpec
from yt8m.layers.frame_mask import frame_mask
from yt8m.layers.l2_normalization import l2_normalize


class Dequantize(keras.layers.Layer):
    """Dequantizes the bytes of frames and L2-normalizes every frame as one vector of all features.

    Args:
        spec: Features and the ranges of their bytes.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: uint8 tensor `(B, T, D)`.
        num_frames: Integer tensor `(B,)`, number of real frames of each video.

    Output shape:
        `(B, T, D)`, float32. Real frames have unit L2 norm; padding is exactly 0.

    Reference:
        - `utils.Dequantize` of YouTube-8M's starter code, where the range is [-2, 2]; normalization as in the winners'
          `train.py`.
    """

    def __init__(self, spec: DataSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = spec.scale_and_offset()

    def call(self, frames: Any, num_frames: Any) -> Any:
        real = frame_mask(frames, num_frames)
        values = l2_normalize(keras.ops.cast(frames, "float32") * self.scale + self.offset)
        return keras.ops.where(real[:, :, None], values, 0.0)
