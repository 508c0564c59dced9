"""Settings of Keras that the user's other projects need change nothing here, or are refused before anything runs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.support.paths import REPOSITORY, SMOKE
from tests.support.python import run_python
from tests.support.videos import video_of, write_shard
from yt8m.errors import ConfigError
from yt8m.keras_settings import check_backend

SETTINGS = {
    "floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first", "backend": "theano",
    "max_epochs": 1, "max_steps_per_epoch": 1,
}  # fmt: skip
RECIPE: dict[str, Any] = {
    "name": "own",
    "data": {"holdout_shards": 1, "spec": {"features": {"rgb": 4, "audio": 2}, "num_classes": 5, "max_frames": 4}},
    "training": {"epochs": 2, "batch_size": 4},
    "families": {
        "dbof": {"candidates": {"dbof": {"model": {"architecture": "dbof", "num_clusters": 8, "hidden_units": 4}}}}
    },
    "quantization": {"threshold_elements": 10},
    "ensemble": {"search": {"trials": 4, "budget_bytes": 5_000_000}},
}


def home_with(folder: Path, **settings: object) -> Path:
    (folder / ".keras").mkdir(parents=True)
    (folder / ".keras" / "keras.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["HOME", "KERAS_HOME"])
def test_settings_of_the_user_do_not_reach_a_process(tmp_path: Path, variable: str) -> None:
    home = home_with(tmp_path, **SETTINGS)
    code = """
import yt8m, keras
from keras.src.backend import config
print(keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format(), keras.config.backend())
print(config.max_epochs(), config.max_steps_per_epoch())
"""
    environment = {name: value for name, value in os.environ.items() if name not in ("KERAS_HOME", "KERAS_BACKEND")}
    environment |= {variable: str(home if variable == "HOME" else home / ".keras"), "KERAS_MAX_EPOCHS": "1"}
    printed = run_python(code, env=environment, cwd=REPOSITORY)
    assert printed.splitlines() == ["float32 1e-07 channels_last tensorflow", "None None"]


@pytest.mark.parametrize("backend", ["torch", "theano", "TensorFlow", "openvino"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", str(SMOKE), "--root", "root"],
        ["plan", str(SMOKE)],
        ["evaluate", "--model", ".", "--input", "*"],
        ["predict", "--model", ".", "--input", "*", "--output", "out.csv"],
        ["data", "check", "*"],
        ["rerun", "root", "prepare"],
    ],
)
def test_another_backend_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], backend: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments, env={"KERAS_BACKEND": backend})
    assert result.exit_code == 2
    assert f"KERAS_BACKEND: expected tensorflow or jax, received '{backend}'" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_commands_that_need_no_models_do_not_care(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["status", str(tmp_path)], env={"KERAS_BACKEND": "torch"})
    assert "KERAS_BACKEND" not in result.stderr


def test_a_backend_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr("yt8m.keras_settings.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="the package jax is not installed"):
        check_backend()
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setattr("yt8m.keras_settings.find_spec", lambda name: name if name == "tensorflow" else None)
    check_backend()


def write_recipe(folder: Path, *shards: str) -> Path:
    """Write a small recipe and its shards."""
    for number, name in enumerate(shards):
        videos = [video_of(10 * number + n, num_frames=1 + n % 4, labels=[n % 5]) for n in range(8)]
        write_shard(folder / f"{name}.tfrecord", videos)
    data = {"training": [f"{folder}/train*"], "validation": [f"{folder}/validate*"], **RECIPE["data"]}
    recipe = folder / "recipe.yaml"
    recipe.write_text(json.dumps(RECIPE | {"data": data}))
    return recipe


def run_recipe(recipe: Path, root: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pipelines", "run", str(recipe), "--root", str(root)]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_runs_have_the_same_results_with_and_without_settings_of_the_user(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, "train0", "train1", "validate0", "validate1")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KERAS_")}
    gaps = []
    for name, settings in (("plain", {}), ("float16", SETTINGS), ("float64", SETTINGS | {"floatx": "float64"})):
        home = home_with(tmp_path / name, **settings)
        run_recipe(recipe, home / "root", environment | {"HOME": str(home)})
        gaps.append(json.loads((home / "root" / "summary.json").read_text())["final"]["gap"])
    assert gaps[0] == gaps[1] == gaps[2]


@pytest.mark.slow
def test_a_run_with_jax_ends_with_an_exported_model(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, "train0", "validate0", "validate1")
    run_recipe(recipe, tmp_path / "root", {**os.environ, "KERAS_BACKEND": "jax"})
    assert (tmp_path / "root" / "export" / "saved_model.pb").exists()
