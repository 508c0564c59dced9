import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from yt8m.errors import DataError
from yt8m.quantization.files import count_by_bits, iterate_floats, iterate_quantized, write_quantized
from yt8m.quantization.methods import quantize_array
from yt8m.quantization.quantized_array import BITS, QuantizedArray
from yt8m.quantization.quantized_columns import Piece, QuantizedColumns, quantize_pieces


@pytest.fixture
def kernel():
    return np.random.default_rng(3).normal(size=(64, 30)).astype(np.float32)


@pytest.mark.parametrize("bits", BITS)
def test_what_is_written_is_read_back(tmp_path, kernel, bits):
    quantized = quantize_array(kernel, bits, "kmeans")
    bias = np.arange(5, dtype=np.float32)
    write_quantized(tmp_path / "weights.safetensors", {"dense/kernel": quantized, "dense/bias": bias})
    read = dict(iterate_quantized(tmp_path / "weights.safetensors"))
    assert list(read) == ["dense/bias", "dense/kernel"]
    again = read["dense/kernel"]
    assert isinstance(again, QuantizedArray)
    assert (again.shape, again.bits) == ((64, 30), bits)
    np.testing.assert_array_equal(again.dequantize(), quantized.dequantize())
    floats = dict(iterate_floats(tmp_path / "weights.safetensors"))
    np.testing.assert_array_equal(floats["dense/bias"], bias)
    np.testing.assert_array_equal(floats["dense/kernel"], quantized.dequantize())


@pytest.fixture
def grouped(kernel):
    """Three groups of columns, one of them narrower than a byte."""
    bits = {Piece("w", 0, 5): 8, Piece("w", 5, 8): 2, Piece("w", 8, 30): 3}
    return quantize_pieces(kernel, bits, lambda bits: "uniform" if bits == 8 else "kmeans")


def test_groups_of_columns_are_read_back(tmp_path, kernel, grouped):
    write_quantized(tmp_path / "weights.safetensors", {"w": grouped})
    read = dict(iterate_quantized(tmp_path / "weights.safetensors"))["w"]
    assert isinstance(read, QuantizedColumns)
    assert (read.shape, [group.bits for group in read.groups]) == ((64, 30), [8, 2, 3])
    alone = [quantize_array(kernel[:, :5]), *(quantize_array(part, bits, "kmeans") for part, bits in
             ((kernel[:, 5:8], 2), (kernel[:, 8:], 3)))]  # fmt: skip
    np.testing.assert_array_equal(read.dequantize(), np.concatenate([each.dequantize() for each in alone], axis=1))
    assert read.nbytes == grouped.nbytes == sum(each.nbytes for each in alone)
    floats = dict(iterate_floats(tmp_path / "weights.safetensors"))
    np.testing.assert_array_equal(floats["w"], grouped.dequantize())
    assert count_by_bits(tmp_path / "weights.safetensors") == {2: 64 * 3, 3: 64 * 22, 8: 64 * 5}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"w#1#plane2": None, "w#1#centroids": None, "w#1#shape": None}, "groups of columns 0, 1 and so on.* 0, 2"),
        ({"w#0#codes": None}, "expected a plain array.*'#centroids'"),
        ({"w#0#codes": np.zeros((63, 5), np.uint8)}, r"the same rows, received the shapes \(63, 5\), \(64, 3\)"),
        ({"w#codes": np.zeros((64, 5), np.uint8)}, "only parts of groups of columns.*'#codes'"),
        ({"w#7#codes": np.zeros((64, 5), np.uint8)}, "groups of columns 0, 1 and so on.* 0, 1, 2, 7"),
        ({"w#99999999999999#codes": np.zeros(5, np.uint8)}, "groups of columns 0, 1"),
        ({f"w#{'9' * 5000}#codes": np.zeros(5, np.uint8)}, "only parts of groups"),
        ({"w#0#codes": np.zeros((5, 0), np.uint8)}, "expected a shape of at most 32 positive numbers"),
        ({"w#-1#codes": np.zeros((64, 5), np.uint8)}, "only parts of groups"),
        ({"w#2#plane1": np.zeros((64, 4), np.uint8)}, r"codes: expected uint8 \(64, 3\)"),
    ],
)
def test_groups_of_columns_that_do_not_fit_are_told(tmp_path, grouped, change, said):
    tensors = {f"w{ending}": array for ending, array in grouped.tensors().items()}
    changed = {name: array for name, array in {**tensors, **change}.items() if array is not None}
    save_file(changed, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match=rf"weights\.safetensors: w: .*{said}"):
        dict(iterate_floats(tmp_path / "weights.safetensors"))


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
    weights = {f"w{bits}": quantize_array(kernel, bits, "kmeans") for bits in BITS} | {"plain": kernel[0]}
    write_quantized(tmp_path / "weights.safetensors", weights)
    expected = dict.fromkeys(BITS, kernel.size) | {32: 30}
    assert count_by_bits(tmp_path / "weights.safetensors") == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"w#plane2": None}, r"received '#centroids', '#plane1', '#shape'"),
        ({"w#plane9": np.zeros(3, np.uint8)}, "received .*'#plane9'"),
        ({"w#centroids": np.zeros(7, np.float32)}, r"centroids: expected float32 \(8,\), received float32 \(7,\)"),
        ({"w#centroids": np.full(8, np.nan, np.float32)}, "expected finite centroids"),
        ({"w#centroids": np.zeros(8, np.float64)}, "centroids: expected float32"),
        ({"w#plane2": np.zeros((64, 7), np.uint8)}, r"codes: expected uint8 \(64, 8\), received uint8 \(64, 7\)"),
        ({"w#plane1": np.zeros((63, 4), np.uint8)}, r"codes: expected uint8 \(64, 4\), received uint8 \(63, 4\)"),
        ({"w#plane1": np.zeros((64, 4), np.int64)}, "codes: expected uint8"),
        ({"w#shape": np.array([64, 2**62], np.int64)}, "codes: expected uint8"),
        ({"w#shape": np.array([-64, -30], np.int64)}, "expected a shape of at most 32 positive numbers"),
        ({"w#shape": np.array([64.0, 30.0])}, "expected a shape of at most 32 positive numbers"),
        ({"w#shape": np.array([[64, 30]], np.int64)}, "expected a shape of at most 32 positive numbers"),
        ({"w#shape": np.array([30, 64], np.int64)}, "codes: expected uint8"),
        ({"w#shape": np.ones(70, np.int64)}, "expected a shape of at most 32 positive numbers, received 70 numbers"),
        ({"w#shape": np.ones(10**6, np.int64)}, "received 1,000,000 numbers"),
    ],
)
def test_parts_that_do_not_fit_are_told(tmp_path, kernel, change, said):
    tensors = {f"w{ending}": array for ending, array in quantize_array(kernel, 3, "kmeans").tensors().items()}
    changed = {name: array for name, array in {**tensors, **change}.items() if array is not None}
    save_file(changed, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match=rf"weights\.safetensors: w: .*{said}"):
        dict(iterate_floats(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize("shape", [(5, 0), (0, 5), (0,)])
def test_an_array_without_elements_is_told(tmp_path, shape):
    codes = {"w#codes": np.zeros(shape, np.uint8), "w#centroids": np.zeros(256, np.float32)}
    save_file(codes, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match="w: expected a shape of at most 32 positive numbers"):
        dict(iterate_floats(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize("name", ["w", "w#codes"])
def test_an_array_of_too_many_axes_is_told(tmp_path, name):
    header = json.dumps({name: {"dtype": "U8", "shape": [1] * 70, "data_offsets": [0, 1]}}).encode()
    (tmp_path / "weights.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    with pytest.raises(DataError, match=f"{name}: expected an array with at most 32 axes, received 70"):
        dict(iterate_floats(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize("bits", [3, 8])
def test_codes_beyond_the_codebook_cannot_be_read(tmp_path, kernel, bits):
    tensors = {f"w{ending}": array for ending, array in quantize_array(kernel, bits, "kmeans").tensors().items()}
    tensors["w#centroids"] = tensors["w#centroids"][:-1]
    save_file(tensors, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match="w: centroids: expected"):
        dict(iterate_floats(tmp_path / "weights.safetensors"))


def test_a_truncated_file_is_told(tmp_path, kernel):
    path = tmp_path / "weights.safetensors"
    write_quantized(path, {"w": quantize_array(kernel, 4, "kmeans")})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="not a readable safetensors file"):
        dict(iterate_floats(path))


def test_an_unknown_type_is_told(tmp_path, kernel):
    save_file({"w": kernel.astype(np.float16)}, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match=r"w: expected one of the types .*F32.*, received F16"):
        dict(iterate_floats(tmp_path / "weights.safetensors"))
