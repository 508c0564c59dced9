"""A better search than the random one: greedy selection of members, exchange, and refinement of their weights."""

import numpy as np

from yt8m.ensembling.budget import Budget
from yt8m.ensembling.trials import Trials, Weights

# Share of the trials that choosing the members may take; refining their weights has the rest.
_SELECTION_SHARE = 0.5

# Rounds of forward selection without a better GAP after which it ends.
_PATIENCE = 3

# First step of the refinement, in log weights: a factor of 1.6.
_STEP = 0.5

# Weight with which the refinement starts for a member that was left out.
_SECOND_CHANCE = 0.01

# Less than this is not worth a member's bytes, whatever it seems to gain.
_SMALLEST_WEIGHT = 1e-3

# A member without which GAP is lower by less than this is dropped; half a unit of the paper's fifth digit.
_DROP_TOLERANCE = 5e-6


def guided_search(trials: Trials, budget: Budget, start: Weights, rng: np.random.Generator) -> tuple[Weights, float]:
    """Search weights and members within the budget.

    1. Backward elimination from all members, weighted equally: drops whoever costs the least GAP per byte. It passes
       through ensembles of every size and so traces GAP against bytes.
    2. Forward selection with replacement (Caruana et al., 2004, "Ensemble selection from libraries of models"): adds
       the member that raises GAP the most, again and again; a member's weight is how often it was added.
    3. Exchange of one member for another, where the budget leaves some out.
    4. CMA-ES on the logarithms of the best ensemble's weights.
    5. Members that contribute nothing are dropped.

    Args:
        trials: What may be spent; remembers the results.
        budget: What fits.
        start: Weights `(M,)` within the budget to start from.
        rng: Source of the random steps.

    Returns:
        The weights `(M,)` and their GAP on the videos of the search.
    """
    trials.run(start[None])
    reserve = int(trials.left * (1 - _SELECTION_SHARE))
    _eliminate_backward(trials, (trials.left + reserve) // 2, budget)
    _select_forward(trials, reserve, budget)
    _exchange(trials, reserve, budget)
    _refine(trials, budget, rng)
    return _drop(trials)


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


def _exchange(trials: Trials, reserve: int, budget: Budget) -> None:
    weights, gap = trials.best()
    while True:
        options = _exchanges(weights, budget)
        if not len(options) or trials.left - len(options) < reserve:
            return
        gaps = trials.run(options)
        if gaps.max() <= gap:
            return
        weights, gap = options[int(np.argmax(gaps))], float(gaps.max())


def _exchanges(weights: Weights, budget: Budget) -> Weights:
    """Weights `(n, M)` where a member has handed its weight to one that was left out."""
    options = []
    for gone in np.flatnonzero(weights > 0):
        for new in np.flatnonzero(weights == 0):
            option = weights.copy()
            option[new], option[gone] = weights[gone], 0.0
            options.append(option)
    found = np.array(options).reshape(-1, len(weights))
    return np.asarray(found[budget.fits(found)])


def _refine(trials: Trials, budget: Budget, rng: np.random.Generator) -> None:
    import cma  # noqa: PLC0415 - takes more than a second, and recipes import this package

    weights, _ = trials.best()
    # Members left out that fit beside the others get another chance.
    taken = budget.fill(np.argsort(-weights, kind="stable"))
    weights = np.where(taken, np.maximum(weights, _SECOND_CHANCE), 0.0)
    chosen = np.flatnonzero(taken)
    if len(chosen) < 2:
        return
    options = {
        "verbose": -9,
        "tolfun": 1e-7,
        # Our generator instead of NumPy's global one.
        "seed": np.nan,
        "randn": lambda *shape: rng.standard_normal(shape),
    }
    strategy = cma.CMAEvolutionStrategy(np.log(weights[chosen]), _STEP, options)
    # What dropping members may take stays.
    while not strategy.stop() and trials.left - len(chosen) - 1 >= strategy.popsize:
        points = strategy.ask()
        tried = np.zeros((len(points), len(weights)))
        tried[:, chosen] = _softmax(np.array(points))
        strategy.tell(points, (-trials.run(tried)).tolist())


def _drop(trials: Trials) -> tuple[Weights, float]:
    weights, gap = trials.best()
    light = (weights > 0) & (weights < _SMALLEST_WEIGHT)
    if light.any() and trials.left:
        weights = np.where(light, 0.0, weights)
        weights /= weights.sum()
        gap = float(trials.run(weights[None])[0])
    # The others go one after the other while it costs nothing.
    while 1 < (weights > 0).sum() <= trials.left:
        options = weights * _without_each(weights > 0)
        options /= options.sum(axis=1, keepdims=True)
        gaps = trials.run(options)
        best = int(np.argmax(gaps))
        if gaps[best] < gap - _DROP_TOLERANCE:
            break
        weights, gap = options[best], float(gaps[best])
    return weights, gap


def _without_each(taken: np.ndarray) -> np.ndarray:
    """For members taken, bool `(M,)`, every set that has one less: bool `(n, M)`."""
    return np.asarray(taken & ~np.eye(len(taken), dtype=np.bool_)[taken])


def _equal(taken: np.ndarray) -> Weights:
    """Equal weights for members taken, bool `(..., M)`."""
    return np.asarray(taken / taken.sum(axis=-1, keepdims=True))


def _softmax(logits: Weights) -> Weights:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
