"""Properties of a model of any architecture."""

from functools import cache

import keras
import numpy as np
import pytest

from tests.models.single_steps import train_once, trainer
from yt8m.data.format import DataSpec
from yt8m.models import build, build_from_bytes


@cache
def untrained(config, spec_json):
    keras.utils.set_random_seed(3)
    return build_from_bytes(config, DataSpec.model_validate_json(spec_json))


@pytest.fixture
def model(config, small):
    """Return a model that tests must not change."""
    return untrained(config, small.spec.model_dump_json())


def test_probabilities_are_float32_between_0_and_1(model, small):
    predicted = small.predict(model, small.videos())
    assert predicted.shape == (4, 7)
    assert predicted.dtype == np.float32
    assert predicted.min() >= 0
    assert predicted.max() <= 1


def test_padding_does_not_change_the_prediction(model, small):
    videos = small.videos()
    longer = np.random.default_rng(9).integers(0, 256, (4, 13, 16), np.uint8)  # padding is random
    for row, video, count in zip(longer, videos["frames"], videos["num_frames"], strict=True):
        row[:count] = video[:count]
    padded = small.predict(model, {"frames": longer, "num_frames": videos["num_frames"]})
    np.testing.assert_allclose(padded, small.predict(model, videos), atol=1e-6)


def test_the_rest_of_the_batch_does_not_change_the_prediction(model, small):
    videos = small.videos()
    others = small.videos(seed=1)
    others["frames"][2], others["num_frames"][2] = videos["frames"][2], videos["num_frames"][2]
    np.testing.assert_allclose(small.predict(model, others)[2], small.predict(model, videos)[2], atol=1e-6)


def test_only_recurrent_models_see_the_order_of_frames(model, config, small):
    videos = small.videos(num_frames=(9, 8, 7, 6))
    shuffled = videos["frames"].copy()
    for video, count in zip(shuffled, videos["num_frames"], strict=True):
        video[:count] = video[:count][::-1]
    change = np.abs(small.predict(model, {**videos, "frames": shuffled}) - small.predict(model, videos)).max()
    assert change > 1e-5 if config.architecture == "rnn" else change < 1e-6


def test_every_real_frame_takes_part(model, config, small):
    """Changing any real frame changes the prediction."""
    if getattr(config, "pooling", None) == "max":
        pytest.skip("a maximum does not depend on every frame")
    videos = small.videos(num_frames=(9,))
    changed = np.repeat(videos["frames"], 10, axis=0)
    for t in range(9):
        changed[t, t] = 255 - changed[t, t]
    predicted = small.predict(model, {"frames": changed, "num_frames": np.full(10, 9, np.int32)})
    assert (np.abs(predicted[:9] - predicted[9]).max(axis=1) > 1e-7).all()


@pytest.mark.parametrize(
    "name", ["dbof", pytest.param("nextvlad", marks=pytest.mark.slow)]
)  # sampled frames; sampled frames and dropout
def test_the_same_seed_gives_the_same_training(name, small):
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        model = build_from_bytes(small.configs[name], small.spec)
        train_once(trainer(model, keras.optimizers.SGD(0.01)), small.videos())
        weights.append(model.get_weights())
    for first, second in zip(*weights, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)


# Every layer that takes statistics over frames.
@pytest.mark.parametrize(
    "name",
    [
        "netfv",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("dbof_max", "nextvlad", "rnn_gru_per_feature")),
    ],
)
def test_padding_does_not_change_training_on_all_frames(name, small):
    """Batch statistics ignore padding, too."""
    config = small.without_randomness(small.configs[name])
    videos = small.videos()
    longer = np.concatenate([videos["frames"], np.full((4, 3, 16), 77, np.uint8)], axis=1)
    weights = []
    for batch in (videos, {**videos, "frames": longer}):
        keras.utils.set_random_seed(5)
        model = build_from_bytes(config, small.spec)
        train_once(trainer(model, keras.optimizers.SGD(0.1)), batch)
        weights.append(model.get_weights())
    for first, second in zip(*weights, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5)


def test_weights_have_the_same_names_from_bytes_and_from_floats(model, config, small):
    core = build(config, small.spec)
    names = [weight.path for weight in core.weights]
    assert names == [weight.path for weight in model.weights]
    assert len(set(names)) == len(names)


def test_penalties_fall_on_the_heads_matrices_only(model, config):
    squares = sum(
        float(np.square(np.asarray(weight)).sum())
        for weight in model.weights
        if weight.path.startswith("head/") and weight.path.endswith("kernel")
    )
    np.testing.assert_allclose(float(sum(model.losses)), config.head.l2_penalty * squares / 2, rtol=1e-5)
