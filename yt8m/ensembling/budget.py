"""Byte budget of an ensemble: which members fit into the exported model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from yt8m.ensembling.members import Offer
from yt8m.errors import BudgetError
from yt8m.records.settings import Setting, resolve_setting

# Bytes that the exported model takes besides the members' weights: once, and for the graph of each member. Measured on
# the demo's models: 215 kB, and from 45 kB for a logistic model to 385 kB for a recurrent one. And a share that is kept
# free, as the paper's recipe does.
BASE_BYTES, GRAPH_BYTES, FREE_SHARE = 250_000, 400_000, 0.01


@dataclass(frozen=True)
class Budget:
    """Sizes of the candidate members, and the limit on their total.

    Attributes:
        sizes: Bytes of each member's model folder, int64 `(M,)`.
        limit_bytes: Maximum total bytes of the members of an ensemble and their graphs.
        graph_bytes: Bytes of the graph of each member, which count against the limit, but are not of its size.
    """

    sizes: npt.NDArray[np.int64]
    limit_bytes: int
    graph_bytes: int = 0

    def size_of(self, weights: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
        """Return the total bytes of members with a positive weight: `(...,)` for weights `(..., M)`."""
        total: npt.NDArray[np.int64] = ((weights > 0) * self.sizes).sum(axis=-1)
        return total

    def fits(self, weights: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Check that members with a positive weight fit the limit: `(...,)` for weights `(..., M)`."""
        graphs = (weights > 0).sum(axis=-1) * self.graph_bytes
        return np.asarray(self.size_of(weights) + graphs <= self.limit_bytes)

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
            size = int(self.sizes[member]) + self.graph_bytes
            if size <= left:
                taken[member] = True
                left -= size
        return taken

    @classmethod
    def of(cls, sizes: Sequence[int], budget_bytes: int, size_margin: float | Literal["auto"]) -> Self:
        """Make the budget of members from the size of the exported model.

        Args:
            sizes: Bytes of each member's model folder.
            budget_bytes: Maximum bytes of the exported model.
            size_margin: Overhead of the exported model as a fraction of its members' bytes. `auto` counts the graph of
                each member.
        """
        counted = np.array(sizes, np.int64)
        if size_margin == "auto":
            return cls(counted, int((budget_bytes - BASE_BYTES) / (1 + FREE_SHARE)), GRAPH_BYTES)
        return cls(counted, int(budget_bytes / (1 + size_margin)))


def budget_for_all(sizes: Sequence[int], size_margin: float | Literal["auto"]) -> int:
    """Return the smallest budget that holds all members; for the arguments see `Budget.of`."""
    if size_margin == "auto":
        return ceil(BASE_BYTES + (sum(sizes) + len(sizes) * GRAPH_BYTES) * (1 + FREE_SHARE)) + 1
    return ceil(sum(sizes) * (1 + size_margin)) + 1


def resolve_size_margin(stated: float | Literal["auto"]) -> Setting:
    """Return what the exported model takes besides its members: a fraction of their bytes, or bytes of each.

    Args:
        stated: The recipe's fraction, or `auto`.
    """
    reason = f"room for the graph of each, and {BASE_BYTES:,} bytes once"
    return resolve_setting(stated, lambda: (f"{GRAPH_BYTES:,} bytes per member", reason))


def budget_of(sizes: Mapping[Offer, int], budget_bytes: int, size_margin: float | Literal["auto"]) -> Budget:
    """Make the budget of some members; see `Budget.of`.

    Args:
        sizes: Bytes of the model folder of each member in each of its sizes.
        budget_bytes: Maximum bytes of the exported model.
        size_margin: Overhead of the exported model.

    Raises:
        BudgetError: Not even the smallest member fits.
    """
    budget = Budget.of(list(sizes.values()), budget_bytes, size_margin)
    smallest = min(sizes, key=lambda name: sizes[name])
    if sizes[smallest] + budget.graph_bytes > budget.limit_bytes:
        left = max(budget.limit_bytes - budget.graph_bytes, 0)
        instead = " If its graph takes less than is assumed, state ensemble.search.size_margin." * (left > 0)
        raise BudgetError(
            f"search_weights: no member fits into budget_bytes = {budget_bytes:,} ({left:,} bytes without those of "
            f"graphs). The smallest is '{smallest.member}' with {sizes[smallest]:,} bytes. Raise the budget, train "
            f"smaller models, or quantize further.{instead if budget.graph_bytes else ''}"
        )
    return budget
