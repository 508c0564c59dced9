"""L2 normalization that is safe at zero."""

from typing import Any

import keras

EPSILON = 1e-12
"""Smallest squared norm (reference: the winners' code, `tf.nn.l2_normalize`)."""


def l2_normalize(values: Any, axis: int = -1) -> Any:
    """Scale vectors to unit L2 norm; zero vectors stay zero and have finite gradients.

    `keras.ops.normalize` takes the root before it guards against zero, so the gradient of a zero vector is NaN there.

    Args:
        values: Float tensor.
        axis: The axis the vectors lie on.

    Returns:
        A float32 tensor of the same shape, whatever the precision of `values`.
    """
    values = keras.ops.cast(values, "float32")
    squared_norm = keras.ops.sum(keras.ops.square(values), axis=axis, keepdims=True)
    return values * keras.ops.rsqrt(keras.ops.maximum(squared_norm, EPSILON))
