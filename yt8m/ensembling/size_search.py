"""Search for members and their sizes together, from an ensemble in the largest sizes."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from yt8m.ensembling.budget import Budget
from yt8m.ensembling.search import DROP_TOLERANCE, SELECTION_SHARE, climb, drop, exchange, refine
from yt8m.ensembling.trials import Trials, Weights


def search_sizes(trials: Trials, budget: Budget, start: Weights, rng: np.random.Generator) -> tuple[Weights, float]:
    """Search sizes, members and weights within the budget. The result is never worse than the start.

    1. Measure what a smaller size of each member costs, one at a time.
    2. Add the member that gains most, in any of its sizes. Room for it comes from smaller sizes of the others, those
       that cost the least GAP per byte first. Repeat while this gains.
    3. Exchange one offer for another, of the same member or of one that was left out.
    4. CMA-ES on the logarithms of the weights.
    5. Drop members that contribute nothing, and take smaller sizes that cost nothing.

    Args:
        trials: Trials to spend; records the results.
        budget: Budget that the weights must fit.
        start: Initial weights `(M,)` of the offers within the budget.
        rng: Random generator.

    Returns:
        The best weights `(M,)` and their GAP on the videos of the search.
    """
    least = float(trials.run(start[None])[0])
    reserve = int(trials.left * (1 - SELECTION_SHARE))
    _add_members(trials, reserve, budget)
    exchange(trials, reserve, budget)
    weights, _ = trials.best()
    # Members that were left out get another chance in the smallest size.
    chosen = budget.fill(np.lexsort((budget.sizes, -weights)))
    refine(trials, chosen, rng, keep=len(budget.sizes))
    weights, gap = drop(trials)
    return _shrink(trials, budget, *((weights, gap) if gap >= least else trials.best()), least)


def _add_members(trials: Trials, reserve: int, budget: Budget) -> None:
    weights, gap = trials.best()
    smaller = _smaller_sizes(weights, budget)
    if not len(smaller) or trials.left - len(smaller) < reserve:
        return
    options = np.array([_resized(weights, offer, budget) for offer in smaller])
    losses = gap - trials.run(options)
    cheapest = smaller[np.argsort(losses / (budget.size_of(weights) - budget.size_of(options)), kind="stable")]
    # What a smaller size of the members to come costs is not known, so that they make room last.
    steps = [*cheapest, *np.argsort(-budget.sizes, kind="stable")]
    # A smaller size may have gained by chance; then it is the best of the trials.
    climb(trials, reserve, lambda found: _additions(found, budget, steps))


def _additions(weights: Weights, budget: Budget, steps: Iterable[int]) -> Weights:
    """Return weights `(n, M)` with one more member each, if necessary in smaller sizes of the others.

    Args:
        weights: Weights `(M,)` of the ensemble.
        budget: Budget that the result must fit.
        steps: Offers that make room if they are smaller than those taken of their members, the first ones first.
    """
    share = 1 / (1 + (weights > 0).sum())
    options = []
    for new in np.flatnonzero(~budget.same_member[weights > 0].any(axis=0)):
        option = weights * (1 - share)
        option[new] = share
        for step in steps:
            if budget.fits(option):
                break
            resized = _resized(option, step, budget)
            option = resized if budget.size_of(resized) < budget.size_of(option) else option
        options.append(option)
    found = np.array(options).reshape(-1, len(weights))
    return np.asarray(found[budget.fits(found)])


def _shrink(trials: Trials, budget: Budget, weights: Weights, gap: float, least: float) -> tuple[Weights, float]:
    """Take smaller sizes, those that save most first, while GAP stays the same and at least that of the start."""
    while 0 < len(smaller := _smaller_sizes(weights, budget)) <= trials.left:
        options = np.array([_resized(weights, offer, budget) for offer in smaller])
        gaps = trials.run(options)
        kept = gaps >= max(gap - DROP_TOLERANCE, least)
        if not kept.any():
            break
        chosen = int(np.argmin(np.where(kept, budget.size_of(options), np.inf)))
        weights, gap = options[chosen], float(gaps[chosen])
    return weights, gap


def _smaller_sizes(weights: Weights, budget: Budget) -> npt.NDArray[np.int64]:
    """List the offers of the ensemble's members that are smaller than those taken."""
    taken = budget.same_member[weights > 0]
    bytes_taken = (taken * budget.sizes[weights > 0][:, None]).sum(axis=0)
    return np.flatnonzero(budget.sizes < bytes_taken)


def _resized(weights: Weights, offer: int, budget: Budget) -> Weights:
    """Return weights in which the member of an offer, if it has a weight, has that size."""
    same = budget.same_member[offer]
    resized = np.where(same, 0.0, weights)
    resized[offer] = weights[same].sum()
    return resized
