import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.predictions import members
from yt8m.ensembling.budget import Budget, budget_for_all, budget_of
from yt8m.ensembling.members import Offer
from yt8m.ensembling.scores import EnsembleScores
from yt8m.ensembling.search import guided_search, random_search, sample_weights
from yt8m.ensembling.trials import Trials, pareto_frontier
from yt8m.errors import BudgetError

ALL_FIT = Budget(np.array([10, 20, 30, 40]), 100)
TIGHT = Budget(np.array([10, 20, 30, 40]), 55)


@pytest.fixture(scope="module")
def scores() -> EnsembleScores:
    return EnsembleScores(members(4, videos=1500, noise=1.5))


def new_trials(scores: EnsembleScores, limit: int, budget: Budget = ALL_FIT) -> Trials:
    return Trials(scores, budget, limit, lambda *_: None)


def test_random_weights_sum_to_one_and_fit():
    for budget in (ALL_FIT, TIGHT):
        weights = sample_weights(200, budget, np.random.default_rng(0))
        np.testing.assert_allclose(weights.sum(axis=1), 1)
        assert budget.fits(weights).all()
    assert (sample_weights(200, ALL_FIT, np.random.default_rng(0)) > 0).all()


def test_random_weights_use_the_budget_until_no_member_fits():
    taken = sample_weights(200, TIGHT, np.random.default_rng(0)) > 0
    room = TIGHT.limit_bytes - TIGHT.size_of(taken.astype(float))
    assert (np.where(taken, np.iinfo(np.int64).max, TIGHT.sizes) > room[:, None]).all()
    assert {tuple(row) for row in taken.tolist()} == {
        (True, True, False, False),
        (True, False, True, False),
        (False, True, True, False),
        (True, False, False, True),
    }


def test_the_seed_decides_the_search(scores: EnsembleScores):
    found = []
    for seed in (1, 1, 2):
        trials = new_trials(scores, 20)
        random_search(trials, ALL_FIT, np.random.default_rng(seed))
        found.append(trials.gaps().tolist())
    assert found[0] == found[1] != found[2]


def test_trials_stop_at_their_limit_and_report_the_best(scores: EnsembleScores):
    seen: list[tuple[int, float]] = []
    trials = Trials(scores, ALL_FIT, 20, lambda n, gap: seen.append((n, gap)))
    assert len(trials.run(np.tile([0.25] * 4, (30, 1)))) == 20
    assert (trials.done, trials.left) == (20, 0)
    assert [n for n, _ in seen] == [16, 4]
    assert seen[-1][1] == trials.gaps().max()


@pytest.mark.slow
@pytest.mark.parametrize("budget", [ALL_FIT, TIGHT])
def test_guided_search_beats_random_search_with_as_many_trials(scores: EnsembleScores, budget: Budget):
    random, guided = (new_trials(scores, 150, budget) for _ in range(2))
    random_search(random, budget, np.random.default_rng(0))
    start = budget.fill(range(4)).astype(float)
    weights, gap = guided_search(guided, budget, start / start.sum(), np.random.default_rng(0))
    assert guided.done <= 150
    assert budget.fits(weights)
    assert weights.sum() == pytest.approx(1)
    assert scores.gaps(weights)[0] == pytest.approx(gap, abs=1e-6)
    assert gap >= random.best()[1]


@pytest.mark.parametrize("limit", [1, 2, 7, 12, 30])
def test_guided_search_works_with_few_trials(scores: EnsembleScores, limit: int):
    trials = new_trials(scores, limit, TIGHT)
    weights, _ = guided_search(trials, TIGHT, np.array([0.5, 0.5, 0, 0]), np.random.default_rng(0))
    assert trials.done <= limit
    assert TIGHT.fits(weights)


def test_a_member_that_only_disturbs_is_dropped():
    good, *_ = members(1, videos=800)
    # The same labels with unrelated probabilities.
    noise = members(1, videos=800, noise=40.0)[0]
    budget = Budget(np.array([1, 1]), 10)
    trials = new_trials(EnsembleScores([good, noise]), 60, budget)
    weights, _ = guided_search(trials, budget, np.array([0.5, 0.5]), np.random.default_rng(0))
    assert weights.tolist() == [1.0, 0.0]


def test_the_best_subset_within_the_budget_is_found(scores: EnsembleScores):
    trials = new_trials(scores, 200, TIGHT)
    _, gap = guided_search(trials, TIGHT, np.array([1.0, 0, 0, 0]), np.random.default_rng(0))
    subsets = np.array([[m >> i & 1 for i in range(4)] for m in range(1, 16)], float)
    subsets = subsets[TIGHT.fits(subsets)]
    assert gap >= scores.gaps(subsets / subsets.sum(axis=1, keepdims=True)).max()


def test_one_member_alone_needs_no_search():
    budget = Budget(np.array([5]), 5)
    trials = new_trials(EnsembleScores(members(1)), 30, budget)
    weights, _ = guided_search(trials, budget, np.ones(1), np.random.default_rng(0))
    assert weights.tolist() == [1.0]


def test_the_budget_is_filled_in_the_given_order():
    assert TIGHT.fill([3, 2, 1, 0]).tolist() == [True, False, False, True]
    assert TIGHT.size_of(np.array([0.3, 0.0, 0.7, 0.0])) == 40


def test_a_margin_of_the_budget_stays_free():
    budget = budget_of({Offer("a", "8"): 100, Offer("b", "8"): 250}, 505, 0.01)
    assert budget.sizes.tolist() == [100, 250]
    assert budget.limit_bytes == 500


@given(st.lists(st.integers(10_000, 400_000_000), min_size=1, max_size=20), st.integers(700_000, 2**30), st.data())
def test_members_that_fit_do_so_with_their_graphs(sizes: list[int], budget_bytes: int, data: st.DataObject):
    budget = Budget.of(sizes, budget_bytes, "auto")
    order = data.draw(st.permutations(range(len(sizes))))
    taken = budget.fill(order)
    # 250 kB, and 400 kB for the graph of each member.
    assert sum(sizes[member] + 400_000 for member in np.flatnonzero(taken)) + 250_000 <= budget_bytes or not any(taken)
    assert budget.fits(taken[None].astype(float))[0] or not any(taken)
    assert Budget.of(sizes, budget_for_all(sizes, "auto"), "auto").fill(order).all()


@pytest.mark.parametrize(
    ("sizes", "budget_bytes", "members"), [([20_000] * 20, 2_000_000, 4), ([45_000] * 6, 1_500_000, 2)]
)
def test_graphs_leave_room_for_few_small_members(sizes: list[int], budget_bytes: int, members: int):
    budget = Budget.of(sizes, budget_bytes, "auto")
    assert budget.fill(range(len(sizes))).sum() == members
    weights = np.tril(np.ones((len(sizes), len(sizes))))
    assert budget.fits(weights).sum() == members


def test_a_small_member_does_not_keep_a_large_one_out():
    assert Budget.of([20_000] * 10 + [1_000_000], 2_000_000, "auto").fill([10]).any()


def test_a_budget_that_graphs_use_up_is_refused_with_what_may_help():
    with pytest.raises(BudgetError, match=r"\(0 bytes without those of graphs\)\. .*quantize further\.$"):
        budget_of({Offer("a", "8"): 100_000}, 600_000, "auto")
    with pytest.raises(BudgetError, match=r"state ensemble\.search\.size_margin\.$"):
        budget_of({Offer("a", "8"): 100_000}, 700_000, "auto")


@pytest.mark.parametrize(("margin", "needed"), [(0.5, 1500), (0.0, 1000)])
def test_a_budget_for_all_holds_all(margin: float, needed: int):
    assert needed <= budget_for_all([400, 600], margin) <= needed + 1
    assert Budget.of([400, 600], budget_for_all([400, 600], margin), margin).fill([0, 1]).all()


def test_a_budget_below_every_member_names_the_smallest():
    with pytest.raises(BudgetError, match=r"budget_bytes = 200 .* smallest is 'small' with 300 bytes"):
        budget_of({Offer("big", "8"): 900, Offer("small", "8"): 300}, 200, 0.01)


def test_the_frontier_has_what_no_smaller_ensemble_reaches():
    sizes = np.array([5, 1, 3, 3, 7, 2])
    gaps = np.array([0.7, 0.5, 0.6, 0.65, 0.7, 0.4])
    assert pareto_frontier(sizes, gaps).tolist() == [1, 3, 0]
