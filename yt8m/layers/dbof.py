"""Deep bag of frames (DBoF) with soft assignment and optional gates."""

from typing import Any

import keras

from yt8m.layers.cluster_assignment import ClusterAssignment, largest_assignments
from yt8m.layers.context_gate import ContextGate
from yt8m.layers.l2_normalization import l2_normalize


class DBoF(keras.layers.Layer):
    """Pools soft assignments into a histogram of visual words, optionally gated by each word's maximum over frames.

    With `s = sum_t a_t` and `m = L2norm(max_t a_t)`, the output is `L2norm(s)` without gates, followed by `m` with
    `add_maximum`. With gates it is `L2norm(s * sigmoid(BN((m R) U)))`.

    Args:
        num_clusters: Number of visual words `K`.
        gated: Whether to multiply the histogram by gates.
        add_maximum: Whether the output has the maxima beside the histogram. Not with gates, which read them already.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `False` on padding; `None` if all frames are real.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, K)`, float32, unit L2 norm; with `add_maximum` `(B, 2 * K)`, where each half has unit L2 norm.

    Weights:
        `assignment/*`, see `ClusterAssignment`. With gates, `gate_projection/kernel` `(K, D)` = R, `gate/kernel`
        `(D, K)` = U and `gate/normalization/*` `(K,)`.

    Reference:
        - [Abu-El-Haija et al., 2016](https://arxiv.org/abs/1609.08675); gates, their initial values and maxima beside
          the histogram (`softdbof_maxpool`) as in the winners' code.
    """

    def __init__(self, num_clusters: int, gated: bool = False, add_maximum: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        assert not (gated and add_maximum)
        self.num_clusters = num_clusters
        self.gated = gated
        self.add_maximum = add_maximum
        self.assignment = ClusterAssignment(num_clusters, name="assignment", dtype=self.dtype_policy)

    def build(self, frames_shape: tuple[int | None, ...]) -> None:
        D = frames_shape[-1]
        assert D is not None
        self.assignment.build(frames_shape)
        if self.gated:
            initializer = keras.initializers.RandomNormal(stddev=D**-0.5)
            self.gate_projection = keras.layers.Dense(
                D, use_bias=False, kernel_initializer=initializer, name="gate_projection", dtype=self.dtype_policy
            )
            self.gate_projection.build((None, self.num_clusters))
            self.gate = ContextGate(self.num_clusters, name="gate", dtype=self.dtype_policy)
            self.gate.build((None, D))

    def compute_output_shape(self, frames_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*frames_shape[:-2], self.num_clusters * (2 if self.add_maximum else 1))

    def call(self, frames: Any, frame_mask: Any = None, training: bool | None = None) -> Any:
        assignment = self.assignment(frames, frame_mask=frame_mask, training=training)  # (B, T, K)
        counts = keras.ops.sum(keras.ops.cast(assignment, "float32"), axis=1)  # (B, K)
        if not (self.gated or self.add_maximum):
            return l2_normalize(counts)
        peaks = l2_normalize(largest_assignments(assignment, training))  # (B, K)
        if self.add_maximum:
            return keras.ops.concatenate([l2_normalize(counts), peaks], axis=-1)
        return l2_normalize(counts * self.gate(self.gate_projection(peaks), training=training))
