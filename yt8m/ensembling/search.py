"""Searches for ensemble weights: random search as in the paper, and a guided search that needs fewer trials."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from yt8m.ensembling.budget import Budget
from yt8m.ensembling.trials import Trials, Weights

# Share of the trials to spend on selecting members; the rest refines their weights.
SELECTION_SHARE = 0.5

# Rounds of forward selection without improvement before it stops.
_PATIENCE = 3

# Initial step size of CMA-ES in log weights: a factor of 1.6.
_STEP = 0.5

# Initial weight in the refinement of a member that selection left out.
_SECOND_CHANCE = 0.01

# Members below this weight are dropped: their gain is not worth their bytes.
_SMALLEST_WEIGHT = 1e-3

# Members whose removal costs less GAP than this are dropped; half a unit of the paper's fifth digit.
DROP_TOLERANCE = 5e-6


def random_search(trials: Trials, budget: Budget, rng: np.random.Generator) -> None:
    """Spend all trials on random weights within the budget (paper, section 4.3).

    Every second trial draws weights uniformly from the simplex (Dirichlet). The others draw uniform numbers and divide
    them by their sum, which lies nearer to the flat average. If not all members fit, each trial adds members in random
    order as long as they fit.

    Args:
        trials: Trials to spend; records the results.
        budget: Budget that the weights must fit.
        rng: Random generator.
    """
    trials.run(sample_weights(trials.left, budget, rng))


def sample_weights(count: int, budget: Budget, rng: np.random.Generator) -> Weights:
    """Draw random weights `(count, M)` that sum to 1 and fit the budget."""
    members = len(budget.sizes)
    # A Dirichlet sample with all parameters 1 is exponential numbers divided by their sum, which allows for subsets.
    raw = np.where(np.arange(count)[:, None] % 2, rng.random((count, members)), rng.exponential(size=(count, members)))
    taken = np.array([budget.fill(rng.permutation(members)) for _ in range(count)]).reshape(count, members)
    raw = np.where(taken, np.maximum(raw, 1e-12), 0.0)
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


def guided_search(trials: Trials, budget: Budget, start: Weights, rng: np.random.Generator) -> tuple[Weights, float]:
    """Search weights and members within the budget.

    1. Backward elimination from all members, weighted equally: drop the member that costs the least GAP per byte. This
       visits ensembles of every size and so traces GAP against bytes.
    2. Forward selection with replacement (Caruana et al., 2004, "Ensemble selection from libraries of models"): add
       the member that raises GAP the most, and repeat. The weight of a member is the number of times it was added.
    3. Exchange one member for another, if the budget leaves some out.
    4. CMA-ES on the logarithms of the best ensemble's weights.
    5. Drop members that contribute nothing.

    Args:
        trials: Trials to spend; records the results.
        budget: Budget that the weights must fit.
        start: Initial weights `(M,)` within the budget.
        rng: Random generator.

    Returns:
        The best weights `(M,)` and their GAP on the videos of the search.
    """
    trials.run(start[None])
    reserve = int(trials.left * (1 - SELECTION_SHARE))
    _eliminate_backward(trials, (trials.left + reserve) // 2, budget)
    _select_forward(trials, reserve, budget)
    exchange(trials, reserve, budget)
    weights, _ = trials.best()
    # Members that were left out but still fit get another chance.
    chosen = budget.fill(np.argsort(-weights, kind="stable"))
    refine(trials, chosen, rng, keep=int(chosen.sum()) + 1)
    return drop(trials)


def _eliminate_backward(trials: Trials, reserve: int, budget: Budget) -> None:
    current = np.ones(len(budget.sizes), np.bool_)
    if trials.left <= reserve:
        return
    gap = float(trials.run(_equal(current[None]))[0])
    while current.sum() > 1 and trials.left - int(current.sum()) >= reserve:
        without = _without_each(current)
        gaps = trials.run(_equal(without))
        dropped = int(np.argmin((gap - gaps) / (budget.size_of(_equal(current)) - budget.size_of(_equal(without)))))
        current, gap = without[dropped], float(gaps[dropped])


def _select_forward(trials: Trials, reserve: int, budget: Budget) -> None:
    members = len(budget.sizes)
    counts = np.zeros(members)
    best, stale = -1.0, 0
    while stale < _PATIENCE and trials.left - members >= reserve:
        options = counts + np.eye(members)
        options = options[budget.fits(options)]
        gaps = trials.run(options / options.sum(axis=1, keepdims=True))
        chosen = int(np.argmax(gaps))
        counts = options[chosen]
        stale = 0 if gaps[chosen] > best else stale + 1
        best = max(best, float(gaps[chosen]))


def exchange(trials: Trials, reserve: int, budget: Budget) -> None:
    """Exchange one offer for another while this gains."""
    climb(trials, reserve, lambda weights: _exchanges(weights, budget))


def climb(trials: Trials, reserve: int, options_of: Callable[[Weights], Weights]) -> None:
    """Go from the best weights to the best of their options while this gains.

    Args:
        trials: Trials to spend; records the results.
        reserve: Number of trials that must be left.
        options_of: Returns the options `(n, M)` of weights `(M,)`.
    """
    weights, gap = trials.best()
    while True:
        options = options_of(weights)
        if not len(options) or trials.left - len(options) < reserve:
            return
        gaps = trials.run(options)
        if gaps.max() <= gap:
            return
        weights, gap = options[int(np.argmax(gaps))], float(gaps.max())


def _exchanges(weights: Weights, budget: Budget) -> Weights:
    """Return all weights `(n, M)` in which an offer hands its weight to one that was left out."""
    options = []
    for gone in np.flatnonzero(weights > 0):
        for new in np.flatnonzero(weights == 0):
            option = weights.copy()
            option[new], option[gone] = weights[gone], 0.0
            options.append(option)
    found = np.array(options).reshape(-1, len(weights))
    return np.asarray(found[budget.fits(found)])


def refine(trials: Trials, taken: npt.NDArray[np.bool_], rng: np.random.Generator, keep: int) -> None:
    """Improve the best weights by CMA-ES on their logarithms.

    Args:
        trials: Trials to spend; records the results.
        taken: Offers that get a weight, bool `(M,)`, all those of the best weights among them.
        rng: Random generator.
        keep: Number of trials to leave for what follows.
    """
    import cma  # noqa: PLC0415 - importing takes over a second, and recipes import this package

    weights, _ = trials.best()
    weights = np.where(taken, np.maximum(weights, _SECOND_CHANCE), 0.0)
    chosen = np.flatnonzero(taken)
    if len(chosen) < 2:
        return
    options = {
        "verbose": -9,
        "tolfun": 1e-7,
        # Use our generator instead of NumPy's global one.
        "seed": np.nan,
        "randn": lambda *shape: rng.standard_normal(shape),
    }
    strategy = cma.CMAEvolutionStrategy(np.log(weights[chosen]), _STEP, options)
    while not strategy.stop() and trials.left - keep >= strategy.popsize:
        points = strategy.ask()
        tried = np.zeros((len(points), len(weights)))
        tried[:, chosen] = _softmax(np.array(points))
        strategy.tell(points, (-trials.run(tried)).tolist())


def drop(trials: Trials) -> tuple[Weights, float]:
    """Drop members that contribute nothing from the best weights; return the weights and their GAP."""
    weights, gap = trials.best()
    light = (weights > 0) & (weights < _SMALLEST_WEIGHT)
    if light.any() and trials.left:
        weights = np.where(light, 0.0, weights)
        weights /= weights.sum()
        gap = float(trials.run(weights[None])[0])
    # Drop further members one at a time while GAP stays the same.
    while 1 < (weights > 0).sum() <= trials.left:
        options = weights * _without_each(weights > 0)
        options /= options.sum(axis=1, keepdims=True)
        gaps = trials.run(options)
        best = int(np.argmax(gaps))
        if gaps[best] < gap - DROP_TOLERANCE:
            break
        weights, gap = options[best], float(gaps[best])
    return weights, gap


def _without_each(taken: np.ndarray) -> np.ndarray:
    """Return every subset, bool `(n, M)`, that lacks one of the members taken, bool `(M,)`."""
    return np.asarray(taken & ~np.eye(len(taken), dtype=np.bool_)[taken])


def _equal(taken: np.ndarray) -> Weights:
    """Return equal weights for the members taken, bool `(..., M)`."""
    return np.asarray(taken / taken.sum(axis=-1, keepdims=True))


def _softmax(logits: Weights) -> Weights:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
