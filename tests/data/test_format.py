import numpy as np
import pytest

from yt8m.data.format import dequantize


def test_the_extremes_are_the_published_ones():
    values = dequantize(np.arange(256, dtype=np.uint8))
    assert values.dtype == np.float32
    assert (values[0], values[255]) == pytest.approx((-1.9921875, 2.0078125), abs=1e-6)
