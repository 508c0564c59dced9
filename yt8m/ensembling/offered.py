"""The members that a search may choose from, in their sizes, with their scores on both parts of the hold-out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from yt8m.ensembling.budget import Budget, budget_of
from yt8m.ensembling.members import Offer, Offers, load_members
from yt8m.ensembling.scores import EnsembleScores
from yt8m.ensembling.trials import Weights
from yt8m.holdout import Part


@dataclass(frozen=True)
class OfferedMembers:
    """All offers, in the order of the weights `(M,)`.

    Attributes:
        offers: Member and size of each offer.
        families: Architecture of each member by name.
        budget: Their bytes, and the limit.
        search: Their scores on the part of the hold-out that decides.
        report: Their scores on the part on which figures are reported.
        report_rows: Indices of the videos of that part.
        part: Name of that part.
    """

    offers: tuple[Offer, ...]
    families: Mapping[str, str]
    budget: Budget
    search: EnsembleScores
    report: EnsembleScores
    report_rows: npt.NDArray[np.int64]
    part: Part

    @classmethod
    def read(
        cls, opened: Mapping[str, Offers], budget_bytes: int, size_margin: float | Literal["auto"], top_k: int
    ) -> Self:
        """Read the predictions of all members in all their sizes.

        Args:
            opened: Offers of each member by name.
            budget_bytes: Maximum bytes of the exported model.
            size_margin: Overhead of the exported model; see `Budget.of`.
            top_k: Number of predictions per video that count in GAP.

        Raises:
            DataError: A description is damaged, or predictions are not of the same videos.
            BudgetError: Not even the smallest offer fits.
        """
        described = {name: each.read() for name, each in opened.items()}
        sizes = {Offer(name, size): count for name, each in described.items() for size, count in each.sizes.items()}
        found = load_members({each: opened[each.member].predictions(each.size) for each in sizes}, top_k)
        predictions = list(found.values())
        first = predictions[0]
        search = report = EnsembleScores(predictions, first.rows_select, top_k=top_k)
        if first.part == "report":
            report = EnsembleScores(predictions, first.rows_report, top_k=top_k)
        return cls(
            offers=tuple(sizes),
            families={name: each.family for name, each in described.items()},
            budget=budget_of(sizes, budget_bytes, size_margin),
            search=search,
            report=report,
            report_rows=first.rows_report,
            part=first.part,
        )

    def of_size(self, size: str) -> npt.NDArray[np.int64]:
        """Return the indices of the offers in a size."""
        return np.flatnonzero([offer.size == size for offer in self.offers])

    def describe(self, weights: Weights, gap_select: float, gap: float) -> dict[str, Any]:
        """Return figures, members and sizes of an ensemble as JSON data.

        Args:
            weights: Its weights `(M,)`.
            gap_select: Its GAP on the videos that decide.
            gap: Its GAP on those on which figures are reported.
        """
        taken = [(offer, float(weight)) for offer, weight in zip(self.offers, weights, strict=True) if weight > 0]
        return {
            "gap_select": float(gap_select),
            "gap": float(gap),
            "size_bytes": int(self.budget.size_of(weights)),
            "members": {offer.member: weight for offer, weight in taken},
            "sizes": {offer.member: offer.size for offer, _ in taken},
        }
