import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from yt8m.data.bytes import dequantize, quantize_bytes

ALL_BYTES = np.arange(256, dtype=np.uint8)


def test_the_extremes_are_the_published_ones():
    values = dequantize(ALL_BYTES)
    assert values.dtype == np.float32
    assert (values[0], values[255]) == pytest.approx((-1.9921875, 2.0078125), abs=1e-6)


def test_every_byte_survives_the_way_to_its_value_and_back():
    np.testing.assert_array_equal(quantize_bytes(dequantize(ALL_BYTES)), ALL_BYTES)


@given(arrays(np.float32, 20, elements=st.floats(-1.984375, 2.0, width=32)))
def test_the_error_is_at_most_half_a_step(values):
    assert np.abs(dequantize(quantize_bytes(values)) - values).max() <= 2 / 255 + 1e-6


@given(st.floats(2.01, 1e6) | st.floats(-1e6, -2.0))
def test_values_outside_the_range_saturate(value):
    assert quantize_bytes(np.array([value])) == (255 if value > 0 else 0)
