import keras
import numpy as np
import pytest

from yt8m.models.head import (
    LogisticConfig,
    MixtureOfExpertsConfig,
    SoftmaxConfig,
    classify,
    has_exclusive_classes,
    set_initial_predictions,
)

PROBABILITIES = np.array([0.001, 0.02, 0.3, 0.6])


@pytest.mark.parametrize("head", [LogisticConfig(), MixtureOfExpertsConfig(), MixtureOfExpertsConfig(num_mixtures=5)])
def test_the_initial_predictions_of_a_head_can_be_set(head):
    features = keras.Input((8,))
    network = keras.Model(features, classify(features, head, len(PROBABILITIES)))
    set_initial_predictions(network, PROBABILITIES)
    np.testing.assert_allclose(network(np.zeros((3, 8)))[1], PROBABILITIES, rtol=1e-5)


def test_initial_predictions_are_limited_by_the_gate_of_the_constant_expert():
    features = keras.Input((8,))
    network = keras.Model(features, classify(features, MixtureOfExpertsConfig(num_mixtures=1), 2))
    set_initial_predictions(network, [0.9, 0.4])
    np.testing.assert_allclose(network(np.zeros((1, 8)))[0], [0.495, 0.4], rtol=1e-5)


def test_softmax_first_predicts_the_shares_of_the_classes():
    features = keras.Input((8,))
    network = keras.Model(features, classify(features, SoftmaxConfig(), 4))
    set_initial_predictions(network, [0.1, 0.2, 0.3, 0.6])
    np.testing.assert_allclose(network(np.zeros((1, 8)))[0], np.array([0.1, 0.2, 0.3, 0.6]) / 1.2, rtol=1e-5)


def test_only_networks_with_a_softmax_head_have_exclusive_classes():
    features = keras.Input((8,))
    found = {
        head.kind: has_exclusive_classes(keras.Model(features, classify(features, head, 4)))
        for head in (LogisticConfig(), MixtureOfExpertsConfig(), SoftmaxConfig())
    }
    assert found == {"logistic": False, "moe": False, "softmax": True}
