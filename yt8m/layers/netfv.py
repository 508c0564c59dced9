"""NetFV: trainable Fisher vectors."""

from typing import Any

import keras

from yt8m.layers.cluster_assignment import ClusterAssignment
from yt8m.layers.l2_normalization import l2_normalize

SMALLEST_SIGMA = 1e-6


class NetFV(keras.layers.Layer):
    """Pools frames into first- and second-order differences from Gaussian clusters.

    With `s_k = sum_t a_tk` and `sigma = w^2 + 1e-6`:

    - first order `(sum_t a_tk x_t - s_k c_k) / sigma_k`, L2-normalized per cluster and overall,
    - second order `(s_k c_k^2 + sum_t a_tk x_t^2 - 2 c_k sum_t a_tk x_t) / sigma_k^2 - s_k`, L2-normalized overall.

    Args:
        num_clusters: Number of clusters `K`.
        coupled: Whether the centers are tied to the weight matrix of the assignment: `c = coupling_factor * W`.
        coupling_factor: Factor between the assignment matrix and tied centers.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `False` on padding; `None` if all frames are real.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, 2 * K * D)`, float32: first-order, then second-order differences. Each half is ordered by cluster and has
        unit L2 norm.

    Weights:
        `assignment/*`, see `ClusterAssignment`; `deviations` `(D, K)` = w, square roots of the standard deviations
        sigma; `centers` `(D, K)` = c unless coupled.

    Reference:
        - [Miech et al., 2017](https://arxiv.org/abs/1706.06905), section 3.1 (NetFV), and the winners' code.
    """

    def __init__(self, num_clusters: int, coupled: bool = False, coupling_factor: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_clusters = num_clusters
        self.coupled = coupled
        self.coupling_factor = coupling_factor
        self.assignment = ClusterAssignment(num_clusters, name="assignment", dtype=self.dtype_policy)

    def build(self, frames_shape: tuple[int | None, ...]) -> None:
        D = frames_shape[-1]
        assert D is not None
        self.assignment.build(frames_shape)
        # Differences of close numbers and divisors need float32 under mixed precision, too.
        options = {"shape": (D, self.num_clusters), "autocast": False}
        around_one = keras.initializers.RandomNormal(mean=1.0, stddev=D**-0.5)
        self.deviations = self.add_weight(name="deviations", initializer=around_one, **options)
        if not self.coupled:
            around_zero = keras.initializers.RandomNormal(stddev=D**-0.5)
            self.centers = self.add_weight(name="centers", initializer=around_zero, **options)

    def compute_output_shape(self, frames_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*frames_shape[:-2], 2 * self.num_clusters * (frames_shape[-1] or 0))

    def call(self, frames: Any, frame_mask: Any = None, training: bool | None = None) -> Any:
        assignment = self.assignment(frames, frame_mask=frame_mask, training=training)  # (B, T, K)
        totals = keras.ops.sum(keras.ops.cast(assignment, "float32"), axis=1)[:, :, None]  # (B, K, 1)
        assignment = keras.ops.transpose(assignment, (0, 2, 1))  # (B, K, T); gradients of einsum are slower
        sums = keras.ops.cast(keras.ops.matmul(assignment, frames), "float32")
        squares = keras.ops.cast(keras.ops.matmul(assignment, keras.ops.square(frames)), "float32")
        centers = keras.ops.transpose(self._coupled_centers() if self.coupled else self.centers)  # (K, D)
        sigma = keras.ops.square(keras.ops.transpose(self.deviations)) + SMALLEST_SIGMA
        first = (sums - totals * centers) / sigma
        second = totals * keras.ops.square(centers) + squares - 2 * centers * sums
        second = second / keras.ops.square(sigma) - totals
        size = self.num_clusters * frames.shape[-1]
        halves = [keras.ops.reshape(half, (-1, size)) for half in (l2_normalize(first), second)]
        return keras.ops.concatenate([l2_normalize(half) for half in halves], axis=-1)

    def _coupled_centers(self) -> Any:
        return self.coupling_factor * keras.ops.cast(self.assignment.kernel, "float32")
