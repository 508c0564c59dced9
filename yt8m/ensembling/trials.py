"""Trials of ensemble weights: a limited number, all of them recorded."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from yt8m.ensembling.budget import Budget
from yt8m.ensembling.scores import TRIALS_AT_ONCE, EnsembleScores

Weights = npt.NDArray[np.float64]


class Trials:
    """Scores weights until the trial limit is reached, so that search methods are compared at equal cost.

    Args:
        scores: Scores of the members on the videos of the search.
        budget: Budget that the best weights must fit. Others may be tried, too.
        limit: Maximum number of trials.
        on_done: Called with the number of trials just made and the best GAP so far.
        offers: Indices of the scores' members that weights and budget are of. All by default.
    """

    def __init__(
        self,
        scores: EnsembleScores,
        budget: Budget,
        limit: int,
        on_done: Callable[[int, float], object],
        offers: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self._scores = scores
        self._budget = budget
        self._limit = limit
        self._on_done = on_done
        self._offers = np.arange(scores.num_members) if offers is None else offers
        self._weights: list[Weights] = []
        self._gaps: list[float] = []

    @property
    def done(self) -> int:
        """Number of trials made."""
        return len(self._gaps)

    @property
    def left(self) -> int:
        """Number of trials that are left."""
        return self._limit - self.done

    def run(self, weights: Weights) -> npt.NDArray[np.float64]:
        """Score weights until no trials are left.

        Args:
            weights: `(n, M)`.

        Returns:
            GAP of each row that was scored, `(min(n, left),)`.
        """
        first = self.done
        tried = weights[: self.left]
        for start in range(0, len(tried), TRIALS_AT_ONCE):
            part = tried[start : start + TRIALS_AT_ONCE]
            self._gaps.extend(self._scores.gaps(self.widen(part)).tolist())
            self._weights.extend(part)
            self._on_done(len(part), self.best()[1])
        return np.array(self._gaps[first:])

    def widen(self, weights: Weights) -> Weights:
        """Return weights `(n, M)` as weights of all members of the scores, 0 for those that are not searched."""
        wide = np.zeros((len(weights), self._scores.num_members))
        wide[:, self._offers] = weights
        return wide

    def weights(self) -> Weights:
        """Return all weights tried, `(done, M)`."""
        return np.array(self._weights)

    def gaps(self) -> npt.NDArray[np.float64]:
        """Return the GAP of all weights tried, `(done,)`."""
        return np.array(self._gaps)

    def best(self) -> tuple[Weights, float]:
        """Return the best weights tried that fit the budget, and their GAP; -1 if none fit."""
        weights, gaps = self.weights(), self.gaps()
        within = np.where(self._budget.fits(weights), gaps, -1.0)
        best = int(np.argmax(within))
        return weights[best], float(within[best])


def pareto_frontier(sizes: npt.NDArray[np.int64], gaps: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Find the ensembles whose GAP no ensemble of the same or a smaller size reaches.

    Args:
        sizes: Bytes of each ensemble, `(n,)`.
        gaps: GAP of each ensemble, `(n,)`.

    Returns:
        Indices of the ensembles, ascending in size and GAP.
    """
    order = np.lexsort((-gaps, sizes))
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(gaps[order])[:-1]])
    return np.asarray(order[gaps[order] > best_before])
