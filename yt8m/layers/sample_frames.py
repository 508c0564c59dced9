"""Sampling of frames in training."""

from typing import Any

import keras

from yt8m.layers.frame_mask import frame_mask


class SampleFrames(keras.layers.Layer):
    """Samples real frames of a video with replacement in training; passes all frames through in inference.

    Args:
        num_sampled_frames: Number of frames `S` to sample per video. `"max_frames"` samples `T` frames, `"all"` never
            samples.
        seed: Seed of the sampling. By default it depends on `keras.utils.set_random_seed`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        num_frames: Integer tensor `(B,)`.
        training: Whether to sample.

    Returns:
        Frames `(B, S or T, D)` and their bool mask `(B, T)`. The mask of sampled frames is `None`, because all of them
        are real.

    Reference:
        - The paper, sections 4.1 (300 frames with replacement) and 4.2 (all frames in inference).
    """

    def __init__(self, num_sampled_frames: int | str = "max_frames", seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_sampled_frames = num_sampled_frames
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, frames: Any, num_frames: Any, training: bool | None = None) -> tuple[Any, Any]:
        if not training or self.num_sampled_frames == "all":
            return frames, frame_mask(frames, num_frames)
        return self._sample(frames, num_frames), None

    def _sample(self, frames: Any, num_frames: Any) -> Any:
        B, T, _ = keras.ops.shape(frames)
        S = T if self.num_sampled_frames == "max_frames" else self.num_sampled_frames
        D = frames.shape[-1]
        last = keras.ops.clip(keras.ops.cast(num_frames, "int32"), 1, T)[:, None] - 1  # (B, 1)
        uniform = keras.random.uniform((B, S), dtype="float32", seed=self.seed_generator)
        drawn = keras.ops.cast(uniform * keras.ops.cast(last + 1, "float32"), "int32")
        first_row = keras.ops.arange(B, dtype="int32")[:, None] * T
        # Take rows of a (B * T, D) matrix, because take_along_axis would broadcast the indices over the features.
        rows = first_row + keras.ops.minimum(drawn, last)
        sampled = keras.ops.take(keras.ops.reshape(frames, (-1, D)), keras.ops.reshape(rows, (-1,)), axis=0)
        return keras.ops.reshape(sampled, (B, S, D))
