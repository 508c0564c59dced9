"""Byte budget of an ensemble: which members fit into the exported model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from yt8m.errors import BudgetError, DataError


@dataclass(frozen=True)
class Budget:
    """Sizes of the candidate members, and the limit on their total.

    Attributes:
        sizes: Bytes of each member's model folder, int64 `(M,)`.
        limit_bytes: Maximum total bytes of the members of an ensemble.
    """

    sizes: npt.NDArray[np.int64]
    limit_bytes: int

    def size_of(self, weights: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
        """Return the total bytes of members with a positive weight: `(...,)` for weights `(..., M)`."""
        total: npt.NDArray[np.int64] = ((weights > 0) * self.sizes).sum(axis=-1)
        return total

    def fits(self, weights: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Check that members with a positive weight fit the limit: `(...,)` for weights `(..., M)`."""
        return np.asarray(self.size_of(weights) <= self.limit_bytes)

    def fill(self, order: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Take members in the given order, skipping those that no longer fit.

        Args:
            order: Indices of members in order of preference.

        Returns:
            True for members taken, bool `(M,)`.
        """
        taken = np.zeros(len(self.sizes), np.bool_)
        left = self.limit_bytes
        for member in order:
            if self.sizes[member] <= left:
                taken[member] = True
                left -= int(self.sizes[member])
        return taken


def members_limit(budget_bytes: int, size_margin: float) -> int:
    """Return the maximum total bytes of an ensemble's members; for the arguments see `budget_of`."""
    return int(budget_bytes / (1 + size_margin))


def model_sizes(models: Mapping[str, Path]) -> dict[str, int]:
    """Measure the members' model folders, given by name.

    Raises:
        DataError: A folder is missing or empty.
    """
    return {name: _folder_bytes(name, path) for name, path in models.items()}


def budget_of(sizes: Mapping[str, int], budget_bytes: int, size_margin: float) -> Budget:
    """Make the budget of some members.

    Args:
        sizes: Bytes of each member's model folder by name.
        budget_bytes: Maximum bytes of the exported model.
        size_margin: Overhead of the exported model as a fraction of its members' bytes.

    Raises:
        BudgetError: Not even the smallest member fits.
    """
    limit = members_limit(budget_bytes, size_margin)
    smallest = min(sizes, key=lambda name: sizes[name])
    if sizes[smallest] > limit:
        raise BudgetError(
            f"search_weights: no member fits into budget_bytes = {budget_bytes:,} ({limit:,} bytes after a margin of "
            f"{size_margin:.1%}). The smallest is '{smallest}' with {sizes[smallest]:,} bytes. Raise the budget, "
            "train smaller models, or quantize further."
        )
    return Budget(np.array(list(sizes.values()), np.int64), limit)


def _folder_bytes(name: str, path: Path) -> int:
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    if size == 0:
        raise DataError(
            f"search_weights: model '{name}': expected a model folder at {path}, received nothing. Train it."
        )
    return size
