"""Random search for ensemble weights (paper, section 4.3)."""

import numpy as np

from yt8m.ensembling.budget import Budget
from yt8m.ensembling.trials import Trials, Weights


def random_search(trials: Trials, budget: Budget, rng: np.random.Generator) -> None:
    """Spend all trials on random weights within the budget.

    Every second trial takes weights uniform on the simplex (Dirichlet), the others uniform numbers divided by their
    sum, which lie nearer to the flat average. Where not all members fit, each trial takes them in a random order as far
    as the budget allows.

    Args:
        trials: What may be spent; remembers the results.
        budget: What fits.
        rng: Source of the samples.
    """
    trials.run(sample_weights(trials.left, budget, rng))


def sample_weights(count: int, budget: Budget, rng: np.random.Generator) -> Weights:
    """Random weights `(count, M)` that sum to 1 and whose members fit into the budget."""
    members = len(budget.sizes)
    # A Dirichlet sample with all parameters 1 is exponential numbers divided by their sum, which allows for subsets.
    raw = np.where(np.arange(count)[:, None] % 2, rng.random((count, members)), rng.exponential(size=(count, members)))
    taken = np.array([budget.fill(rng.permutation(members)) for _ in range(count)]).reshape(count, members)
    raw = np.where(taken, np.maximum(raw, 1e-12), 0.0)
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))
