"""Classic deep bag of frames (DBoF)."""

from typing import Any

import keras

from yt8m.layers.cluster_assignment import ClusterAssignment, largest_assignments


class ClassicDBoF(keras.layers.Layer):
    """Projects every frame to a sparse code, `relu6(BN(x W))`, and pools the codes over frames.

    Args:
        num_clusters: Number of elements `K` of the code.
        pooling: `"max"`, which is sensitive to rare frames, or `"average"`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `False` on padding; `None` if all frames are real.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, K)`, float32.

    Weights:
        `assignment/*`; see `ClusterAssignment`.

    Reference:
        - [Abu-El-Haija et al., 2016](https://arxiv.org/abs/1609.08675), section 5.1.2.
    """

    def __init__(self, num_clusters: int, pooling: str = "max", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pooling = pooling
        self.assignment = ClusterAssignment(num_clusters, "relu6", name="assignment", dtype=self.dtype_policy)

    def build(self, frames_shape: tuple[int | None, ...]) -> None:
        self.assignment.build(frames_shape)

    def compute_output_shape(self, frames_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*frames_shape[:-2], self.assignment.num_clusters)

    def call(self, frames: Any, frame_mask: Any = None, training: bool | None = None) -> Any:
        codes = self.assignment(frames, frame_mask=frame_mask, training=training)  # (B, T, K), >= 0, padding 0
        if self.pooling == "max":
            return keras.ops.cast(largest_assignments(codes, training), "float32")
        codes = keras.ops.cast(codes, "float32")
        if frame_mask is None:
            return keras.ops.mean(codes, axis=1)
        num_frames = keras.ops.sum(keras.ops.cast(frame_mask, "float32"), axis=1, keepdims=True)
        return keras.ops.sum(codes, axis=1) / num_frames
