import numpy as np
import pytest

from tests.support.predictions import gap_of_mean, members
from yt8m.ensembling.scores import TRIALS_AT_ONCE, EnsembleScores


def weights_of(trials: int, num_members: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(num_members), trials)


@pytest.mark.parametrize("num_members", [1, 2, 5])
@pytest.mark.parametrize("top_k", [60, 25])
def test_gap_is_that_of_the_mean_over_all_classes(num_members: int, top_k: int):
    found = members(num_members, top_k=top_k)
    weights = weights_of(5, num_members)
    expected = [gap_of_mean(found, w) for w in weights]
    assert EnsembleScores(found).gaps(weights) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("levels", [1, 2, 4, 8])
def test_many_equal_scores_are_counted_by_the_rules_of_the_metric(levels: int):
    found = members(2, levels=levels)
    # These weights cause no rounding, so that ties do not depend on the order of summation.
    weights = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    expected = [gap_of_mean(found, w) for w in weights]
    assert EnsembleScores(found).gaps(weights) == pytest.approx(expected, abs=1e-12)


def test_weight_on_one_member_is_that_member():
    found = members(3)
    expected = [gap_of_mean([member], np.ones(1)) for member in found]
    assert EnsembleScores(found).gaps(np.eye(3)) == pytest.approx(expected, abs=1e-12)


def test_the_mean_of_identical_members_is_the_member():
    found = members(1) * 3
    gaps = EnsembleScores(found).gaps([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-6)


def test_fewer_classes_than_the_top_k_all_count():
    found = members(2, classes=7, top_k=7)
    weights = weights_of(3, 2)
    assert EnsembleScores(found).gaps(weights) == pytest.approx([gap_of_mean(found, w) for w in weights], abs=1e-6)


def test_members_may_store_different_depths():
    found = [members(2, top_k=60)[0], members(2, top_k=30)[1]]
    weights = weights_of(3, 2)
    assert EnsembleScores(found).gaps(weights) == pytest.approx([gap_of_mean(found, w) for w in weights], abs=1e-6)


def test_a_part_of_the_videos_is_scored_alone():
    found = members(3)
    rows = np.random.default_rng(1).permutation(400)[:150]
    weights = weights_of(1, 3)
    assert EnsembleScores(found, rows).gaps(weights)[0] == pytest.approx(gap_of_mean(found, weights[0], rows), abs=1e-6)


def test_the_numbers_of_labels_are_those_of_the_videos_of_the_keys():
    found = members(2, classes=19, top_k=19)
    scores = EnsembleScores(found)
    # With all classes among the top 20, every label is a hit.
    hits = (scores.top_keys(np.array([[0.5, 0.5]], np.float32)).reshape(400, 19) & 1).sum(axis=1)
    assert scores.positives.tolist() == hits.tolist()
    assert hits.std() > 0


def test_batches_and_threads_change_nothing():
    found = members(4)
    weights = weights_of(TRIALS_AT_ONCE + 3, 4)
    done: list[int] = []
    gaps = EnsembleScores(found, threads=1).gaps(weights, done.append)
    alone = [EnsembleScores(found, threads=3).gaps(w)[0] for w in weights]
    assert gaps == pytest.approx(alone, abs=1e-6)
    assert done == [TRIALS_AT_ONCE, 3]


def test_candidates_that_cannot_enter_the_top_are_left_out():
    found = members(3, classes=300, top_k=300, noise=0.3)
    scores = EnsembleScores(found)
    everything = 400 * 300 * (3 + 1) * 4
    assert scores.size_bytes < everything / 4


def test_truncation_costs_less_the_more_classes_are_stored():
    full = members(5, videos=1000, classes=300, top_k=300)
    weights = weights_of(4, 5)
    exact = EnsembleScores(full).gaps(weights)
    errors = []
    for top_k in (20, 50, 100, 300):
        truncated = members(5, videos=1000, classes=300, top_k=top_k)
        errors.append(float(np.abs(EnsembleScores(truncated).gaps(weights) - exact).max()))
    # Errors at K = 20, 50, 100, 300.
    assert errors[0] < 5e-3
    assert errors[1] < 5e-4
    assert errors[2] < 5e-5
    assert errors[3] == 0
    assert errors == sorted(errors, reverse=True)
