"""Features may have any name in the records, whatever Keras and TensorFlow accept as names of layers."""

import re

import numpy as np
import pytest

from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError
from yt8m.models import build_from_bytes
from yt8m.models.files import load_model, save_model
from yt8m.models.flops import count_flops
from yt8m.models.head import set_initial_predictions
from yt8m.models.pooled import layer_name
from yt8m.models.sizes import measure

# Besides other characters: names of other layers, and names that differ only in characters that layers cannot have.
NAMES = (
    "image/rgb", "image:rgb", "rgb embedding", "bild größe", "[final]", ".hidden", "2d", "100%", "a#codes", "動画", "_",
    "head", "pooling", "frames", "input_normalization", "sample_frames", "gates", "..", "{x}", "'", "RGB", "rgb",
    "x" * 300,
)  # fmt: skip
AWKWARD = DataSpec(features=dict.fromkeys(NAMES, 4), num_classes=7, max_frames=9)


@pytest.mark.parametrize("name", ["rgb", "audio", "inc3", "mean_rgb", "rgb.v2", "RGB-1", "2d", ".x"])
def test_ordinary_names_stay(name):
    assert layer_name(name) == name


def test_layers_have_different_names_of_ordinary_characters():
    made = list(map(layer_name, NAMES))
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", each) for each in made)
    assert made[0].startswith("image_rgb-")


def test_weights_of_every_architecture_have_names_of_their_own(config):
    names = [name for name, _ in measure(config, AWKWARD).weights]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", name) for name in names)


@pytest.mark.slow
def test_models_of_every_architecture_have_features_of_any_name(config, tmp_path):
    model = build_from_bytes(config, AWKWARD)
    set_initial_predictions(model, np.full(7, 0.1))
    frames = np.random.default_rng(0).integers(0, 256, (2, 9, AWKWARD.num_features), np.uint8)
    inputs = {"frames": frames, "num_frames": np.array([9, 4], np.int32)}
    predicted = model.predict_on_batch(inputs)
    save_model(tmp_path / "model", model, config, AWKWARD)
    loaded = load_model(tmp_path / "model")
    assert loaded.spec == AWKWARD
    np.testing.assert_array_equal(loaded.model.predict_on_batch(inputs), predicted)


def test_operations_are_counted_whatever_the_names(small):
    ordinary = DataSpec(features={"rgb": 12, "audio": 4}, num_classes=7, max_frames=9)
    odd = DataSpec(features={"gate": 12, "rgb/gates": 4}, num_classes=7, max_frames=9)
    for name in ("dbof", "netvlad", "nextvlad", "rnn_gru_per_feature"):
        counted = count_flops(small.configs[name], odd)
        assert counted.inference_flops == count_flops(small.configs[name], ordinary).inference_flops


@pytest.mark.parametrize("name", ["", "rgb\n", "\0"])
def test_names_without_characters_or_with_control_characters_are_refused(name):
    with pytest.raises(ConfigError, match="features: expected the features' keys in the records, received "):
        DataSpec(features={"rgb": 4, name: 4})


@pytest.mark.parametrize("name", [*NAMES, "1", "yes", "null", "a: b", "- a", "? x", "&a", "{{$.x}}", "a, b", '"', "\\"])
def test_names_pass_through_the_text_of_a_configuration(name):
    spec = DataSpec(features={"rgb": 4, name: 3} if name != "rgb" else {"rgb": 4}, ranges={name: (0.0, 1.0)})
    assert DataSpec.parse_changes(spec.dump_changes(), "test") == spec
