"""A limited number of trials of ensemble weights, all of them remembered."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from yt8m.ensembling.budget import Budget
from yt8m.ensembling.scores import TRIALS_AT_ONCE, EnsembleScores

Weights = npt.NDArray[np.float64]


class Trials:
    """Scores weights until the agreed number of trials is spent, so that methods are compared at the same cost.

    Args:
        scores: The members' scores on the videos of the search.
        budget: What the best weights must fit into; others may be tried, too.
        limit: Trials that may be made.
        on_done: Called with a number of trials that were just made and the best GAP so far.
    """

    def __init__(
        self, scores: EnsembleScores, budget: Budget, limit: int, on_done: Callable[[int, float], object]
    ) -> None:
        self._scores = scores
        self._budget = budget
        self._limit = limit
        self._on_done = on_done
        self._weights: list[Weights] = []
        self._gaps: list[float] = []

    @property
    def done(self) -> int:
        """Trials made."""
        return len(self._gaps)

    @property
    def left(self) -> int:
        """Trials that may still be made."""
        return self._limit - self.done

    def run(self, weights: Weights) -> npt.NDArray[np.float64]:
        """Scores weights `(n, M)`; only as many as trials are left.

        Returns:
            GAP of each that was scored, `(min(n, left),)`.
        """
        first = self.done
        tried = weights[: self.left]
        for start in range(0, len(tried), TRIALS_AT_ONCE):
            part = tried[start : start + TRIALS_AT_ONCE]
            self._gaps.extend(self._scores.gaps(part).tolist())
            self._weights.extend(part)
            self._on_done(len(part), self.best()[1])
        return np.array(self._gaps[first:])

    def weights(self) -> Weights:
        """All weights tried, `(done, M)`."""
        return np.array(self._weights)

    def gaps(self) -> npt.NDArray[np.float64]:
        """Their GAP, `(done,)`."""
        return np.array(self._gaps)

    def best(self) -> tuple[Weights, float]:
        """The best weights tried whose members fit into the budget, and their GAP; -1 where none fit."""
        weights, gaps = self.weights(), self.gaps()
        within = np.where(self._budget.fits(weights), gaps, -1.0)
        best = int(np.argmax(within))
        return weights[best], float(within[best])
