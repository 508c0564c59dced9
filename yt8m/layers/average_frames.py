"""The mean over frames."""

from typing import Any

import keras


class AverageFrames(keras.layers.Layer):
    """Averages a video's real frames.

    Args:
        **kwargs: As for every Keras layer.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `False` on padding; `None` if all frames are real.

    Output shape:
        `(B, D)`, float32.
    """

    def compute_output_shape(self, frames_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*frames_shape[:-2], frames_shape[-1])

    def call(self, frames: Any, frame_mask: Any = None) -> Any:
        frames = keras.ops.cast(frames, "float32")
        if frame_mask is None:
            return keras.ops.mean(frames, axis=1)
        weights = keras.ops.cast(frame_mask, "float32")[:, None, :]  # (B, 1, T)
        return keras.ops.matmul(weights, frames)[:, 0] / keras.ops.sum(weights, axis=-1)
