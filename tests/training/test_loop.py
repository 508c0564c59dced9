import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import keras
import numpy as np
import pytest

from tests.support.paths import REPOSITORY
from tests.training import toy
from yt8m.errors import ConfigError, DataError, StorageError
from yt8m.training.callbacks import TrainingCallback
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.loop import fit
from yt8m.training.steps import Steps
from yt8m.training.training_model import TrainingModel


class InterruptedTrainingError(Exception):
    pass


@contextmanager
def interrupted_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Interrupt the training in this context after some steps."""
    original = TrainingCallback.on_train_batch_end
    left = steps

    def on_train_batch_end(self, batch, logs=None):
        nonlocal left
        original(self, batch, logs)
        left -= 1
        if left == 0:
            raise InterruptedTrainingError

    with monkeypatch.context() as patch, suppress(InterruptedTrainingError):
        patch.setattr(TrainingCallback, "on_train_batch_end", on_train_batch_end)
        yield
    assert left == 0


def assert_same_weights(first: keras.Model, second: keras.Model) -> None:
    for one, other in zip(toy.weights(first), toy.weights(second), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return toy.train(str(tmp_path_factory.mktemp("uninterrupted")))


def test_same_seed_same_weights(uninterrupted, tmp_path):
    again, record = toy.train(str(tmp_path))
    assert_same_weights(uninterrupted[0].network, again.network)
    assert record.curve == uninterrupted[1].curve


def test_training_learns_and_the_curve_says_so(uninterrupted):
    _, record = uninterrupted
    assert (record.epoch, record.step) == (3, 0)
    assert [point.step for point in record.curve] == list(range(1, 13))
    assert record.curve[-1].examples == 96
    assert record.curve[-1].loss < record.curve[3].loss
    assert json.dumps(record.curve_as_json())


def test_the_learning_rate_falls_in_stairs_of_examples(uninterrupted):
    rates = [point.learning_rate for point in uninterrupted[1].curve]
    # 40 examples are 5 steps. The rate recorded at a step is the one of the next step.
    assert rates == pytest.approx([0.01] * 4 + [0.008] * 5 + [0.0064] * 3)


@pytest.mark.parametrize("steps", [3, 11])
def test_an_interrupted_training_ends_as_if_it_had_not_been(uninterrupted, tmp_path, monkeypatch, steps):
    config = toy.CONFIG.model_copy(update={"checkpoint_every_steps": 2})
    with interrupted_after(steps, monkeypatch):
        toy.train(str(tmp_path), config)
    model, record = toy.train(str(tmp_path), config)
    assert_same_weights(uninterrupted[0].network, model.network)
    assert record.curve == uninterrupted[1].curve


def test_a_finished_training_is_not_repeated(uninterrupted, tmp_path, monkeypatch):
    toy.train(str(tmp_path))
    monkeypatch.setattr(toy, "read_epoch", None)
    model, record = toy.train(str(tmp_path))
    assert_same_weights(uninterrupted[0].network, model.network)
    assert record.epoch == 3


@pytest.mark.slow
def test_averages_survive_an_interruption(tmp_path, monkeypatch):
    config = toy.CONFIG.model_copy(update={"checkpoint_every_steps": 2})
    whole, _ = toy.train(str(tmp_path / "whole"), config, averaging_decay=0.8)
    with interrupted_after(7, monkeypatch):
        toy.train(str(tmp_path / "cut"), config, averaging_decay=0.8)
    continued, _ = toy.train(str(tmp_path / "cut"), config, averaging_decay=0.8)
    assert_same_weights(whole.network, continued.network)


def test_checkpoints_of_several_trainings_lie_side_by_side(uninterrupted, tmp_path):
    toy.train(str(tmp_path), toy.CONFIG.model_copy(update={"learning_rate": 0.5}), digest="e" * 64)
    other = (tmp_path / f"checkpoint-{'e' * 16}.npz").read_bytes()
    model, _ = toy.train(str(tmp_path))
    assert_same_weights(uninterrupted[0].network, model.network)
    assert (tmp_path / f"checkpoint-{'e' * 16}.npz").read_bytes() == other


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04rubbish"])
def test_a_damaged_checkpoint_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / f"checkpoint-{'d' * 16}.npz"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=f"{path.name}: unusable checkpoint"):
        toy.train(str(tmp_path))


def test_an_infinite_loss_stops_the_training(tmp_path):
    config = toy.CONFIG.model_copy(update={"learning_rate": 1e38, "clip_norm": None})
    with pytest.raises(ConfigError, match="loss became"):
        toy.train(str(tmp_path), config)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("short", [0, 1])
def test_an_epoch_with_fewer_videos_than_promised_is_an_error_at_its_end(tmp_path, short):
    model = TrainingModel(toy.network())
    with pytest.raises(DataError, match=rf"epoch {short + 1} ended after 3 steps .*run prepare again"):
        fit(
            model,
            lambda epoch, skip: toy.read_epoch(epoch, skip).take(3 if epoch == short else 4),
            steps=Steps(3, 4, toy.B),
            config=toy.CONFIG,
            checkpoint=Checkpoint(str(tmp_path), "d" * 64),
            description="toy",
        )


def test_less_than_a_batch_of_videos_is_an_error():
    with pytest.raises(ConfigError, match=r"batch_size: 8, but there are only 7"):
        Steps.of(7, 1, 8)


@pytest.mark.slow
def test_a_training_killed_at_any_moment_continues(uninterrupted, tmp_path):
    program = (
        "import itertools, sys, time, numpy as np\n"
        "from tests.training import toy\n"
        "from yt8m.training.callbacks import TrainingCallback\n"
        "original, batches = TrainingCallback.on_train_batch_end, itertools.count(1)\n"
        "def slow(self, batch, logs=None):\n"
        "    original(self, batch, logs)\n"
        "    time.sleep(3600 if next(batches) == 8 and 'halt' in sys.argv else 0.1)\n"
        "TrainingCallback.on_train_batch_end = slow\n"
        "model, _ = toy.train(sys.argv[1], toy.CONFIG.model_copy(update={'checkpoint_every_steps': 1}))\n"
        "np.savez(sys.argv[1] + '/weights.npz', *toy.weights(model.network))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    checkpoint = tmp_path / f"checkpoint-{'d' * 16}.npz"
    with subprocess.Popen([*command, "halt"], cwd=REPOSITORY, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.25)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert checkpoint.exists()
    assert not (tmp_path / "weights.npz").exists()
    subprocess.run(command, cwd=REPOSITORY, check=True, stderr=subprocess.DEVNULL, timeout=120)
    with np.load(tmp_path / "weights.npz") as arrays:
        for expected, name in zip(toy.weights(uninterrupted[0].network), arrays, strict=True):
            np.testing.assert_array_equal(arrays[name], expected)
