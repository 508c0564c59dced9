"""Soft assignment of frames to clusters."""

from typing import Any

import keras

from yt8m.layers.batch_normalization import BatchNormalization

# Differences by rounding, for values of about 1.
ROUNDING = {"float32": 1e-6, "bfloat16": 1e-2}


class ClusterAssignment(keras.layers.Layer):
    """Assigns frames to clusters by `activation(BN(x W))`; assignments of padding are 0.

    Args:
        num_clusters: Number of clusters `K`.
        activation: `"softmax"` over clusters, or `"relu6"` (classic DBoF).
        num_groups: Number of groups `G`; a frame is assigned separately in each group (NeXtVLAD).
        kernel_initializer: Initializer of W. The default is a normal distribution with standard deviation
            `1 / sqrt(D)`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `False` on padding; `None` if all frames are real.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, T, G * K)`, ordered by group.

    Weights:
        `kernel` `(D, G * K)` = W; `normalization/*` `(G * K,)`.

    Reference:
        - [Arandjelovic et al., 2016](https://arxiv.org/abs/1511.07247), equation 2, with batch normalization in place
          of the bias as in [Miech et al., 2017](https://arxiv.org/abs/1706.06905).
    """

    def __init__(
        self,
        num_clusters: int,
        activation: str = "softmax",
        num_groups: int = 1,
        kernel_initializer: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_clusters = num_clusters
        self.size = num_groups * num_clusters
        self.kernel_initializer = kernel_initializer
        self.activation = keras.activations.get(activation)
        self.normalization = BatchNormalization(name="normalization", dtype=self.dtype_policy)

    def build(self, frames_shape: tuple[int | None, ...]) -> None:
        D = frames_shape[-1]
        assert D is not None
        initializer = self.kernel_initializer or keras.initializers.RandomNormal(stddev=D**-0.5)
        self.kernel = self.add_weight(name="kernel", shape=(D, self.size), initializer=initializer)
        self.normalization.build((None, self.size))

    def call(self, frames: Any, frame_mask: Any = None, training: bool | None = None) -> Any:
        _, T, D = keras.ops.shape(frames)
        # One matrix product over all frames, because products of rank-3 tensors are slower.
        logits = keras.ops.matmul(keras.ops.reshape(frames, (-1, D)), self.kernel)  # (B * T, G * K)
        rows_mask = None if frame_mask is None else keras.ops.reshape(frame_mask, (-1,))
        logits = self.normalization(logits, frame_mask=rows_mask, training=training)
        logits = keras.ops.reshape(keras.ops.cast(logits, "float32"), (-1, self.num_clusters))
        assignment = keras.ops.cast(self.activation(logits), self.compute_dtype)
        assignment = keras.ops.reshape(assignment, (-1, T, self.size))
        if frame_mask is None:
            return assignment
        return assignment * keras.ops.cast(frame_mask, assignment.dtype)[:, :, None]


def largest_assignments(assignment: Any, training: bool | None) -> Any:
    """Take the largest assignment of each cluster over the frames.

    The gradient goes to the frames that have the largest assignment, in equal parts, as that of `keras.ops.max`. That
    one finds these frames with `==`. On a GPU, XLA can compute an assignment twice, with other rounding; then no frame
    is equal, and the gradient is 0/0. Here, frames whose assignments differ by rounding only count as equal.

    Args:
        assignment: Assignments `(B, T, K)`.
        training: Whether a gradient will be asked for.

    Returns:
        `(B, K)`.
    """
    largest = keras.ops.max(assignment, axis=1, keepdims=True)
    if not training:
        return keras.ops.squeeze(largest, axis=1)
    dtype = keras.backend.standardize_dtype(assignment.dtype)
    largest = keras.ops.stop_gradient(largest)
    least = largest - ROUNDING[dtype] * keras.ops.maximum(keras.ops.abs(largest), 1)
    chosen = keras.ops.cast(assignment >= least, dtype)
    parts = chosen / keras.ops.maximum(keras.ops.sum(chosen, axis=1, keepdims=True), 1)
    # 0, with the gradient of the chosen frames.
    change = (assignment - keras.ops.stop_gradient(assignment)) * keras.ops.stop_gradient(parts)
    return keras.ops.squeeze(largest, axis=1) + keras.ops.sum(change, axis=1)
