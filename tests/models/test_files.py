import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.models.single_steps import predict_and_descend
from tests.support.weights import read_weights
from yt8m.errors import ConfigError, DataError
from yt8m.models import build, build_from_bytes
from yt8m.models.files import assign_weights, load_model, read_description, save_model, save_weights
from yt8m.quantization.methods import quantize_array

OTHER_BACKEND = {"tensorflow": "jax", "jax": "tensorflow"}


@pytest.fixture
def saved(small, tmp_path):
    config = small.configs["dbof"]
    model = build_from_bytes(config, small.spec)
    save_model(tmp_path / "model", model, config, small.spec)
    return tmp_path / "model", model, config


def test_a_loaded_model_predicts_the_same(config, small, tmp_path):
    model = build_from_bytes(config, small.spec)
    save_model(tmp_path / "model", model, config, small.spec)
    loaded = load_model(tmp_path / "model")
    assert loaded.config == config
    assert loaded.spec == small.spec
    np.testing.assert_array_equal(small.predict(loaded.model, small.videos()), small.predict(model, small.videos()))


def test_a_model_on_floats_saves_the_same_files(small, tmp_path):
    config = small.configs["logistic"]
    model = build(config, small.spec)
    save_model(tmp_path / "model", model, config, small.spec)
    assert list(read_weights(tmp_path / "model")) == sorted(weight.path for weight in model.weights)


@pytest.mark.slow
@pytest.mark.both_backends
@pytest.mark.skipif(keras.backend.backend() not in OTHER_BACKEND, reason="no other backend to compare with")
def test_models_saved_on_one_backend_predict_and_learn_alike_on_the_other(small, tmp_path):
    other = OTHER_BACKEND[keras.backend.backend()]
    pytest.importorskip(other)
    videos = small.videos()
    np.savez(tmp_path / "videos.npz", **videos)
    folders = [tmp_path / name for name in small.configs]
    for folder, config in zip(folders, map(small.without_randomness, small.configs.values()), strict=True):
        model = build_from_bytes(config, small.spec)
        small.randomize(model)
        save_model(folder, model, config, small.spec)
    program = Path(__file__).parent / "single_steps.py"
    command = [sys.executable, str(program), str(tmp_path / "videos.npz"), *map(str, folders)]
    subprocess.run(command, env={**os.environ, "KERAS_BACKEND": other}, check=True)
    for folder in folders:
        here = predict_and_descend(folder, videos)
        with np.load(folder / "results.npz") as there:
            assert set(there) == set(here)
            for name, value in here.items():
                np.testing.assert_allclose(there[name], value, rtol=0, atol=1e-4, err_msg=f"{folder.name}: {name}")


def test_quantized_weights_are_read_as_floats(saved, small, tmp_path):
    folder, model, config = saved
    weights = read_weights(folder)
    name = "head/gates/kernel"
    quantized: dict[str, Any] = {**weights, name: quantize_array(weights[name])}
    save_weights(tmp_path / "quantized", quantized, config, small.spec)
    assert any("#codes" in key for key in load_file(tmp_path / "quantized" / "weights.safetensors"))
    read = read_weights(tmp_path / "quantized")[name]
    half_a_step = np.ptp(weights[name]) / 255 / 2
    assert 0 < np.abs(read - weights[name]).max() <= half_a_step * 1.001
    loaded = load_model(tmp_path / "quantized").model
    np.testing.assert_array_equal({weight.path: np.asarray(weight) for weight in loaded.weights}[name], read)
    np.testing.assert_allclose(loaded(small.videos()), model(small.videos()), atol=0.02)


def test_the_description_is_read_without_the_weights(saved, small):
    folder, _, config = saved
    (folder / "weights.safetensors").unlink()
    description = read_description(folder)
    assert description.model == config
    assert description.data == small.spec
    with pytest.raises(DataError, match=r"weights\.safetensors: missing"):
        load_model(folder)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no model here \(config\.json is missing\)"):
        load_model(tmp_path)


def test_a_configuration_from_elsewhere_is_refused_with_its_place(saved):
    folder, _, _ = saved
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"dbof"', '"dbuf"'))
    with pytest.raises(
        ConfigError, match=r"config\.json: model\.architecture: unknown model architecture 'dbuf'.*'dbof'"
    ):
        load_model(folder)


def test_a_folder_whose_configuration_says_family_is_read(saved, small):
    folder, model, config = saved
    path = folder / "config.json"
    assert path.read_text().count('"architecture"') == 1
    path.write_text(path.read_text().replace('"architecture"', '"family"'))
    loaded = load_model(folder)
    assert loaded.config == config
    np.testing.assert_array_equal(small.predict(loaded.model, small.videos()), small.predict(model, small.videos()))


def test_other_weights_than_the_configuration_asks_for_are_refused(saved):
    folder, model, _ = saved
    weights = read_weights(folder)
    bias = weights.pop("hidden/dense/bias")
    with pytest.raises(DataError, match=r"weights missing: hidden/dense/bias"):
        assign_weights(model, weights.items(), "x")
    with pytest.raises(DataError, match=r"unknown weight 'hidden/dense/bios'. Did you mean 'hidden/dense/bias'"):
        assign_weights(model, {"hidden/dense/bios": bias}.items(), "x")
    with pytest.raises(DataError, match=r"hidden/dense/bias: expected shape \(5,\), received \(6,\)"):
        assign_weights(model, {"hidden/dense/bias": np.zeros(6)}.items(), "x")


def test_a_damaged_weights_file_is_refused(saved):
    folder, _, _ = saved
    (folder / "weights.safetensors").write_bytes(b"no tensors")
    with pytest.raises(DataError, match=r"weights\.safetensors"):
        load_model(folder)


def test_a_weight_that_is_not_there_is_named(saved):
    folder, _, _ = saved
    tensors = load_file(folder / "weights.safetensors")
    del tensors["pooling/rgb/gate/kernel"]
    save_file(tensors, folder / "weights.safetensors")
    with pytest.raises(DataError, match=r"weights missing: pooling/rgb/gate/kernel"):
        load_model(folder)
