import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from yt8m.errors import DataError
from yt8m.quantization import chunks
from yt8m.quantization.methods import METHODS, measure_error, quantize_array
from yt8m.quantization.nearest_centroid import nearest_codes
from yt8m.quantization.quantized_array import CentroidCodes, ChannelCodes

# Multiples of 1/1024, so that the distances that brute force compares are exact in float64.
FLOATS = st.integers(-(2**20), 2**20).map(lambda number: number / 1024)
ARRAYS = arrays(np.float32, array_shapes(max_dims=3, max_side=20), elements=FLOATS)
EXTREME_ARRAYS = arrays(np.float32, array_shapes(max_dims=2), elements=st.floats(-(2.0**126), 2.0**126, width=32))
SETTINGS = settings(max_examples=150, deadline=None)


def brute_force(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Compare each weight with each centroid in float64, as in the paper; argmin takes the lower of two."""
    distance = np.abs(values.astype(np.float64)[..., None] - centroids.astype(np.float64))
    return distance.argmin(axis=-1).astype(np.uint8)


def normal(shape: tuple[int, ...], scale: float = 0.05) -> np.ndarray:
    return np.random.default_rng(7).normal(0, scale, shape).astype(np.float32)


@given(ARRAYS | EXTREME_ARRAYS)
@SETTINGS
def test_uniform_is_exact_to_half_a_step(values):
    quantized = quantize_array(values, "uniform")
    step = (float(values.max()) - float(values.min())) / 255
    rounding = float(np.spacing(np.abs(values).max()))
    difference = np.abs(quantized.dequantize().astype(np.float64) - values)
    assert difference.max() <= step / 2 + rounding


@pytest.mark.slow
@given(ARRAYS)
@SETTINGS
def test_uniform_is_the_nearest_of_256_equally_spaced_points(values):
    quantized = quantize_array(values, "uniform")
    assert isinstance(quantized, CentroidCodes)
    points = np.linspace(float(values.min()), float(values.max()), 256).astype(np.float32)
    np.testing.assert_array_equal(quantized.centroids, points)
    np.testing.assert_array_equal(quantized.codes, brute_force(values, points))


@pytest.mark.slow
@given(ARRAYS, st.integers(0, 2**32 - 1), st.sampled_from([1, 30, 10_000, 2**20]))
@SETTINGS
def test_crowded_centroids_are_found_as_by_brute_force(values, seed, spread):
    centroids = np.sort(np.random.default_rng(seed).integers(-spread, spread, 256) / 1024).astype(np.float32)
    # Any of several equal centroids is correct.
    found = centroids[nearest_codes(values, centroids)]
    np.testing.assert_array_equal(found, centroids[brute_force(values, centroids)])


@given(st.floats(1e-3, 1e3), st.integers(0, 2**32 - 1))
@SETTINGS
def test_well_spread_centroids_are_found_as_by_brute_force(spread, seed):
    draw = np.random.default_rng(seed)
    centroids = np.sort(draw.normal(0, spread, 256)).astype(np.float32)
    values = np.concatenate([draw.normal(0, 2 * spread, 500).astype(np.float32), centroids])
    np.testing.assert_array_equal(nearest_codes(values, centroids), brute_force(values, centroids))


@pytest.mark.parametrize("method", ["kmeans", "quantile", "uniform"])
@pytest.mark.parametrize("size", [1e-44, 1e-40, 1e-36, 1e-30, 1e30, 1.5e38])
def test_tiny_and_huge_weights_are_quantized(method, size):
    values = (np.linspace(-1, 1, 1000) * size).astype(np.float32)
    difference = np.abs(quantize_array(values, method).dequantize().astype(np.float64) - values)
    assert difference.max() <= size / 50


def test_values_between_two_centroids_are_coded_as_by_brute_force():
    ends = np.array([-0.37, 1.91], np.float32)
    points = np.linspace(float(ends[0]), float(ends[1]), 256).astype(np.float32)
    middle = ((points[:-1].astype(np.float64) + points[1:]) / 2).astype(np.float32)
    around = [middle, np.nextafter(middle, np.float32(9)), np.nextafter(middle, np.float32(-9))]
    values = np.concatenate([ends, *around])
    quantized = quantize_array(values, "uniform")
    np.testing.assert_array_equal(quantized.tensors()["#codes"], brute_force(values, points))


def test_a_range_of_a_few_float_spacings_is_coded_exactly():
    values = np.float32(1000) + np.arange(40, dtype=np.float32) * np.spacing(np.float32(1000))
    quantized = quantize_array(values, "uniform")
    np.testing.assert_array_equal(quantized.dequantize(), values)


@given(arrays(np.float32, st.tuples(st.integers(64, 80), st.integers(1, 9)), elements=FLOATS))
@SETTINGS
def test_uniform_per_channel_is_exact_to_half_a_step_of_its_channel(values):
    quantized = quantize_array(values, "uniform_per_channel")
    assert isinstance(quantized, ChannelCodes)
    step = (values.max(axis=0).astype(np.float64) - values.min(axis=0)) / 255
    # Up to 255 steps, each off by half a spacing, and two more roundings.
    rounding = 4 * np.spacing(np.abs(values).max(axis=0)).astype(np.float64)
    difference = np.abs(quantized.dequantize().astype(np.float64) - values)
    assert (difference <= step / 2 + rounding).all()


def test_channels_of_few_elements_share_their_centroids():
    for shape in [(500,), (63, 40)]:
        assert isinstance(quantize_array(normal(shape), "uniform_per_channel"), CentroidCodes)


def test_per_channel_is_finer_where_channels_differ_in_scale():
    values = normal((400, 50)) * np.logspace(-3, 0, 50, dtype=np.float32)
    errors = {method: measure_error(values, quantize_array(values, method)) for method in METHODS}
    assert errors["uniform_per_channel"].mean < errors["uniform"].mean / 2


def test_kmeans_has_a_smaller_squared_error_than_uniform_and_quantiles():
    values = normal((300, 300))
    squared = {m: np.square(quantize_array(values, m).dequantize() - values).mean() for m in METHODS}
    assert squared["kmeans"] < squared["uniform"]
    assert squared["kmeans"] < squared["quantile"]


def test_kmeans_finds_separate_values_exactly_to_a_bin():
    values = np.repeat(np.array([-1, -0.9, 0.2, 0.5, 3], np.float32), 50)
    difference = quantize_array(values, "kmeans").dequantize() - values
    assert np.abs(difference).max() <= 4 / 65536


def test_quantile_codes_are_used_about_equally_often():
    quantized = quantize_array(normal((256, 400)), "quantile")
    used = np.bincount(quantized.tensors()["#codes"].reshape(-1), minlength=256)
    assert used.min() > 200
    assert used.max() < 800


def test_centroid_methods_name_the_nearest_centroid():
    values = normal((50, 60))
    for method in ("kmeans", "quantile"):
        quantized = quantize_array(values, method)
        assert isinstance(quantized, CentroidCodes)
        np.testing.assert_array_equal(quantized.codes, brute_force(values, quantized.centroids))


def test_float16_keeps_eleven_significant_bits():
    values = normal((40, 40))
    difference = np.abs(quantize_array(values, "float16").dequantize() - values)
    assert (difference <= np.abs(values) * 2.0**-11 + 2.0**-25).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_array_comes_back_exactly(method):
    values = np.full((70, 3), 0.25, np.float32)
    np.testing.assert_array_equal(quantize_array(values, method).dequantize(), values)


@pytest.mark.parametrize("method", METHODS)
def test_the_result_does_not_depend_on_the_size_of_the_chunks(method, monkeypatch):
    values = normal((100, 37))
    whole = quantize_array(values, method)
    monkeypatch.setattr(chunks, "CHUNK_ELEMENTS", 100)
    chunked = quantize_array(values, method)
    for ending, array in whole.tensors().items():
        np.testing.assert_array_equal(chunked.tensors()[ending], array)
    np.testing.assert_array_equal(chunked.dequantize(), whole.dequantize())


@pytest.mark.parametrize("method", METHODS)
def test_measured_errors_are_those_of_the_dequantized_array(method):
    values = normal((200, 70))
    quantized = quantize_array(values, method)
    difference = np.abs(quantized.dequantize().astype(np.float64) - values)
    error = measure_error(values, quantized)
    assert error.largest == pytest.approx(difference.max(), rel=1e-5)
    assert error.mean == pytest.approx(difference.mean(), rel=1e-5)


def test_eight_bits_take_one_byte_per_element_and_a_table():
    assert quantize_array(normal((200, 100)), "uniform").nbytes == 200 * 100 + 256 * 4
    assert quantize_array(normal((200, 100)), "uniform_per_channel").nbytes == 200 * 100 + 100 * 8
    assert quantize_array(normal((200, 100)), "float16").nbytes == 200 * 100 * 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(bad):
    values = normal((10, 10))
    values[3, 4] = bad
    with pytest.raises(DataError, match="NaN or infinity"):
        quantize_array(values)


def test_values_beyond_the_range_of_float16_are_refused():
    with pytest.raises(DataError, match="float16 only to 65504"):
        quantize_array(np.array([1, 70_000], np.float32), "float16")


def test_nearest_codes_take_the_lower_of_two_centroids_at_equal_distance():
    centroids = np.arange(256, dtype=np.float32)
    values = np.array([-3, 0.5, 1.5, 254.5, 300], np.float32)
    np.testing.assert_array_equal(nearest_codes(values, centroids), [0, 0, 1, 254, 255])


@pytest.mark.parametrize("method", ["uniform", "uniform_per_channel", "kmeans", "quantile"])
def test_the_widest_range_of_floats_is_no_further_off_than_uniformly(method):
    largest = float(np.finfo(np.float32).max)
    values = np.random.default_rng(3).uniform(-largest, largest, (100, 2)).astype(np.float32)
    difference = quantize_array(values, method).dequantize().astype(np.float64) - values
    assert np.abs(difference).max() <= largest / 255 * 1.001
