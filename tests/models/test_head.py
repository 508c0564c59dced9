import keras
import numpy as np
import pytest

from yt8m.models.head import LogisticConfig, MixtureOfExpertsConfig, classify, start_at

PROBABILITIES = np.array([0.001, 0.02, 0.3, 0.6])


@pytest.mark.parametrize("head", [LogisticConfig(), MixtureOfExpertsConfig(), MixtureOfExpertsConfig(num_mixtures=5)])
def test_a_head_starts_at_given_probabilities(head):
    features = keras.Input((8,))
    network = keras.Model(features, classify(features, head, len(PROBABILITIES)))
    start_at(network, PROBABILITIES)
    np.testing.assert_allclose(network(np.zeros((3, 8)))[1], PROBABILITIES, rtol=1e-5)


def test_a_start_beyond_what_the_gates_let_through_is_the_most_there_is():
    features = keras.Input((8,))
    network = keras.Model(features, classify(features, MixtureOfExpertsConfig(num_mixtures=1), 2))
    start_at(network, [0.9, 0.4])
    np.testing.assert_allclose(network(np.zeros((1, 8)))[0], [0.495, 0.4], rtol=1e-5)
