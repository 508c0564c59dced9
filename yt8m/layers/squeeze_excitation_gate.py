"""Squeeze-and-excitation gating."""

from typing import Any

import keras

from yt8m.layers.batch_normalization import BatchNormalization


class SqueezeExcitationGate(keras.layers.Layer):
    """Computes gates `sigmoid(relu(BN(x S)) E)`, which scale the inputs.

    Args:
        units: Number of inputs and gates `H`.
        reduction: Reduction factor of the bottleneck, which has `H // reduction` units.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        inputs: Float tensor `(B, H)`.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, H)`, float32, between 0 and 1.

    Weights:
        `squeeze/kernel` `(H, H // reduction)` = S, `normalization/*`, `excite/kernel` `(H // reduction, H)` = E.

    Both matrices are initialized from a normal distribution with standard deviation `sqrt(2 / inputs)`, truncated at
    two standard deviations, as in the authors' code.

    Reference:
        - [Lin, Xiao and Fan, 2018](https://arxiv.org/abs/1811.05014), section 3.3 ("SE context gating").
    """

    def __init__(self, units: int, reduction: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        options = {"use_bias": False, "kernel_initializer": "he_normal", "dtype": self.dtype_policy}
        self.squeeze = keras.layers.Dense(max(1, units // reduction), name="squeeze", **options)
        self.normalization = BatchNormalization(name="normalization", dtype=self.dtype_policy)
        self.excite = keras.layers.Dense(units, name="excite", **options)

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        self.squeeze.build(inputs_shape)
        self.normalization.build((None, self.squeeze.units))
        self.excite.build((None, self.squeeze.units))

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*inputs_shape[:-1], self.excite.units)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        squeezed = keras.ops.relu(self.normalization(self.squeeze(inputs), training=training))
        return keras.ops.sigmoid(keras.ops.cast(self.excite(squeezed), "float32"))
