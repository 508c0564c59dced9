"""Logistic head."""

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike


class Logistic(keras.layers.Layer):
    """One logistic regression per class: `sigmoid(x W + b)`.

    Args:
        num_classes: Number of classes `C`.
        l2_penalty: Factor `lambda` of the penalty `lambda * ||W||^2 / 2`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        inputs: Float tensor `(B, H)`.

    Output shape:
        `(B, C)`, float32 probabilities.

    Weights:
        `dense/kernel` `(H, C)`, `dense/bias` `(C,)`.

    Reference:
        - `LogisticModel` of YouTube-8M's starter code, with a penalty of 1e-8, which is the winners' head of RNNs;
          [Abu-El-Haija et al., 2016](https://arxiv.org/abs/1609.08675), section 5.3.1.
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
        return keras.ops.sigmoid(keras.ops.cast(self.dense(inputs), "float32"))

    def set_initial_predictions(self, probabilities: ArrayLike) -> None:
        """Set the bias so that the layer predicts given probabilities for inputs of 0.

        Args:
            probabilities: Array `(C,)` with values in (0, 1).
        """
        self.dense.bias.assign(log_odds(probabilities))


def log_odds(probabilities: ArrayLike) -> np.ndarray:
    """Compute `log(p / (1 - p))` element by element."""
    given = np.asarray(probabilities, np.float64)
    return np.log(given) - np.log1p(-given)
