"""Batch statistics against NumPy, from the inputs of the layers."""

import keras
import numpy as np
import pytest

from tests.training import toy
from yt8m.data.format import DataSpec
from yt8m.layers.batch_normalization import BatchNormalization
from yt8m.models import build_from_bytes
from yt8m.models.dbof import DBoFConfig
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.epoch_end import batch_statistics
from yt8m.training.epoch_end.batch_statistics import BatchStatistics, batch_normalizations, read_state
from yt8m.training.loop import fit
from yt8m.training.steps import Steps
from yt8m.training.training_model import TrainingModel

BATCHES, B, T, D = 5, 8, 4, 3
MEASURED = toy.CONFIG.model_copy(update={"batch_norm_momentum": None})


def normalized(x, layer):
    """Normalize `(N, D)` by its own mean and variance."""
    scaled = (x - x.mean(0)) / np.sqrt(x.var(0) + layer.epsilon)
    return scaled * np.asarray(layer.gamma) + np.asarray(layer.beta)


class Batches:
    """Batches as a data set returns them."""

    def __init__(self, batches: list) -> None:
        self._batches = batches

    def take(self, count: int) -> "Batches":
        return Batches(self._batches[:count])

    def as_numpy_iterator(self):
        return iter(self._batches)


def two_layers() -> keras.Model:
    """Build a network of two batch normalizations with a dense layer between them."""
    keras.utils.set_random_seed(3)
    x = keras.Input((D,), name="frames")
    hidden = keras.layers.Dense(6, name="dense")(keras.layers.BatchNormalization(name="first")(x))
    return keras.Model({"frames": x}, BatchNormalization(name="second")(hidden))


def some_batches(sizes=(B,) * BATCHES):
    random = np.random.default_rng(7)
    scale = random.uniform(1, 5, D)
    return [({"frames": (random.normal(size=(n, D)) * scale + 2).astype(np.float32)}, {}) for n in sizes]


def test_the_statistics_are_those_of_all_videos_together():
    network, batches = two_layers(), some_batches()
    BatchStatistics(network, lambda: Batches(batches), B).measure()
    first, dense, second = (network.get_layer(name) for name in ("first", "dense", "second"))
    x = [inputs["frames"].astype(np.float64) for inputs, _ in batches]
    np.testing.assert_allclose(first.moving_mean, np.concatenate(x).mean(0), rtol=1e-5)
    np.testing.assert_allclose(first.moving_variance, np.concatenate(x).var(0), rtol=1e-5)
    kernel, bias = np.asarray(dense.kernel, np.float64), np.asarray(dense.bias)
    hidden = np.concatenate([normalized(each, first) @ kernel + bias for each in x])
    np.testing.assert_allclose(second.moving_mean, hidden.mean(0), atol=1e-5)
    np.testing.assert_allclose(second.moving_variance, hidden.var(0), rtol=1e-4)


def test_padding_takes_no_part():
    frames = keras.Input((T, D), name="frames")
    mask = keras.Input((T,), dtype="bool", name="mask")
    network = keras.Model({"frames": frames, "mask": mask}, BatchNormalization(name="norm")(frames, frame_mask=mask))
    random = np.random.default_rng(1)
    videos = random.normal(size=(BATCHES, B, T, D)).astype(np.float32)
    # Every batch has as many real frames as the others.
    real = np.stack([random.permutation(np.arange(B * T) < 20).reshape(B, T) for _ in range(BATCHES)])
    videos[~real] = 1e3
    batches: list[tuple[dict, dict]] = [
        ({"frames": each, "mask": part}, {}) for each, part in zip(videos, real, strict=True)
    ]
    BatchStatistics(network, lambda: Batches(batches), B).measure()
    norm = network.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean, videos[real].mean(0), atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, videos[real].var(0), rtol=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.999])
def test_the_momentum_and_earlier_statistics_do_not_matter(momentum):
    networks, batches = [two_layers(), two_layers()], some_batches()
    for layer in batch_normalizations(networks[1]):
        layer.momentum = momentum
        layer.moving_mean.assign(layer.moving_mean + 5)
    for network in networks:
        BatchStatistics(network, lambda: Batches(batches), B).measure()
    for one, other in zip(toy.weights(networks[0]), toy.weights(networks[1]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_at_most_2000_videos_are_measured(monkeypatch):
    network, batches = two_layers(), some_batches()
    monkeypatch.setattr(batch_statistics, "STATISTICS_VIDEOS", 2 * B + 1)
    BatchStatistics(network, lambda: Batches(batches), B).measure()
    three = np.concatenate([inputs["frames"] for inputs, _ in batches[:3]])
    np.testing.assert_allclose(network.get_layer("first").moving_mean, three.mean(0), rtol=1e-5)
    assert len(batches) > 3


def test_random_states_stay_as_they_are():
    spec = DataSpec(features={"rgb": D}, num_classes=4, max_frames=T)
    network = build_from_bytes(DBoFConfig(num_clusters=4, hidden_units=3, num_sampled_frames=2), spec)
    random = np.random.default_rng(1)
    frames = random.integers(0, 256, (BATCHES, B, T, D), np.uint8)
    batches: list[tuple[dict, dict]] = [
        ({"frames": each, "num_frames": np.full(B, T, np.int32)}, {}) for each in frames
    ]
    statistics = {
        id(each) for layer in batch_normalizations(network) for each in (layer.moving_mean, layer.moving_variance)
    }
    others = [number for number, each in enumerate(network.non_trainable_variables) if id(each) not in statistics]
    before = read_state(network)
    assert others
    BatchStatistics(network, lambda: Batches(batches), B).measure()
    after = read_state(network)
    for number, (one, other) in enumerate(zip(before, after, strict=True)):
        assert (one == other).all() == (number in others), network.non_trainable_variables[number].path
    BatchStatistics(network, lambda: Batches(batches), B).measure()
    for one, other in zip(after, read_state(network), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_network_without_batch_normalization_reads_nothing():
    x = keras.Input((D,), name="frames")
    BatchStatistics(keras.Model({"frames": x}, keras.layers.Dense(2)(x)), lambda: None, B).measure()


def unscaled_network() -> keras.Model:
    """Build a network whose inputs, bytes, are far from a mean of 0 and a variance of 1."""
    keras.utils.set_random_seed(3)
    frames = keras.Input((toy.T, toy.D), dtype="uint8", name="frames")
    num_frames = keras.Input((), dtype="int32", name="num_frames")
    x = keras.ops.mean(keras.ops.cast(frames, "float32"), axis=1)
    x = keras.layers.BatchNormalization(momentum=0.999)(x)
    x = keras.layers.Dense(toy.C, activation="sigmoid")(x)
    return keras.Model({"frames": frames, "num_frames": num_frames}, x)


def test_a_short_training_predicts_the_holdout_as_well_as_its_training_videos(tmp_path):
    config = MEASURED.model_copy(update={"epochs": 2, "learning_rate": 0.1})
    gaps = []
    for momentum in (None, 0.999):
        record = fit(
            TrainingModel(unscaled_network()),
            toy.read_epoch,
            steps=Steps.of(toy.VIDEOS, config.epochs, toy.B),
            config=config.model_copy(update={"batch_norm_momentum": momentum}),
            checkpoint=Checkpoint(str(tmp_path / str(momentum)), "d" * 64),
            description="toy",
            sample=toy.Sample(),
        )
        gaps.append((record.curve[-1].gap, record.curve[-1].holdout_gap))
    (training, measured), (same, moved) = gaps
    assert training == same
    assert measured > training - 0.1
    assert moved < training - 0.1


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_averaged_weights_have_statistics_of_their_own(tmp_path, decay):
    model, _ = toy.train(str(tmp_path), MEASURED, averaging_decay=decay)
    norm = model.network.get_layer("norm")
    frames, num_frames, _ = toy.videos(1)
    order = np.random.default_rng(0).permutation(toy.VIDEOS)[: toy.VIDEOS // toy.B * toy.B]
    x = frames[order].astype(np.float64).sum(1) / 128 - toy.T
    x = x / num_frames[order][:, None]
    np.testing.assert_allclose(norm.moving_mean, x.mean(0), atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, x.var(0), rtol=1e-4)
    again, _ = toy.train(str(tmp_path), MEASURED, averaging_decay=decay)
    for one, other in zip(toy.weights(model.network), toy.weights(again.network), strict=True):
        np.testing.assert_array_equal(one, other)
