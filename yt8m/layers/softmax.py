"""Softmax head."""

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike


class SoftmaxRegression(keras.layers.Layer):
    """Multinomial logistic regression, for classes that exclude each other: `softmax(x W + b)`.

    Args:
        num_classes: Number of classes `C`.
        l2_penalty: Factor `lambda` of the penalty `lambda * ||W||^2 / 2`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        inputs: Float tensor `(B, H)`.

    Output shape:
        `(B, C)`, float32 probabilities that sum to 1 for each video.

    Weights:
        `dense/kernel` `(H, C)`, `dense/bias` `(C,)`.
    """

    def __init__(self, num_classes: int, l2_penalty: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(
            num_classes,
            kernel_regularizer=keras.regularizers.L2(l2_penalty / 2),
            name="dense",
            dtype=self.dtype_policy,
        )

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        self.dense.build(inputs_shape)

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*inputs_shape[:-1], self.dense.units)

    def call(self, inputs: Any) -> Any:
        return keras.ops.softmax(keras.ops.cast(self.dense(inputs), "float32"))

    def set_initial_predictions(self, probabilities: ArrayLike) -> None:
        """Set the bias so that the layer predicts given probabilities for inputs of 0.

        Args:
            probabilities: Array `(C,)` with positive values, which are divided by their sum.
        """
        given = np.asarray(probabilities, np.float64)
        self.dense.bias.assign(np.log(given / given.sum()))
