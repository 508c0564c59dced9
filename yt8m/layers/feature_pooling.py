"""Pooling of frames into a video descriptor, separately for each feature."""

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any

import keras

from yt8m.layers.batch_normalization import BatchNormalization
from yt8m.layers.sample_frames import SampleFrames


class FeaturePooling(keras.layers.Layer):
    """Samples frames in training, normalizes them, and pools each feature (rgb, audio, ...) separately.

    Args:
        features: Size of every feature, in the order of the columns of a frame.
        poolings: Pooling layer of every feature, with a name of its own. It is called with frames
            `(B, T, D_feature)`, `frame_mask` and `training`, returns `(B, P)`, and implements `compute_output_shape`.
        num_sampled_frames: Number of frames to sample in training; see `SampleFrames`.
        normalize_input: Whether frames are batch-normalized before pooling.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        num_frames: Integer tensor `(B,)`.
        training: Whether to sample frames and to use the statistics of the batch.

    Output shape:
        `(B, sum of P)`, the concatenated descriptors of the features.

    Weights:
        `input_normalization/*` `(D,)`; `<name>/*` of each pooling layer.

    Reference:
        - The winners' models; [Miech et al., 2017](https://arxiv.org/abs/1706.06905), section 3.
    """

    def __init__(
        self,
        features: Mapping[str, int],
        poolings: Mapping[str, keras.layers.Layer],
        num_sampled_frames: int | str = "max_frames",
        normalize_input: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        assert features.keys() == poolings.keys()
        self.ranges = list(pairwise(accumulate(features.values(), initial=0)))
        self.sample_frames = SampleFrames(num_sampled_frames, name="sample_frames", dtype=self.dtype_policy)
        self.input_normalization = (
            BatchNormalization(name="input_normalization", dtype=self.dtype_policy) if normalize_input else None
        )
        self.poolings = [poolings[feature] for feature in features]

    def build(self, frames_shape: tuple[int | None, ...], num_frames_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002
        if self.input_normalization:
            self.input_normalization.build(frames_shape)
        for (start, end), pooling in zip(self.ranges, self.poolings, strict=True):
            pooling.build((*frames_shape[:-1], end - start))

    def compute_output_shape(
        self,
        frames_shape: tuple[int | None, ...],
        num_frames_shape: tuple[int | None, ...],  # noqa: ARG002
    ) -> tuple[int | None, ...]:
        sizes = [
            pooling.compute_output_shape((*frames_shape[:-1], end - start))[-1]
            for (start, end), pooling in zip(self.ranges, self.poolings, strict=True)
        ]
        return (frames_shape[0], sum(sizes))

    def call(self, frames: Any, num_frames: Any, training: bool | None = None) -> Any:
        frames, frame_mask = self.sample_frames(frames, num_frames, training=training)
        if self.input_normalization:
            frames = self.input_normalization(frames, frame_mask=frame_mask, training=training)
        descriptors = [
            pooling(frames[:, :, start:end], frame_mask=frame_mask, training=training)
            for (start, end), pooling in zip(self.ranges, self.poolings, strict=True)
        ]
        return keras.ops.concatenate(descriptors, axis=-1)


class AverageFrames(keras.layers.GlobalAveragePooling1D):
    """Averages the real frames of a video in float32.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

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
