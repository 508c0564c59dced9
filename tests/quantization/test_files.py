import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from yt8m.errors import DataError
from yt8m.quantization.files import count_by_bits, iterate_floats, iterate_quantized, write_quantized
from yt8m.quantization.methods import METHODS, quantize_array
from yt8m.quantization.quantized_array import QuantizedArray


@pytest.fixture
def kernel():
    return np.random.default_rng(3).normal(size=(64, 30)).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_written_is_read_back(tmp_path, kernel, method):
    quantized = quantize_array(kernel, method)
    bias = np.arange(5, dtype=np.float32)
    write_quantized(tmp_path / "weights.safetensors", {"dense/kernel": quantized, "dense/bias": bias})
    read = dict(iterate_quantized(tmp_path / "weights.safetensors"))
    assert list(read) == ["dense/bias", "dense/kernel"]
    again = read["dense/kernel"]
    assert isinstance(again, QuantizedArray)
    assert again.shape == (64, 30)
    np.testing.assert_array_equal(again.dequantize(), quantized.dequantize())
    floats = dict(iterate_floats(tmp_path / "weights.safetensors"))
    np.testing.assert_array_equal(floats["dense/bias"], bias)
    np.testing.assert_array_equal(floats["dense/kernel"], quantized.dequantize())


def test_tensor_names_say_what_they_hold(tmp_path, kernel):
    write_quantized(tmp_path / "weights.safetensors", {"w": quantize_array(kernel)})
    tensors = load_file(tmp_path / "weights.safetensors")
    assert {name: array.dtype.name for name, array in tensors.items()} == {"w#codes": "uint8", "w#centroids": "float32"}


def test_a_plain_file_is_read_as_it_is(tmp_path, kernel):
    save_file({"w": kernel, "seed": np.array(7, np.uint32)}, tmp_path / "weights.safetensors")
    floats = dict(iterate_floats(tmp_path / "weights.safetensors"))
    np.testing.assert_array_equal(floats["w"], kernel)
    assert floats["seed"].shape == ()
    assert floats["seed"].dtype == np.uint32


def test_arrays_in_any_memory_order_are_written_right(tmp_path, kernel):
    write_quantized(tmp_path / "weights.safetensors", {"w": kernel.T})
    np.testing.assert_array_equal(dict(iterate_floats(tmp_path / "weights.safetensors"))["w"], kernel.T)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"not at all")
    with pytest.raises(DataError, match=r"weights\.safetensors: not a readable safetensors file"):
        dict(iterate_floats(tmp_path / "weights.safetensors"))


def test_a_missing_part_is_named(tmp_path, kernel):
    codes = quantize_array(kernel).tensors()["#codes"]
    save_file({"w#codes": codes}, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match=r"w: expected a plain array.*received '#codes'"):
        dict(iterate_floats(tmp_path / "weights.safetensors"))


def test_elements_are_counted_by_their_bits(tmp_path, kernel):
    weights = {method: quantize_array(kernel, method) for method in METHODS} | {"plain": kernel[0]}
    write_quantized(tmp_path / "weights.safetensors", weights)
    assert count_by_bits(tmp_path / "weights.safetensors") == {
        8: kernel.size * (len(METHODS) - 1),
        16: kernel.size,
        32: 30,
    }
