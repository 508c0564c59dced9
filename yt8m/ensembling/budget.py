"""Which members fit into the bytes that the exported model may have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from yt8m.errors import BudgetError, DataError


@dataclass(frozen=True)
class Budget:
    """Sizes of the members and the bytes they may have together.

    Attributes:
        sizes: int64 `(M,)`, bytes of each member's model folder.
        limit_bytes: Bytes that the members of an ensemble may have together.
    """

    sizes: npt.NDArray[np.int64]
    limit_bytes: int

    def size_of(self, weights: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
        """Bytes of the members with a weight: `(...,)` for weights `(..., M)`."""
        total: npt.NDArray[np.int64] = ((weights > 0) * self.sizes).sum(axis=-1)
        return total

    def fits(self, weights: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Whether the members with a weight are small enough: `(...,)` for weights `(..., M)`."""
        return np.asarray(self.size_of(weights) <= self.limit_bytes)

    def fill(self, order: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Take members in an order, leaving out those that no longer fit.

        Args:
            order: Indices of members, the most wanted first.

        Returns:
            bool `(M,)`, the members taken.
        """
        taken = np.zeros(len(self.sizes), np.bool_)
        left = self.limit_bytes
        for member in order:
            if self.sizes[member] <= left:
                taken[member] = True
                left -= int(self.sizes[member])
        return taken


def members_limit(budget_bytes: int, size_margin: float) -> int:
    """Bytes that the members of an ensemble may have together; see `budget_of`."""
    return int(budget_bytes / (1 + size_margin))


def budget_of(models: Mapping[str, Path], budget_bytes: int, size_margin: float) -> Budget:
    """Weigh the members' model folders.

    Args:
        models: Model folder of every member by name.
        budget_bytes: Bytes that the exported model may have.
        size_margin: What the exported model has beyond its members, as a share of them.

    Raises:
        DataError: A folder is missing or empty.
        BudgetError: Not even the smallest member fits.
    """
    sizes = {name: _folder_bytes(name, path) for name, path in models.items()}
    limit = members_limit(budget_bytes, size_margin)
    smallest = min(sizes, key=lambda name: sizes[name])
    if sizes[smallest] > limit:
        raise BudgetError(
            f"search_weights: no member fits into budget_bytes = {budget_bytes:,} (less a margin of {size_margin:.1%}: "
            f"{limit:,} bytes). The smallest is '{smallest}' with {sizes[smallest]:,} bytes: raise the budget, "
            "or train or quantize to smaller models."
        )
    return Budget(np.array(list(sizes.values()), np.int64), limit)


def _folder_bytes(name: str, path: Path) -> int:
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    if size == 0:
        raise DataError(
            f"search_weights: model '{name}': expected a model folder at {path}, received nothing. Train it."
        )
    return size
