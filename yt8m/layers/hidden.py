"""The hidden layer between descriptor and head."""

from typing import Any

import keras

from yt8m.layers.batch_normalization import BatchNormalization

BIAS_STDDEV = 0.01


class Hidden(keras.layers.Layer):
    """A dense layer with a bias or, in its place, batch normalization; with relu6 or without activation.

    Args:
        units: Number of units `H`.
        batch_norm: Batch normalization instead of the bias.
        relu6: Whether `min(max(x, 0), 6)` comes last.
        kernel_initializer: Of the matrix.
        **kwargs: As for every Keras layer.

    Call arguments:
        inputs: Float tensor `(B, P)`.
        training: Whether to use the batch's statistics.

    Output shape:
        `(B, H)`.

    Weights:
        `dense/kernel` `(P, H)`, then `dense/bias` `(H,)` or `normalization/*` `(H,)`.

    Reference:
        - The winners' code, after [Miech et al., 2017](https://arxiv.org/abs/1706.06905).
    """

    def __init__(
        self, units: int, *, kernel_initializer: Any, batch_norm: bool = False, relu6: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.relu6 = relu6
        self.dense = keras.layers.Dense(
            units,
            use_bias=not batch_norm,
            kernel_initializer=kernel_initializer,
            bias_initializer=keras.initializers.RandomNormal(stddev=BIAS_STDDEV),
            name="dense",
            dtype=self.dtype_policy,
        )
        self.normalization = BatchNormalization(name="normalization", dtype=self.dtype_policy) if batch_norm else None

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        self.dense.build(inputs_shape)
        if self.normalization:
            self.normalization.build((None, self.dense.units))

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*inputs_shape[:-1], self.dense.units)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        hidden = self.dense(inputs)
        if self.normalization:
            hidden = self.normalization(hidden, training=training)
        return keras.ops.relu6(hidden) if self.relu6 else hidden
