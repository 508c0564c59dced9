"""The mean over frames."""

from typing import Any

import keras


class AverageFrames(keras.layers.GlobalAveragePooling1D):
    """Averages a video's real frames, in float32.

    Args:
        **kwargs: As for every Keras layer.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `False` on padding; `None` if all frames are real.

    Output shape:
        `(B, D)`, float32.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(data_format="channels_last", **kwargs)

    def call(self, frames: Any, frame_mask: Any = None) -> Any:
        return super().call(keras.ops.cast(frames, "float32"), mask=frame_mask)
