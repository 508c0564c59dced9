from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yt8m.quantization.allocation import Allocation, Sensitivity, allocations
from yt8m.quantization.methods import quantized_bytes
from yt8m.quantization.quantized_array import BITS
from yt8m.quantization.quantized_columns import Piece, whole

LOSS = st.floats(-1e-4, 1.0, allow_nan=False)
VARIABLES = st.lists(
    st.tuples(st.tuples(st.integers(1, 300), st.integers(1, 300)), LOSS, LOSS, LOSS), min_size=1, max_size=3
)


def sensitivity(name: str, shape: tuple[int, int], *losses: float) -> Sensitivity:
    return Sensitivity(whole(name, shape), shape, dict(zip((2, 3, 4), losses, strict=True)))


def by_name(bits: Mapping[Piece, int]) -> dict[str, int]:
    return {piece.name: each for piece, each in bits.items()}


def test_beyond_four_bits_the_loss_falls_by_four_with_every_bit():
    variable = sensitivity("a", (100, 100), 0.9, 0.5, 0.32)
    assert [variable.loss(bits) for bits in (2, 3, 4, 6, 8)] == pytest.approx([0.9, 0.5, 0.32, 0.02, 0.00125])


def test_the_bits_of_insensitive_variables_go_first():
    found = list(
        allocations([sensitivity("a", (100, 100), 0.9, 0.5, 0.2), sensitivity("b", (100, 100), 0.01, 0.005, 0.002)])
    )
    assert by_name(found[0].bits) == {"a": 8, "b": 8}
    assert by_name(found[-1].bits) == {"a": 2, "b": 2}
    assert all(by_name(each.bits)["b"] <= by_name(each.bits)["a"] for each in found)
    sizes = [allocation.size_bytes for allocation in found]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("losses", [(0.0, 0.0, 0.0), (-1e-4, 0.0, -1e-5)])
def test_a_variable_that_loses_nothing_gets_the_fewest_bits_at_once_after_all_bits(losses):
    pieces = [sensitivity("b", (100, 100), 0.9, 0.5, 0.2), *(sensitivity(name, (100, 100), *losses) for name in "ac")]
    first, second, *_ = allocations(pieces)
    assert by_name(first.bits) == {"a": 8, "b": 8, "c": 8}
    assert by_name(second.bits) == {"a": 2, "b": 8, "c": 2}


def test_neighboring_pieces_with_as_many_bits_are_stored_as_one():
    bits = [4, 4, 2, 4]
    pieces = {Piece("a", 10 * index, 10 * index + 10): each for index, each in enumerate(bits)}
    found = Allocation({**pieces, Piece("b", 0, 5): 4}, 0, 0.0).by_variable()
    assert found == {
        "a": {Piece("a", 0, 20): 4, Piece("a", 20, 30): 2, Piece("a", 30, 40): 4},
        "b": {Piece("b", 0, 5): 4},
    }
    assert [list(each) for each in found.values()] == [sorted(each) for each in found.values()]


@given(VARIABLES)
@settings(max_examples=200, deadline=None)
def test_no_other_allocation_of_as_few_bytes_loses_less(drawn):
    variables = [sensitivity(str(index), *each) for index, each in enumerate(drawn)]
    every = []
    for choice in product(BITS, repeat=len(variables)):
        pairs = list(zip(variables, choice, strict=True))
        size = sum(quantized_bytes(variable.shape, bits) for variable, bits in pairs)
        every.append((size, sum(variable.loss(bits) for variable, bits in pairs)))
    sizes, losses = np.array(every).T
    first, *rest = found = list(allocations(variables))
    assert first.size_bytes == sizes.max()
    for allocation in found:
        assert allocation.size_bytes == sum(quantized_bytes(v.shape, allocation.bits[v.piece]) for v in variables)
        assert allocation.loss == pytest.approx(sum(v.loss(allocation.bits[v.piece]) for v in variables), abs=1e-9)
    # By chance, all bits of the first one may have been measured to lose more than few.
    for allocation in rest:
        assert allocation.size_bytes < first.size_bytes
        assert allocation.loss <= losses[sizes <= allocation.size_bytes].min() + 1e-9
