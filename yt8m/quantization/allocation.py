"""Which piece of a variable gets how many bits: the best allocations for all sizes of a model.

Minimizing loss plus a Lagrange multiplier times bytes gives each piece a point on the lower convex hull of its losses
against its bytes. As the multiplier grows, one piece after the other takes the next point of its hull: the one that
costs the least loss per byte saved. So all allocations that some multiplier gives are one sequence.

Reference:
    - Shoham and Gersho (1988), "Efficient bit allocation for an arbitrary set of quantizers".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from yt8m.quantization.methods import quantized_bytes
from yt8m.quantization.quantized_array import BITS
from yt8m.quantization.quantized_columns import Piece

# Numbers of bits in which a loss is measured. In more bits it is too small for that.
MEASURED_BITS = (2, 3, 4)


@dataclass(frozen=True)
class Sensitivity:
    """Loss of a model when one piece of a variable has few bits.

    Attributes:
        piece: The piece.
        shape: Its shape.
        losses: Loss by number of bits, for all of `MEASURED_BITS`.
    """

    piece: Piece
    shape: tuple[int, ...]
    losses: Mapping[int, float]

    def loss(self, bits: int) -> float:
        """Return the loss in some number of bits, which falls by 4 with every bit beyond the measured ones."""
        last = MEASURED_BITS[-1]
        return max(self.losses[bits] if bits <= last else self.losses[last] * 4.0 ** (last - bits), 0.0)

    def hull(self) -> list[tuple[int, int, float]]:
        """Return bits, bytes and loss of the points on the lower convex hull, from the most bytes to the fewest."""
        hull: list[tuple[int, int, float]] = []
        points = [(bits, quantized_bytes(self.shape, bits), self.loss(bits)) for bits in BITS]
        # In rows of few elements, fewer bits may take as many bytes or more.
        for point in sorted(points, key=lambda each: (-each[1], -each[2])):
            while hull and (point[2] <= hull[-1][2] or (hull[1:] and _price(hull[-1], point) <= _price(*hull[-2:]))):
                hull.pop()
            hull.append(point)
        return hull


@dataclass(frozen=True)
class Allocation:
    """Bits of every piece of a model.

    Attributes:
        bits: Number of bits by piece.
        size_bytes: Bytes of all pieces.
        loss: Sum of the losses of the pieces, each alone.
    """

    bits: Mapping[Piece, int]
    size_bytes: int
    loss: float

    def by_variable(self) -> dict[str, dict[Piece, int]]:
        """Return the bits of the pieces of each variable, neighbors with as many bits united."""
        found: dict[str, dict[Piece, int]] = {}
        for piece, bits in sorted(self.bits.items()):
            pieces = found.setdefault(piece.name, {})
            start, last = piece.start, next(reversed(pieces), None)
            if last is not None and pieces[last] == bits:
                del pieces[last]
                start = last.start
            pieces[Piece(piece.name, start, piece.stop)] = bits
        return found


def allocations(pieces: Sequence[Sensitivity]) -> Iterator[Allocation]:
    """Iterate over the best allocations, from the most bytes to the fewest; each takes bits of one piece.

    The very first has all bits everywhere, though by chance few bits of some pieces may have been measured to lose
    nothing; the second then takes those at once.
    """
    hulls = {each.piece: each.hull() for each in pieces}
    most = max(BITS)
    every = Allocation(
        {each.piece: most for each in pieces},
        sum(quantized_bytes(each.shape, most) for each in pieces),
        sum(each.loss(most) for each in pieces),
    )
    yield every
    bits = {piece: hull[0][0] for piece, hull in hulls.items()}
    size = sum(hull[0][1] for hull in hulls.values())
    loss = sum(hull[0][2] for hull in hulls.values())
    if size < every.size_bytes:
        yield Allocation(dict(bits), size, loss)
    steps = [
        (_price(before, after), piece, before, after)
        for piece, hull in hulls.items()
        for before, after in pairwise(hull)
    ]
    for _, piece, before, after in sorted(steps, key=lambda step: step[:2]):
        bits[piece] = after[0]
        size += after[1] - before[1]
        loss += after[2] - before[2]
        yield Allocation(dict(bits), size, loss)


def _price(before: tuple[int, int, float], after: tuple[int, int, float]) -> float:
    """Return the loss per byte saved."""
    return (after[2] - before[2]) / (before[1] - after[1])
