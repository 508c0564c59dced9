"""The search for members and their sizes, on predictions whose smaller sizes are noisier."""

import numpy as np
import pytest

from tests.support.predictions import members, with_noise
from yt8m.ensembling.budget import Budget
from yt8m.ensembling.scores import EnsembleScores
from yt8m.ensembling.search import guided_search, random_search, sample_weights
from yt8m.ensembling.size_search import search_sizes
from yt8m.ensembling.trials import Trials

# Share of the bytes, and noise of the logits, by size.
SIZES = {"8": (1.0, 0.0), "4": (0.5, 0.05), "2": (0.25, 3.0)}
BYTES = (1000, 2000, 3000, 1000, 2000, 3000)
NAMES = tuple(name for name in "abcdef" for _ in SIZES)
EIGHT_BITS = np.arange(0, len(NAMES), len(SIZES))
# Room for three or four of the six members in 8 bits.
BUDGET = Budget(np.array([int(size * share) for size in BYTES for share, _ in SIZES.values()]), 5000, members=NAMES)


@pytest.fixture(scope="module")
def scores() -> EnsembleScores:
    found = members(6, videos=1200, noise=1.5)
    sizes = [noise for _, noise in SIZES.values()]
    return EnsembleScores([with_noise(each, noise, 10 * i) for i, each in enumerate(found) for noise in sizes])


def new_trials(scores: EnsembleScores, limit: int, budget: Budget, offers: np.ndarray | None = None) -> Trials:
    return Trials(scores, budget, limit, lambda *_: None, offers)


def start_of(scores: EnsembleScores, budget: Budget, limit: int = 200) -> np.ndarray:
    """Search in 8 bits alone; return the weights of all offers."""
    budget = budget.only(EIGHT_BITS)
    trials = new_trials(scores, limit, budget, EIGHT_BITS)
    start = budget.fill(range(6)).astype(float)
    weights, _ = guided_search(trials, budget, start / start.sum(), np.random.default_rng(0))
    return trials.widen(weights[None])[0]


def test_in_the_bytes_of_the_8_bit_ensemble_more_members_fit_and_gap_rises(scores: EnsembleScores):
    start = start_of(scores, BUDGET)
    budget = Budget(BUDGET.sizes, int(BUDGET.size_of(start)), members=NAMES)
    trials = new_trials(scores, 200, budget)
    weights, gap = search_sizes(trials, budget, start, np.random.default_rng(0))
    assert trials.done <= 200
    assert budget.fits(weights)
    assert weights.sum() == pytest.approx(1)
    assert (weights > 0).sum() > (start > 0).sum()
    assert scores.gaps(weights)[0] == pytest.approx(gap, abs=1e-6)
    assert gap > scores.gaps(start)[0] + 0.001


@pytest.mark.parametrize("limit", [1, 2, 5, 12, 30, 60])
@pytest.mark.parametrize("limit_bytes", [900, 5000, 10**6])
def test_the_result_fits_and_is_never_worse_than_the_start(scores: EnsembleScores, limit: int, limit_bytes: int):
    budget = Budget(BUDGET.sizes, limit_bytes, members=NAMES)
    start = budget.fill(np.lexsort((-budget.sizes,))).astype(float)
    start /= start.sum()
    trials = new_trials(scores, limit, budget)
    weights, gap = search_sizes(trials, budget, start, np.random.default_rng(0))
    assert trials.done <= limit
    assert budget.fits(weights)
    assert gap >= scores.gaps(start)[0]
    assert scores.gaps(weights)[0] == pytest.approx(gap, abs=1e-6)


def test_of_equal_sizes_the_smaller_one_is_taken():
    found = members(2, videos=800, noise=1.5)
    equal = EnsembleScores([each for each in found for _ in range(3)])
    budget = Budget(np.array([100, 50, 25, 100, 50, 25]), 1000, members=("a", "a", "a", "b", "b", "b"))
    trials = new_trials(equal, 80, budget)
    weights, gap = search_sizes(trials, budget, np.array([0.5, 0, 0, 0.5, 0, 0]), np.random.default_rng(0))
    assert np.flatnonzero(weights).tolist() == [2, 5]
    assert gap >= equal.gaps([0.5, 0, 0, 0.5, 0, 0])[0]


def test_a_size_that_spoils_a_member_is_not_taken(scores: EnsembleScores):
    """At 2 bits a member is almost noise, and there is room for all in 8."""
    budget = Budget(BUDGET.sizes, 10**6, members=NAMES)
    start = start_of(scores, budget)
    weights, _ = search_sizes(new_trials(scores, 200, budget), budget, start, np.random.default_rng(0))
    assert weights[EIGHT_BITS + 2].sum() < 0.1


def test_the_seed_decides(scores: EnsembleScores):
    start = start_of(scores, BUDGET, 40)
    found = [search_sizes(new_trials(scores, 90, BUDGET), BUDGET, start, np.random.default_rng(5)) for _ in range(2)]
    assert found[0][0].tolist() == found[1][0].tolist()


def test_random_weights_take_each_member_once_in_sizes_of_all_kinds(scores: EnsembleScores):
    weights = sample_weights(300, BUDGET, np.random.default_rng(0))
    assert BUDGET.fits(weights).all()
    taken = weights > 0
    assert (np.add.reduceat(taken, EIGHT_BITS, axis=1) <= 1).all()
    assert taken.any(axis=0).all()
    trials = new_trials(scores, 10, BUDGET)
    random_search(trials, BUDGET, np.random.default_rng(0))
    assert BUDGET.fits(trials.best()[0])


def test_two_sizes_of_a_member_do_not_fit_together():
    weights = np.zeros((2, len(NAMES)))
    weights[0, [0, 1]] = weights[1, [0, 3]] = 0.5
    assert Budget(BUDGET.sizes, 10**6, members=NAMES).fits(weights).tolist() == [False, True]
    assert np.flatnonzero(Budget(BUDGET.sizes, 10**6, members=NAMES).fill([1, 0, 2, 5, 3])).tolist() == [1, 5]


def test_every_taken_offer_needs_room_for_a_graph():
    budget = Budget(np.array([100, 50, 100]), 250, 50, members=("a", "a", "b"))
    assert budget.fits(np.array([[0.5, 0, 0.5], [0, 0.5, 0.5]])).tolist() == [False, True]


def test_the_largest_offers_are_one_of_each_member_that_fits_alone():
    budget = Budget(np.array([100, 400, 900, 800, 50]), 500, members=("a", "a", "a", "b", "c"))
    assert budget.largest().tolist() == [1, 3, 4]
    assert Budget(np.array([5, 6]), 100).largest().tolist() == [0, 1]
