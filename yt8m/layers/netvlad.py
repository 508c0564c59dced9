"""NetVLAD."""

from typing import Any

import keras

from yt8m.layers.cluster_assignment import ClusterAssignment
from yt8m.layers.l2_normalization import l2_normalize


class NetVLAD(keras.layers.Layer):
    """Pools frames into residuals against learned cluster centers.

    Each frame is softly assigned to every cluster; its residual to the cluster center is summed over frames, then
    L2-normalized per cluster and overall: `V_k = sum_t a_tk x_t - (sum_t a_tk) c_k`.

    Args:
        num_clusters: Number of clusters `K`.
        centers: Whether the layer has cluster centers. Without them it is LightVLAD.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `False` on padding; `None` if all frames are real.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, K * D)`, ordered by cluster, float32, unit L2 norm.

    Weights:
        `assignment/*`, see `ClusterAssignment`; `centers` `(D, K)` = c.

    Reference:
        - [Arandjelovic et al., 2016](https://arxiv.org/abs/1511.07247), equation 4; independent centers and LightVLAD
          as in [Miech et al., 2017](https://arxiv.org/abs/1706.06905).
    """

    def __init__(self, num_clusters: int, centers: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_clusters = num_clusters
        self.has_centers = centers
        self.assignment = ClusterAssignment(num_clusters, name="assignment", dtype=self.dtype_policy)

    def build(self, frames_shape: tuple[int | None, ...]) -> None:
        D = frames_shape[-1]
        assert D is not None
        self.assignment.build(frames_shape)
        if self.has_centers:
            initializer = keras.initializers.RandomNormal(stddev=D**-0.5)
            shape = (D, self.num_clusters)
            # Residuals are small differences and need float32 under mixed precision, too.
            self.centers = self.add_weight(name="centers", shape=shape, initializer=initializer, autocast=False)

    def compute_output_shape(self, frames_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*frames_shape[:-2], self.num_clusters * (frames_shape[-1] or 0))

    def call(self, frames: Any, frame_mask: Any = None, training: bool | None = None) -> Any:
        assignment = self.assignment(frames, frame_mask=frame_mask, training=training)  # (B, T, K)
        # The gradients of einsum are slower on TensorFlow.
        residuals = keras.ops.cast(keras.ops.matmul(keras.ops.transpose(assignment, (0, 2, 1)), frames), "float32")
        if self.has_centers:
            totals = keras.ops.sum(keras.ops.cast(assignment, "float32"), axis=1)  # (B, K)
            residuals = residuals - totals[:, :, None] * keras.ops.transpose(self.centers)
        per_cluster = l2_normalize(residuals)
        return l2_normalize(keras.ops.reshape(per_cluster, (-1, self.num_clusters * frames.shape[-1])))
