"""Small models of every architecture, and random videos."""

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import TypeAdapter

from yt8m.data.format import DataSpec
from yt8m.models import ARCHITECTURES, ModelConfig

SPEC = DataSpec(features={"rgb": 12, "audio": 4}, num_classes=7, max_frames=9)

MOE = {"kind": "moe", "label_gating": "probabilities"}
SMALL: dict[str, dict[str, Any]] = {
    "netvlad": {"architecture": "netvlad", "num_clusters": 6, "hidden_units": 5, "context_gating": True, "head": MOE},
    "netfv": {"architecture": "netfv", "num_clusters": 6, "hidden_units": 5, "context_gating": True, "head": MOE},
    "dbof": {"architecture": "dbof", "num_clusters": 16, "hidden_units": 5},
    "dbof_max": {
        "architecture": "dbof",
        "pooling": "max",
        "num_clusters": 16,
        "hidden_units": 5,
        "hidden_batch_norm": True,
        "hidden_relu6": True,
    },
    "dbof_average": {"architecture": "dbof", "pooling": "average", "num_clusters": 16, "hidden_units": 5},
    "rnn": {"architecture": "rnn", "units": 6},
    "rnn_gru_per_feature": {
        "architecture": "rnn",
        "cell": "gru",
        "branches": "per_feature",
        "units": 8,
        "unit_divisor": 4,
    },
    "nextvlad": {"architecture": "nextvlad", "num_clusters": 6, "hidden_units": 5, "num_groups": 4, "dropout": 0.5},
    "logistic": {"architecture": "logistic"},
    "logistic_softmax": {"architecture": "logistic", "head": {"kind": "softmax"}},
}


def parse(data):
    return TypeAdapter(ModelConfig).validate_python(data)


def random_videos(seed=0, num_frames=(9, 9, 4, 1), max_frames=9, padding=0):
    """Generate videos of random bytes `(B, T, 16)`, filled with `padding` after the real frames."""
    frames = np.random.default_rng(seed).integers(0, 256, (len(num_frames), max_frames, 16), np.uint8)
    for video, count in zip(frames, num_frames, strict=True):
        video[count:] = padding
    return {"frames": frames, "num_frames": np.array(num_frames, np.int32)}


def randomize(model, seed=0):
    """Assign a random value to every weight, including batch statistics, and return the values by name."""
    draw = np.random.default_rng(seed)
    weights = {}
    for variable in model.weights:
        shape, name = tuple(variable.shape), variable.path.rpartition("/")[2]
        value = draw.normal(0, 1 / np.sqrt(shape[0]), shape)
        if name in ("gamma", "moving_variance", "deviations"):
            value = draw.uniform(0.5, 2, shape)
        elif name in ("beta", "moving_mean", "bias"):
            value = draw.normal(0, 0.3, shape)
        weights[variable.path] = value.astype(np.float32)
        variable.assign(weights[variable.path])
    return weights


def without_randomness(config):
    """Return the configuration without randomness in training: no sampled frames and no dropout."""
    changes = {"num_sampled_frames": "all", "dropout": 0.0}
    return config.model_copy(update={name: changes[name] for name in changes.keys() & type(config).model_fields})


def predict(model, videos):
    """Predict probabilities `(B, C)` in the way that needs the least compilation."""
    return model.predict_on_batch(videos) if keras.backend.backend() == "jax" else np.asarray(model(videos))


@pytest.fixture(scope="session")
def small():
    """Return small `configs` of every architecture by name, their `spec`, and the functions above."""
    assert {config["architecture"] for config in SMALL.values()} == set(ARCHITECTURES)
    configs = {name: parse(data) for name, data in SMALL.items()}
    return SimpleNamespace(
        configs=configs,
        spec=SPEC,
        parse=parse,
        videos=random_videos,
        randomize=randomize,
        without_randomness=without_randomness,
        predict=predict,
    )


@pytest.fixture(params=SMALL)
def config(request):
    """Return a small configuration of every architecture in turn."""
    return parse(SMALL[request.param])
