"""Where training starts: the spread of every family's matrices."""

import keras
import numpy as np
import pytest

from yt8m.models import build
from yt8m.records.spec import DataSpec

SPEC = DataSpec(features={"rgb": 64, "audio": 32}, num_classes=10, max_frames=4)
K = 32


def spreads(small, family, **fields):
    """Standard deviation and number of inputs of every matrix outside the head, by name."""
    keras.utils.set_random_seed(0)
    model = build(small.parse({"family": family, "num_clusters": K, "hidden_units": 48, **fields}), SPEC)
    matrices = {weight.path: np.asarray(weight) for weight in model.weights if len(weight.shape) == 2}
    return {
        name: (values.std(), len(values)) for name, values in matrices.items() if not name.startswith(("head", "label"))
    }


@pytest.mark.parametrize(
    ("family", "fields"),
    [("netvlad", {"context_gating": True}), ("netfv", {"context_gating": True}), ("dbof", {"cluster_divisor": 2})],
)
def test_the_winners_matrices_start_at_one_over_the_root_of_their_inputs_or_clusters(small, family, fields):
    for name, (spread, inputs) in spreads(small, family, **fields).items():
        expected = (K if name == "hidden/dense/kernel" else inputs) ** -0.5
        assert spread == pytest.approx(expected, rel=0.1), name


def test_nextvlads_matrices_start_at_the_root_of_two_over_their_inputs(small):
    for name, (spread, inputs) in spreads(small, "nextvlad").items():
        assert spread == pytest.approx((2 / inputs) ** 0.5, rel=0.15), name


def test_nextvlads_head_is_penalized_as_the_authors_is(small):
    config = small.parse({"family": "nextvlad", "num_clusters": K, "hidden_units": 8})
    assert (config.head.kind, config.head.l2_penalty) == ("logistic", 1e-5)
