import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from yt8m.errors import DataError
from yt8m.quantization import chunks
from yt8m.quantization.methods import measure_error, quantize_array, quantized_bytes
from yt8m.quantization.nearest_centroid import nearest_codes
from yt8m.quantization.quantized_array import BITS

# Multiples of 1/1024, so that the distances that brute force compares are exact in float64.
FLOATS = st.integers(-(2**20), 2**20).map(lambda number: number / 1024)
ARRAYS = arrays(np.float32, array_shapes(max_dims=3, max_side=20), elements=FLOATS)
EXTREME_ARRAYS = arrays(np.float32, array_shapes(max_dims=2), elements=st.floats(-(2.0**126), 2.0**126, width=32))
STORAGES = [(8, "uniform"), *((bits, "kmeans") for bits in BITS)]
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
    quantized = quantize_array(values)
    step = (float(values.max()) - float(values.min())) / 255
    rounding = float(np.spacing(np.abs(values).max()))
    difference = np.abs(quantized.dequantize().astype(np.float64) - values)
    assert difference.max() <= step / 2 + rounding


@pytest.mark.slow
@given(ARRAYS)
@SETTINGS
def test_uniform_is_the_nearest_of_256_equally_spaced_points(values):
    quantized = quantize_array(values)
    points = np.linspace(float(values.min()), float(values.max()), 256).astype(np.float32)
    np.testing.assert_array_equal(quantized.centroids, points)
    np.testing.assert_array_equal(quantized.planes[0].reshape(values.shape), brute_force(values, points))


@pytest.mark.slow
@given(ARRAYS, st.integers(0, 2**32 - 1), st.sampled_from([1, 30, 10_000, 2**20]))
@SETTINGS
def test_crowded_centroids_are_found_as_by_brute_force(values, seed, spread):
    centroids = np.sort(np.random.default_rng(seed).integers(-spread, spread, 256) / 1024).astype(np.float32)
    # Any of several equal centroids is correct.
    found = centroids[nearest_codes(centroids)(values)]
    np.testing.assert_array_equal(found, centroids[brute_force(values, centroids)])


@given(st.floats(1e-3, 1e3), st.integers(0, 2**32 - 1))
@SETTINGS
def test_well_spread_centroids_are_found_as_by_brute_force(spread, seed):
    draw = np.random.default_rng(seed)
    centroids = np.sort(draw.normal(0, spread, 256)).astype(np.float32)
    values = np.concatenate([draw.normal(0, 2 * spread, 500).astype(np.float32), centroids])
    np.testing.assert_array_equal(nearest_codes(centroids)(values), brute_force(values, centroids))


@pytest.mark.parametrize("method", ["kmeans", "uniform"])
@pytest.mark.parametrize("size", [1e-44, 1e-40, 1e-36, 1e-30, 1e30, 1.5e38])
def test_tiny_and_huge_weights_are_quantized(method, size):
    values = (np.linspace(-1, 1, 1000) * size).astype(np.float32)
    difference = np.abs(quantize_array(values, 8, method).dequantize().astype(np.float64) - values)
    assert difference.max() <= size / 50


def test_values_between_two_centroids_are_coded_as_by_brute_force():
    ends = np.array([-0.37, 1.91], np.float32)
    points = np.linspace(float(ends[0]), float(ends[1]), 256).astype(np.float32)
    middle = ((points[:-1].astype(np.float64) + points[1:]) / 2).astype(np.float32)
    around = [middle, np.nextafter(middle, np.float32(9)), np.nextafter(middle, np.float32(-9))]
    values = np.concatenate([ends, *around])
    quantized = quantize_array(values)
    np.testing.assert_array_equal(quantized.tensors()["#codes"], brute_force(values, points))


def test_a_range_of_a_few_float_spacings_is_coded_exactly():
    values = np.float32(1000) + np.arange(40, dtype=np.float32) * np.spacing(np.float32(1000))
    quantized = quantize_array(values)
    np.testing.assert_array_equal(quantized.dequantize(), values)


def test_kmeans_has_a_smaller_squared_error_than_equal_spacing():
    values = normal((300, 300))
    squared = [np.square(quantize_array(values, 8, m).dequantize() - values).mean() for m in ("kmeans", "uniform")]
    assert squared[0] < squared[1]


@pytest.mark.parametrize(("bits", "distortion"), [(2, 0.11748), (3, 0.03454), (4, 0.009497), (6, 0.000644)])
def test_kmeans_loses_as_little_of_a_normal_variance_as_the_best_quantizer(bits, distortion):
    """The figures are those of Max (1960), "Quantizing for minimum distortion", and for 6 bits of Panter and Dite."""
    values = normal((1000, 500))
    error = measure_error(values, quantize_array(values, bits, "kmeans"))
    assert error.variance_share == pytest.approx(distortion, rel=0.02)


def test_kmeans_finds_separate_values_exactly_to_a_bin():
    values = np.repeat(np.array([-1, -0.9, 0.2, 3], np.float32), 50)
    for bits in BITS:
        difference = quantize_array(values, bits, "kmeans").dequantize() - values
        assert np.abs(difference).max() <= 4 / 16384


@given(ARRAYS, st.sampled_from(BITS))
@SETTINGS
def test_every_value_gets_the_nearest_centroid(values, bits):
    quantized = quantize_array(values, bits, "kmeans")
    nearest = quantized.centroids[brute_force(values, quantized.centroids)]
    np.testing.assert_array_equal(quantized.dequantize(), nearest)


@pytest.mark.parametrize(("bits", "method"), STORAGES)
def test_a_constant_array_comes_back_exactly(bits, method):
    values = np.full((70, 3), 0.25, np.float32)
    np.testing.assert_array_equal(quantize_array(values, bits, method).dequantize(), values)


@pytest.mark.parametrize(("bits", "method"), STORAGES)
def test_the_result_does_not_depend_on_the_size_of_the_chunks(bits, method, monkeypatch):
    values = normal((100, 37))
    whole = quantize_array(values, bits, method)
    monkeypatch.setattr(chunks, "CHUNK_ELEMENTS", 100)
    chunked = quantize_array(values, bits, method)
    for ending, array in whole.tensors().items():
        np.testing.assert_array_equal(chunked.tensors()[ending], array)
    np.testing.assert_array_equal(chunked.dequantize(), whole.dequantize())


@pytest.mark.parametrize(("bits", "method"), STORAGES)
def test_measured_errors_are_those_of_the_dequantized_array(bits, method):
    values = normal((200, 70))
    quantized = quantize_array(values, bits, method)
    difference = np.abs(quantized.dequantize().astype(np.float64) - values)
    error = measure_error(values, quantized)
    assert error.largest == pytest.approx(difference.max(), rel=1e-5)
    assert error.mean == pytest.approx(difference.mean(), rel=1e-5)
    assert error.variance_share == pytest.approx(np.square(difference).mean() / values.var(dtype=np.float64), rel=1e-4)


@pytest.mark.parametrize("shape", [(200, 100), (200, 101), (7, 5, 3), (1000,)])
@pytest.mark.parametrize("bits", BITS)
def test_rows_of_codes_begin_on_a_byte(shape, bits):
    quantized = quantize_array(normal(shape), bits, "kmeans")
    planes = {2: [2], 3: [2, 1], 4: [4], 6: [4, 2], 8: [8]}[bits]
    row = sum(int(np.ceil(shape[-1] * width / 8)) for width in planes)
    assert quantized.nbytes == quantized_bytes(shape, bits) == row * int(np.prod(shape[:-1])) + 2**bits * 4
    if len(shape) == 2:
        np.testing.assert_array_equal(
            quantized.dequantize_slice(3 * shape[1], 50 * shape[1]), quantized.dequantize()[3:50].reshape(-1)
        )


def test_four_bits_take_at_most_52_percent_of_eight():
    shape = (1024, 3862)
    sizes = {bits: quantize_array(normal(shape), bits, "kmeans").nbytes for bits in (4, 8)}
    assert sizes[4] <= 0.52 * sizes[8]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(bad):
    values = normal((10, 10))
    values[3, 4] = bad
    with pytest.raises(DataError, match="NaN or infinity"):
        quantize_array(values)


def test_nearest_codes_take_the_lower_of_two_centroids_at_equal_distance():
    centroids = np.arange(256, dtype=np.float32)
    values = np.array([-3, 0.5, 1.5, 254.5, 300], np.float32)
    np.testing.assert_array_equal(nearest_codes(centroids)(values), [0, 0, 1, 254, 255])


@pytest.mark.parametrize("method", ["uniform", "kmeans"])
def test_the_widest_range_of_floats_is_no_further_off_than_uniformly(method):
    largest = float(np.finfo(np.float32).max)
    values = np.random.default_rng(3).uniform(-largest, largest, (100, 2)).astype(np.float32)
    difference = quantize_array(values, 8, method).dequantize().astype(np.float64) - values
    assert np.abs(difference).max() <= largest / 255 * 1.001
