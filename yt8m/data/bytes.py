"""How a byte stands for a feature's value."""

import numpy as np
from numpy.typing import NDArray

# 256 levels over [-2, 2], each byte standing for the middle of its cell as YouTube-8M's own
# dequantization has it: value = byte * 4 / 255 + 4 / 512 - 2, from -1.9921875 to 2.0078125.
SCALE = 4 / 255
OFFSET = 4 / 512 - 2


def dequantize(array: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn bytes into the values they stand for, same shape."""
    values: NDArray[np.float32] = array.astype(np.float32) * np.float32(SCALE) + np.float32(OFFSET)
    return values


def quantize_bytes(array: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Turn values into the nearest bytes, same shape; values outside the range saturate."""
    levels: NDArray[np.floating] = np.rint((array - OFFSET) / SCALE)
    return levels.clip(0, 255).astype(np.uint8)
