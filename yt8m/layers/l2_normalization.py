"""L2 normalization with finite gradients at zero."""

from typing import Any

import keras

EPSILON = 1e-12
"""Lower bound of the squared norm, as in `tf.nn.l2_normalize`, which the winners' code uses."""


def l2_normalize(values: Any, axis: int = -1) -> Any:
    """Scale vectors to unit L2 norm. Zero vectors stay zero and have finite gradients.

    `keras.ops.normalize` takes the square root before it guards against zero, so its gradient at zero is NaN.

    Args:
        values: Float tensor.
        axis: Axis of the vectors.

    Returns:
        A float32 tensor of the same shape, whatever the precision of `values`.
    """
    values = keras.ops.cast(values, "float32")
    squared_norm = keras.ops.sum(keras.ops.square(values), axis=axis, keepdims=True)
    return values * keras.ops.rsqrt(keras.ops.maximum(squared_norm, EPSILON))
