"""Byte budget of an ensemble: which members fit into the exported model, and in which sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
    """Bytes of all offers, each a member in one of its sizes, and the limit on the total of those that are taken.

    Attributes:
        sizes: Bytes of the model folder of each offer, int64 `(M,)`.
        limit_bytes: Maximum total bytes of the members of an ensemble and their graphs.
        graph_bytes: Bytes of the graph of each member, which count against the limit, but are not of its size.
        members: Name of the member of each offer, of which at most one offer is taken. Empty if every offer is a member
            of its own.
    """

    sizes: npt.NDArray[np.int64]
    limit_bytes: int
    graph_bytes: int = 0
    members: tuple[str, ...] = ()

    @cached_property
    def same_member(self) -> npt.NDArray[np.bool_]:
        """Whether two offers are of the same member, bool `(M, M)`."""
        names = np.array(self.members or range(len(self.sizes)))
        return np.asarray(names[:, None] == names)

    def only(self, offers: npt.NDArray[np.int64]) -> Self:
        """Return the budget of some of the offers, given by index."""
        return replace(self, sizes=self.sizes[offers], members=tuple(self.members[i] for i in offers if self.members))

    def largest(self) -> npt.NDArray[np.int64]:
        """Return the indices of one offer of each member: the largest that fits alone, or else the smallest."""
        fits = self.sizes + self.graph_bytes <= self.limit_bytes
        preference = np.where(fits, self.sizes, -self.sizes)
        best = np.where(self.same_member, preference, np.iinfo(np.int64).min).argmax(axis=1)
        return np.unique(best)

    def size_of(self, weights: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
        """Return the total bytes of offers with a positive weight: `(...,)` for weights `(..., M)`."""
        total: npt.NDArray[np.int64] = ((weights > 0) * self.sizes).sum(axis=-1)
        return total

    def fits(self, weights: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Check offers with a positive weight: `(...,)` for weights `(..., M)`.

        Returns:
            Whether they fit the limit, and are of different members.
        """
        taken = weights > 0
        graphs = taken.sum(axis=-1) * self.graph_bytes
        once = (taken * (taken @ self.same_member.astype(np.int64)) <= 1).all(axis=-1)
        return np.asarray((self.size_of(weights) + graphs <= self.limit_bytes) & once)

    def fill(self, order: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Take offers in the given order, skipping those that no longer fit or whose member is already taken.

        Args:
            order: Indices of offers in order of preference.

        Returns:
            True for offers taken, bool `(M,)`.
        """
        taken = np.zeros(len(self.sizes), np.bool_)
        left = self.limit_bytes
        for offer in order:
            size = int(self.sizes[offer]) + self.graph_bytes
            if size <= left and not taken[self.same_member[offer]].any():
                taken[offer] = True
                left -= size
        return taken

    @classmethod
    def of(
        cls,
        sizes: Sequence[int],
        budget_bytes: int,
        size_margin: float | Literal["auto"],
        members: tuple[str, ...] = (),
    ) -> Self:
        """Make the budget from the size of the exported model.

        Args:
            sizes: Bytes of the model folder of each offer.
            budget_bytes: Maximum bytes of the exported model.
            size_margin: Overhead of the exported model as a fraction of its members' bytes. `auto` counts the graph of
                each member.
            members: Name of the member of each offer. Empty if every offer is a member of its own.
        """
        counted = np.array(sizes, np.int64)
        if size_margin == "auto":
            return cls(counted, int((budget_bytes - BASE_BYTES) / (1 + FREE_SHARE)), GRAPH_BYTES, members)
        return cls(counted, int(budget_bytes / (1 + size_margin)), members=members)


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
    """Make the budget of some offers; see `Budget.of`.

    Args:
        sizes: Bytes of the model folder of each member in each of its sizes.
        budget_bytes: Maximum bytes of the exported model.
        size_margin: Overhead of the exported model.

    Raises:
        BudgetError: Not even the smallest member fits.
    """
    members = tuple(offer.member for offer in sizes)
    budget = Budget.of(list(sizes.values()), budget_bytes, size_margin, members)
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
