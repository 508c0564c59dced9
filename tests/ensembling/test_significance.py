import numpy as np
import pytest

from tests.support.predictions import members
from yt8m.ensembling.scores import EnsembleScores
from yt8m.ensembling.significance import gain_standard_error

ONE, OTHER = np.array([0.9, 0.1]), np.array([0.1, 0.9])


def test_the_error_is_the_spread_of_the_gain_over_samples_of_videos():
    gains, errors = [], []
    for seed in range(40):
        scores = EnsembleScores(members(2, videos=300, seed=seed))
        first, second = scores.gaps([ONE, OTHER])
        gains.append(first - second)
        errors.append(gain_standard_error(scores, ONE, OTHER))
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.3)


def test_the_same_weights_have_no_error():
    assert gain_standard_error(EnsembleScores(members(2)), ONE, ONE) == 0.0


def test_the_error_of_a_single_video_is_infinite():
    assert gain_standard_error(EnsembleScores(members(2, videos=1)), ONE, OTHER) == float("inf")
