"""Gates on features or probabilities."""

from typing import Any

import keras

from yt8m.layers.batch_normalization import BatchNormalization


class ContextGate(keras.layers.Layer):
    """Computes gates `sigmoid(BN(x G))`, which scale features (context gating) or probabilities (label gating).

    Args:
        units: Number of gates.
        remove_diagonal: Whether a gate ignores the input it gates, `x G - diag(G) x`. Needs as many gates as inputs.
        batch_norm: Whether the gates are batch-normalized. Otherwise they have a bias, `sigmoid(x G + b)`, which starts
            with the same distribution as G (the winners' gates on the final states of an RNN).
        initial_deviation: Standard deviation of the initial normal distribution of G. The default is `1 / sqrt(S)`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        inputs: Float tensor `(B, S)` from which the gates are computed.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, units)`, float32, between 0 and 1.

    Weights:
        `kernel` `(S, units)` = G, and either `normalization/*` `(units,)` or `bias` `(units,)` = b.

    Reference:
        - [Miech et al., 2017](https://arxiv.org/abs/1706.06905), equation 1; gates with a bias as in the winners' code.
    """

    def __init__(
        self,
        units: int,
        remove_diagonal: bool = False,
        *,
        batch_norm: bool = True,
        initial_deviation: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.remove_diagonal = remove_diagonal
        self.initial_deviation = initial_deviation
        self.normalization = BatchNormalization(name="normalization", dtype=self.dtype_policy) if batch_norm else None

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        S = inputs_shape[-1]
        assert S is not None
        assert self.units == S or not self.remove_diagonal, "only a square matrix has a diagonal to remove"
        deviation = S**-0.5 if self.initial_deviation is None else self.initial_deviation
        normal = keras.initializers.RandomNormal
        self.kernel = self.add_weight(name="kernel", shape=(S, self.units), initializer=normal(stddev=deviation))
        if self.normalization:
            self.normalization.build((None, self.units))
        else:
            self.bias = self.add_weight(name="bias", shape=(self.units,), initializer=normal(stddev=deviation))

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*inputs_shape[:-1], self.units)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        logits = keras.ops.matmul(inputs, self.kernel)
        if self.remove_diagonal:
            logits = logits - inputs * keras.ops.diagonal(self.kernel)
        logits = self.normalization(logits, training=training) if self.normalization else logits + self.bias
        return keras.ops.sigmoid(keras.ops.cast(logits, "float32"))
