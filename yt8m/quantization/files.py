"""Weight files: safetensors files of plain and quantized arrays."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from yt8m.errors import DataError
from yt8m.quantization.quantized_array import MOST_AXES
from yt8m.quantization.quantized_columns import Quantized, QuantizedColumns, quantized_of_tensors

# Separates the name of a variable from the name of one of its stored arrays.
SEPARATOR = "#"

# NumPy types by their names in safetensors files, which are little-endian.
DTYPES = {
    "F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "?",
}  # fmt: skip

Weights = Mapping[str, Quantized | NDArray[Any]]


def write_quantized(path: str | Path, weights: Weights) -> None:
    """Write weights into one safetensors file.

    A plain array `w` is stored as tensor `w`; a quantized one as `w#centroids` with the codes, see
    `QuantizedArray.tensors`.

    Args:
        path: The file to write, usually inside `yt8m.storage.publish_directory`.
        weights: Arrays by variable name. Names must not contain `#`.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for name, weight in weights.items():
        assert SEPARATOR not in name
        parts = weight.tensors() if isinstance(weight, Quantized) else {"": weight}
        # ascontiguousarray would turn a scalar into a vector.
        tensors |= {name + ending: np.asarray(array, order="C") for ending, array in parts.items()}
    save_file(tensors, path)


def iterate_quantized(path: str | Path) -> Iterator[tuple[str, Quantized | NDArray[Any]]]:
    """Read a safetensors file of plain or quantized weights without dequantizing them.

    Holds one variable in memory at a time, unless the caller keeps it.

    Args:
        path: The file.

    Yields:
        Variable name and array, in alphabetical order.

    Raises:
        DataError: The file is damaged or parts of a variable are missing.
    """
    _check(path)
    with Path(path).open("rb") as file:
        entries, start = _header(file)
        _check_types(path, entries)
        endings: dict[str, list[str]] = {}
        for key in entries:
            name, separator, ending = key.partition(SEPARATOR)
            endings.setdefault(name, []).append(separator + ending)
        for name in sorted(endings):
            # A local variable would keep this array in memory while the next one is read.
            yield (
                name,
                _assemble(
                    path,
                    name,
                    {ending: _read_tensor(file, start, entries[name + ending]) for ending in endings[name]},
                ),
            )


def _check(path: str | Path) -> None:
    """Let the library check that header and length of a file agree."""
    try:
        with safe_open(path, framework="np"):
            pass
    except SafetensorError as error:
        raise DataError(f"{path}: not a readable safetensors file ({error}). Write the model again.") from error


def _check_types(path: str | Path, entries: Mapping[str, Mapping[str, Any]]) -> None:
    for name, entry in entries.items():
        if entry["dtype"] not in DTYPES:
            raise DataError(
                f"{path}: {name}: expected one of the types {', '.join(DTYPES)}, received {entry['dtype']}. Write the "
                "model again with this version."
            )
        if len(entry["shape"]) > MOST_AXES:
            raise DataError(
                f"{path}: {name}: expected an array with at most {MOST_AXES} axes, received {len(entry['shape']):,}. "
                "Write the model again."
            )


def _header(file: BinaryIO) -> tuple[dict[str, dict[str, Any]], int]:
    """Read type, shape and offsets of each tensor, and the start that the offsets count from."""
    size = int.from_bytes(file.read(8), "little")
    header: dict[str, dict[str, Any]] = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return header, 8 + size


def _read_tensor(file: BinaryIO, start: int, entry: Mapping[str, Any]) -> NDArray[Any]:
    """Read one tensor. The library would map the whole file into memory, which adds the size of the float model."""
    array = np.empty(entry["shape"], DTYPES[entry["dtype"]])
    file.seek(start + entry["data_offsets"][0])
    read = file.readinto(array.reshape(-1).view(np.uint8))  # type: ignore[attr-defined]
    assert read == array.nbytes
    return array


def iterate_floats(path: str | Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Read a safetensors file of plain or quantized weights as floats, one variable at a time.

    Args:
        path: The file.

    Returns:
        Variable names and float32 arrays, in alphabetical order. Integer arrays, such as seeds, keep their type.

    Raises:
        DataError: The file is damaged or parts of a variable are missing.
    """
    return (
        (name, weight.dequantize() if isinstance(weight, Quantized) else weight)
        for name, weight in iterate_quantized(path)
    )


def count_by_bits(path: str | Path) -> dict[int, int]:
    """Count the weights that are stored with 2, 3, 4, 6, 8, 32, ... bits each.

    Args:
        path: A safetensors file of plain or quantized weights.

    Returns:
        Number of weights by number of bits.

    Raises:
        DataError: The file is damaged.
    """
    counts: Counter[int] = Counter()
    for _, weight in iterate_quantized(path):
        if isinstance(weight, Quantized):
            for group in weight.groups if isinstance(weight, QuantizedColumns) else (weight,):
                counts[group.bits] += math.prod(group.shape)
        else:
            counts[8 * weight.itemsize] += weight.size
    return dict(sorted(counts.items()))


def _assemble(path: str | Path, name: str, parts: Mapping[str, NDArray[Any]]) -> Quantized | NDArray[Any]:
    if set(parts) == {""}:
        return parts[""]
    try:
        return quantized_of_tensors(parts)
    except DataError as error:
        raise DataError(f"{path}: {name}: {error}. Quantize the model again.") from error
