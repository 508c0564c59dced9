"""Hidden layer between the video descriptor and the head."""

from typing import Any

import keras

from yt8m.layers.batch_normalization import BatchNormalization

BIAS_STDDEV = 0.01


class Hidden(keras.layers.Layer):
    """Dense layer with a bias or batch normalization, and with relu6 or no activation.

    Args:
        units: Number of units `H`.
        batch_norm: Whether batch normalization replaces the bias.
        relu6: Whether relu6, `min(max(x, 0), 6)`, is applied last.
        kernel_initializer: Initializer of the weight matrix.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        inputs: Float tensor `(B, P)`.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, H)`.

    Weights:
        `dense/kernel` `(P, H)`, and either `dense/bias` `(H,)` or `normalization/*` `(H,)`.

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
