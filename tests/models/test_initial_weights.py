"""Initial weights: the winners' distributions, and Glorot's, the default of Keras and TensorFlow, elsewhere."""

from functools import cache

import keras
import numpy as np
import pytest

from yt8m.data.format import DataSpec
from yt8m.models import build

RGB, AUDIO, K, H, C = 256, 100, 64, 200, 50
SPEC = DataSpec(features={"rgb": RGB, "audio": AUDIO}, num_classes=C)
POOLED = {"num_clusters": K, "hidden_units": H, "cluster_divisor": 2}
GATED = {**POOLED, "context_gating": True}
MODELS = {
    "netvlad": {"architecture": "netvlad", **GATED, "head": {"kind": "moe", "label_gating": "probabilities"}},
    "netfv": {"architecture": "netfv", **GATED, "head": {"kind": "moe", "label_gating": "input"}},
    "dbof": {"architecture": "dbof", **POOLED},
    "dbof, classic": {"architecture": "dbof", **POOLED, "pooling": "max", "hidden_batch_norm": True},
    "dbof, maximum": {"architecture": "dbof", **POOLED, "add_maximum": True},
    "logistic": {"architecture": "logistic"},
    "lstm": {"architecture": "rnn", "units": 8},
    "gru": {"architecture": "rnn", "cell": "gru", "units": 8},
    "gru, per feature": {
        "architecture": "rnn",
        "cell": "gru",
        "units": 128,
        "branches": "per_feature",
        "unit_divisor": 2,
        "state_gating": True,
    },
}


def glorot(inputs, outputs):
    return (2 / (inputs + outputs)) ** 0.5


HIDDEN = {"hidden/dense/kernel": (0, K**-0.5), "hidden/dense/bias": (0, 0.01)}
ASSIGNMENTS = {"pooling/rgb/assignment/kernel": (0, RGB**-0.5), "pooling/audio/assignment/kernel": (0, AUDIO**-0.5)}
CENTERS = {"pooling/rgb/centers": (0, RGB**-0.5), "pooling/audio/centers": (0, AUDIO**-0.5)}
MIXTURE = {"head/gates/kernel": (0, glorot(H, 3 * C)), "head/experts/kernel": (0, glorot(H, 2 * C))}
CONTEXT_GATE = {"context_gate/kernel": (0, H**-0.5)}

# Mean and standard deviation of each matrix, by model and weight.
SPREADS = {
    "netvlad": {**ASSIGNMENTS, **CENTERS, **HIDDEN, **CONTEXT_GATE, **MIXTURE, "label_gate/kernel": (0, C**-0.5)},
    "netfv": {
        **ASSIGNMENTS,
        **CENTERS,
        **HIDDEN,
        **CONTEXT_GATE,
        **MIXTURE,
        "label_gate/kernel": (0, C**-0.5),  # not the root of its inputs, which are H
        "pooling/rgb/deviations": (1, RGB**-0.5),
        "pooling/audio/deviations": (1, AUDIO**-0.5),
    },
    "dbof": {
        **ASSIGNMENTS,
        **HIDDEN,
        **MIXTURE,
        "pooling/rgb/gate_projection/kernel": (0, RGB**-0.5),  # not the root of its inputs, which are K
        "pooling/rgb/gate/kernel": (0, RGB**-0.5),
    },
    "dbof, classic": {**ASSIGNMENTS, "hidden/dense/kernel": (0, K**-0.5), **MIXTURE},
    "logistic": {"head/dense/kernel": (0, glorot(RGB + AUDIO, C))},
    "gru, per feature": {
        "pooling/rgb/projection/kernel": (0, glorot(RGB, 128)),
        "pooling/audio/projection/kernel": (0, glorot(AUDIO, 64)),
        "state_gate/kernel": (0, 192**-0.5),
        "state_gate/bias": (0, 192**-0.5),
    },
}
SPREADS["dbof, maximum"] = SPREADS["dbof"]

CONSTANTS = {"gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1, "bias": 0}


@cache
def weights_of(name, parse):
    keras.utils.set_random_seed(0)
    return {weight.path: np.asarray(weight) for weight in build(parse(MODELS[name]), SPEC).weights}


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in SPREADS.items() for path in paths])
def test_matrices_have_their_published_spread(name, path, small):
    mean, deviation = SPREADS[name][path]
    weight = weights_of(name, small.parse)[path]
    assert np.std(weight) == pytest.approx(deviation, rel=0.12)
    assert np.mean(weight) == pytest.approx(mean, abs=deviation / 4)


@pytest.mark.parametrize("name", [name for name in SPREADS if "gru" not in name])
def test_everything_else_starts_at_its_neutral_value(name, small):
    weights = weights_of(name, small.parse)
    for path in weights.keys() - SPREADS[name].keys():
        assert (weights[path] == CONSTANTS[path.rpartition("/")[2]]).all(), path


@pytest.mark.parametrize("layer", ["bidirectional/forward_half", "bidirectional/backward_half", "forward"])
def test_an_lstm_forgets_nothing_at_first(layer, small):
    """The order of the gates is input, forget, candidate, output."""
    bias = weights_of("lstm", small.parse)[f"pooling/frames/{layer}/lstm_cell/bias"]
    for gate, value in zip(np.split(bias, 4), [0, 1, 0, 0], strict=True):
        np.testing.assert_array_equal(gate, value)


@pytest.mark.parametrize("layer", ["bidirectional/forward_half", "bidirectional/backward_half", "forward"])
@pytest.mark.parametrize(("name", "feature"), [("gru", "frames"), ("gru, per feature", "audio")])
def test_a_gru_starts_with_open_gates(name, feature, layer, small):
    """The order of the gates is update, reset, candidate."""
    bias = weights_of(name, small.parse)[f"pooling/{feature}/{layer}/gru_cell/bias"]
    for gate, value in zip(np.split(bias, 3), [1, 1, 0], strict=True):
        np.testing.assert_array_equal(gate, value)


def test_nextvlads_matrices_start_at_the_root_of_two_over_their_inputs(small):
    keras.utils.set_random_seed(0)
    config = small.parse({"architecture": "nextvlad", "num_clusters": 32, "hidden_units": 48})
    spec = DataSpec(features={"rgb": 64, "audio": 32}, num_classes=10, max_frames=4)
    for weight in build(config, spec).weights:
        if len(weight.shape) == 2 and not weight.path.startswith("head"):
            assert np.std(weight) == pytest.approx((2 / weight.shape[0]) ** 0.5, rel=0.15), weight.path


def test_nextvlads_head_is_penalized_as_the_authors_is(small):
    config = small.parse({"architecture": "nextvlad", "num_clusters": 32, "hidden_units": 8})
    assert (config.head.kind, config.head.l2_penalty) == ("logistic", 1e-5)
