"""NeXtVLAD."""

from typing import Any

import keras

from yt8m.layers.batch_normalization import BatchNormalization
from yt8m.layers.cluster_assignment import ClusterAssignment
from yt8m.layers.l2_normalization import l2_normalize

INITIALIZER = "he_normal"


class NeXtVLAD(keras.layers.Layer):
    """NetVLAD on groups of features, which needs far fewer weights in the following layer.

    Each frame is expanded to `x' = x E + e` of size `lambda D` and split into `G` groups of `N = lambda D / G`
    features. Every group is softly assigned to the clusters and weighted by its attention `sigmoid(x' A + b)`. Its
    residuals are summed over groups and frames, `V_k = sum_tg a_tgk (x'_tg - c_k)`, L2-normalized per cluster, and
    batch-normalized.

    All matrices are initialized from a normal distribution with standard deviation `sqrt(2 / inputs)`, truncated at
    two standard deviations, as in the authors' code. Unlike there, padding does not enter the batch statistics.

    Args:
        num_clusters: Number of clusters `K`.
        num_groups: Number of groups `G`, a divisor of `lambda D`.
        expansion: Expansion factor `lambda`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `False` on padding; `None` if all frames are real.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, K * N)`, ordered by cluster.

    Weights:
        `expansion/kernel` `(D, lambda D)` = E, `expansion/bias`; `attention/kernel` `(lambda D, G)` = A,
        `attention/bias`; `assignment/*` with `kernel` `(lambda D, G * K)`, ordered by group; `centers` `(N, K)` = c;
        `normalization/*` `(K * N,)`.

    Reference:
        - [Lin, Xiao and Fan, 2018](https://arxiv.org/abs/1811.05014), section 3.3, and its authors' code.
    """

    def __init__(self, num_clusters: int, num_groups: int = 8, expansion: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_clusters = num_clusters
        self.num_groups = num_groups
        self.expansion_factor = expansion
        options = {"kernel_initializer": INITIALIZER, "dtype": self.dtype_policy}
        self.attention = keras.layers.Dense(num_groups, activation="sigmoid", name="attention", **options)
        self.assignment = ClusterAssignment(num_clusters, num_groups=num_groups, name="assignment", **options)
        self.normalization = BatchNormalization(name="normalization", dtype=self.dtype_policy)

    def build(self, frames_shape: tuple[int | None, ...]) -> None:
        D = frames_shape[-1]
        assert D is not None
        expanded = self.expansion_factor * D
        assert expanded % self.num_groups == 0, "groups must divide the expanded features"
        self.group_size = expanded // self.num_groups
        self.expansion = keras.layers.Dense(
            expanded, kernel_initializer=INITIALIZER, name="expansion", dtype=self.dtype_policy
        )
        self.expansion.build((None, D))
        self.attention.build((None, expanded))
        self.assignment.build((*frames_shape[:-1], expanded))
        shape = (self.group_size, self.num_clusters)
        self.centers = self.add_weight(name="centers", shape=shape, initializer=INITIALIZER, autocast=False)
        self.normalization.build((None, self.num_clusters * self.group_size))

    def compute_output_shape(self, frames_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*frames_shape[:-2], self.num_clusters * self.group_size)

    def call(self, frames: Any, frame_mask: Any = None, training: bool | None = None) -> Any:
        _, T, D = keras.ops.shape(frames)
        K, G, N = self.num_clusters, self.num_groups, self.group_size
        expanded = self.expansion(keras.ops.reshape(frames, (-1, D)))  # (B * T, G * N)
        attention = keras.ops.reshape(self.attention(expanded), (-1, T * G, 1))
        expanded = keras.ops.reshape(expanded, (-1, T, G * N))
        assignment = self.assignment(expanded, frame_mask=frame_mask, training=training)  # (B, T, G * K)
        assignment = keras.ops.reshape(assignment, (-1, T * G, K)) * attention
        grouped = keras.ops.reshape(expanded, (-1, T * G, N))
        sums = keras.ops.cast(keras.ops.matmul(keras.ops.transpose(assignment, (0, 2, 1)), grouped), "float32")
        totals = keras.ops.sum(keras.ops.cast(assignment, "float32"), axis=1)  # (B, K)
        residuals = l2_normalize(sums - totals[:, :, None] * keras.ops.transpose(self.centers))
        return self.normalization(keras.ops.reshape(residuals, (-1, K * N)), training=training)
