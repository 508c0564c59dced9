"""Codes of fewer than 8 bits, packed into planes of 1, 2, 4 or 8 bits.

A code of 3 bits is split into a plane of its upper two bits and one of its lowest; a code of 6 bits into four and two.
A byte of a plane holds the bits of neighboring elements of a row, the first ones lowest, and every row begins with a
new byte. A *pattern* is a byte of the first plane together with the four bits of the second that belong to the same
elements. All elements of a pattern are looked up at once in a table.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

# Widths of the planes by number of bits. A second plane is half as wide as the first, so that a byte of the first goes
# with four bits of the second.
PLANE_WIDTHS: dict[int, tuple[int, ...]] = {2: (2,), 3: (2, 1), 4: (4,), 6: (4, 2), 8: (8,)}


def plane_bytes(columns: int, width: int) -> int:
    """Return the bytes that a row of `columns` elements takes in a plane of `width` bits."""
    return -(-columns * width // 8)


def pack(codes: NDArray[np.uint8], bits: int, planes: Sequence[NDArray[np.uint8]]) -> None:
    """Write rows of codes into their planes.

    Args:
        codes: Codes below `2**bits`, uint8 `(R, C)`.
        bits: Number of bits of a code.
        planes: Where to write, uint8 `(R, B)` of each plane, where B is `plane_bytes` of it. Must be zero.
    """
    below = bits
    for width, plane in zip(PLANE_WIDTHS[bits], planes, strict=True):
        below -= width
        values = (codes >> below) & (2**width - 1) if bits > width else codes
        if width == 1:
            plane[:] = np.packbits(values, axis=1, bitorder="little")
            continue
        for place in range(8 // width):
            part = values[:, place :: 8 // width]
            plane[:, : part.shape[1]] |= part << (place * width)


def patterns_of(planes: Sequence[NDArray[np.uint8]]) -> NDArray[np.integer]:
    """Combine the planes of some rows into patterns, below 256 or 4096, in the shape `(R, B)` of the first plane."""
    first, *others = planes
    if not others:
        return first
    (second,) = others
    halves = np.stack([second & 15, second >> 4], axis=-1).reshape(len(second), -1)[:, : first.shape[1]]
    return (halves.astype(np.uint16) << 8) | first


@cache
def codes_of_patterns(bits: int) -> NDArray[np.uint8]:
    """Return the codes of all patterns, uint8 `(P, N)`: 256 or 4096 patterns of N elements each."""
    first, *others = PLANE_WIDTHS[bits]
    places = np.arange(8 // first)
    patterns = np.arange(4096 if others else 256)[:, None]
    codes = patterns >> places * first & 2**first - 1
    for second in others:
        codes = codes << second | patterns >> 8 + places * second & 2**second - 1
    return np.asarray(codes, np.uint8)
