"""Weights of model folders."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yt8m.models.files import WEIGHTS_FILE
from yt8m.quantization.files import iterate_floats


def read_weights(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Read the weights of a model folder by name, dequantized to floats."""
    return dict(iterate_floats(folder / WEIGHTS_FILE))
