"""Properties of single pooling layers. Their values are compared in tests/models/test_parity.py."""

import keras
import numpy as np
import pytest

from yt8m.layers.classic_dbof import ClassicDBoF
from yt8m.layers.cluster_assignment import ClusterAssignment
from yt8m.layers.context_gate import ContextGate
from yt8m.layers.dbof import DBoF
from yt8m.layers.feature_pooling import AverageFrames
from yt8m.layers.l2_normalization import l2_normalize
from yt8m.layers.netfv import NetFV
from yt8m.layers.netvlad import NetVLAD
from yt8m.layers.nextvlad import NeXtVLAD
from yt8m.layers.recurrent_encoder import RecurrentEncoder

FRAMES = np.random.default_rng(0).normal(0, 1, (3, 7, 8)).astype(np.float32)
MASK = np.arange(7) < np.array([7, 4, 1])[:, None]

POOLINGS = {
    "netvlad": (lambda: NetVLAD(5), 40),
    "lightvlad": (lambda: NetVLAD(5, centers=False), 40),
    "netfv": (lambda: NetFV(5), 80),
    "dbof": (lambda: DBoF(5, gated=True), 5),
    "dbof with maximum": (lambda: DBoF(5, add_maximum=True), 10),
    "classic max": (lambda: ClassicDBoF(5, "max"), 5),
    "classic average": (lambda: ClassicDBoF(5, "average"), 5),
    "nextvlad": (lambda: NeXtVLAD(5, num_groups=4), 20),
    "average": (AverageFrames, 8),
    "recurrent": (lambda: RecurrentEncoder(6), 6),
    "recurrent with projection": (lambda: RecurrentEncoder(6, "gru", projection=True), 6),
}


@pytest.mark.parametrize(("make", "size"), POOLINGS.values(), ids=POOLINGS)
def test_no_mask_means_all_frames_are_real(make, size):
    layer = make()
    described = np.asarray(layer(FRAMES))
    assert described.shape == layer.compute_output_shape(FRAMES.shape) == (3, size)
    np.testing.assert_allclose(layer(FRAMES, frame_mask=np.ones((3, 7), bool)), described, atol=1e-6)


@pytest.mark.parametrize(("make", "size"), POOLINGS.values(), ids=POOLINGS)
def test_masked_frames_take_no_part(make, size):
    layer = make()
    masked = np.asarray(layer(FRAMES, frame_mask=MASK))
    np.testing.assert_allclose(masked[1:2], layer(FRAMES[1:2, :4]), atol=1e-6)


def test_descriptors_have_unit_norm():
    for layer, norm in ((NetVLAD(5), 1), (DBoF(5), 1), (NetFV(5), 2**0.5)):
        np.testing.assert_allclose(np.linalg.norm(layer(FRAMES, frame_mask=MASK), axis=-1), norm, rtol=1e-5)


def test_assignments_sum_to_one_on_real_frames_and_are_zero_on_padding():
    assignment = np.asarray(ClusterAssignment(5)(FRAMES, frame_mask=MASK))
    np.testing.assert_allclose(assignment.sum(-1), MASK, atol=1e-6)


def test_grouped_assignments_sum_to_one_in_every_group():
    assignment = np.asarray(ClusterAssignment(5, num_groups=3)(FRAMES)).reshape(3, 7, 3, 5)
    np.testing.assert_allclose(assignment.sum(-1), 1, atol=1e-6)


def test_a_gate_without_diagonal_ignores_its_own_input():
    gate = ContextGate(4, remove_diagonal=True)
    x = np.random.default_rng(1).normal(0, 1, (1, 4)).astype(np.float32)
    before = np.asarray(gate(x))
    x[0, 2] += 5
    after = np.asarray(gate(x))
    assert after[0, 2] == pytest.approx(before[0, 2], abs=1e-6)
    assert abs(after - before)[0, [0, 1, 3]].min() > 1e-4


def test_only_a_square_matrix_has_a_diagonal():
    with pytest.raises(AssertionError, match="square"):
        ContextGate(4, remove_diagonal=True).build((None, 3))


def test_zero_vectors_stay_zero_and_do_not_spoil_training():
    class Scale(keras.layers.Layer):
        def build(self, inputs_shape):  # noqa: ARG002
            self.factor = self.add_weight(name="factor", shape=(3,), initializer="ones")

        def call(self, inputs):
            return l2_normalize(inputs * self.factor)

    inputs = keras.Input((3,))
    model = keras.Model(inputs, Scale()(inputs))
    zeros = np.zeros((2, 3), np.float32)
    assert not np.asarray(model(zeros)).any()
    model.compile("sgd", "mse", jit_compile="auto" if keras.backend.backend() == "jax" else False)
    model.train_on_batch(zeros, np.ones((2, 3), np.float32))
    assert np.isfinite(model.get_weights()[0]).all()
