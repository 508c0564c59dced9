"""Context gating."""

from typing import Any

import keras

from yt8m.layers.batch_normalization import BatchNormalization


class ContextGate(keras.layers.Layer):
    """Computes gates `sigmoid(BN(x G))`, which scale features (context gating) or probabilities (label gating).

    Args:
        units: Number of gates.
        remove_diagonal: Whether a gate ignores the input it gates, `x G - diag(G) x`. Needs as many gates as inputs.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        inputs: Float tensor `(B, S)` from which the gates are computed.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, units)`, float32, between 0 and 1.

    Weights:
        `kernel` `(S, units)` = G; `normalization/*` `(units,)`.

    Reference:
        - [Miech et al., 2017](https://arxiv.org/abs/1706.06905), equation 1.
    """

    def __init__(self, units: int, remove_diagonal: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.remove_diagonal = remove_diagonal
        self.normalization = BatchNormalization(name="normalization", dtype=self.dtype_policy)

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        S = inputs_shape[-1]
        assert S is not None
        assert self.units == S or not self.remove_diagonal, "only a square matrix has a diagonal to remove"
        initializer = keras.initializers.RandomNormal(stddev=S**-0.5)
        self.kernel = self.add_weight(name="kernel", shape=(S, self.units), initializer=initializer)
        self.normalization.build((None, self.units))

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*inputs_shape[:-1], self.units)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        logits = keras.ops.matmul(inputs, self.kernel)
        if self.remove_diagonal:
            logits = logits - inputs * keras.ops.diagonal(self.kernel)
        logits = self.normalization(logits, training=training)
        return keras.ops.sigmoid(keras.ops.cast(logits, "float32"))
