"""Small inputs that several stages read, made once: a partition, a trained model, and an exported ensemble."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from yt8m.data.partition import Partition
from yt8m.stages.prepare import PrepareConfig, prepare

# Unequal shards, none a multiple of the batch.
TRAINING_VIDEOS = (7, 6, 5)
MODEL = {"architecture": "dbof", "num_clusters": 8, "hidden_units": 6, "pooling": "max", "head": {"kind": "logistic"}}
TRAINING = {"epochs": 2, "batch_size": 4, "learning_rate": 0.02, "batch_norm_momentum": 0.5, "seed": 3}


@pytest.fixture
def folder(tmp_path: Path, shards: SimpleNamespace) -> Path:
    """Write two training shards of 4 videos and three validation shards of 3 videos."""
    for n in range(2):
        videos = [shards.video_of(10 * n + i, labels=[i, 9]) for i in range(4)]
        shards.write(tmp_path / f"train{n}.tfrecord", videos)
    for n in range(3):
        videos = [shards.video_of(100 + 10 * n + i, labels=[5]) for i in range(3)]
        shards.write(tmp_path / f"validate{n}.tfrecord", videos)
    return tmp_path


@pytest.fixture(scope="session")
def small_partition(tmp_path_factory, shards: SimpleNamespace) -> Path:
    """Make a partition of three training shards and a hold-out shard; the labels of videos depend on their bytes."""
    folder = tmp_path_factory.mktemp("small")

    def videos(first: int, count: int) -> list:
        made = []
        for number in range(first, first + count):
            label = int(np.random.default_rng(number).integers(0, 256) // 86)
            made.append(shards.video_of(number, num_frames=1 + number % 5, labels=[label, 9]))
        return made

    for index, count in enumerate(TRAINING_VIDEOS):
        shards.write(folder / f"train{index}.tfrecord", videos(100 * index, count))
    shards.write(folder / "validate0.tfrecord", videos(900, 11))
    config = PrepareConfig(
        training=(f"{folder}/train*",),
        validation=(f"{folder}/validate*",),
        holdout_shards=1,
        report_share=0,
        spec=shards.spec,
    )
    prepare(config=config, output=folder / "partition.json")
    assert Partition.load(folder / "partition.json").num_training_videos == sum(TRAINING_VIDEOS)
    return folder / "partition.json"


def train_small(folder: Path, partition: Path, **training: Any) -> Path:
    """Train a small model and return its folder."""
    from yt8m.stages.train import TrainConfig, train  # noqa: PLC0415 - most tests do without

    train(
        partition=partition,
        config=TrainConfig.parse({"model": MODEL, "training": TRAINING | training}, "test"),
        output=folder / "model",
        predictions=folder / "predictions",
        checkpoint_uri=str(folder / "checkpoints"),
    )
    return folder / "model"


@pytest.fixture(scope="session")
def trained(tmp_path_factory, small_partition: Path) -> Path:
    """Train a small model and return its folder."""
    return train_small(tmp_path_factory.mktemp("trained"), small_partition)


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after whose call every read of a training batch and every training step is an error."""

    def forbid() -> None:
        # These import Keras.
        from yt8m.data.reading import VideosInMemory  # noqa: PLC0415
        from yt8m.training import run  # noqa: PLC0415
        from yt8m.training.callbacks import TrainingCallback  # noqa: PLC0415
        from yt8m.training.training_model import TrainingModel  # noqa: PLC0415

        def fail(*_: object, **__: object) -> None:
            raise AssertionError("something was trained")

        for owner, name in (
            (run, "read_videos"),
            (VideosInMemory, "__init__"),
            (TrainingModel, "train_step"),
            (TrainingCallback, "on_train_batch_end"),
        ):
            monkeypatch.setattr(owner, name, fail)

    return forbid


@pytest.fixture(scope="session")
def toy_models(tmp_path_factory) -> dict[str, Path]:
    """Write three small quantized models and return their folders by name."""
    from tests.support.toy_ensemble import BITS, SHARES, write_quantized_model  # noqa: PLC0415 - imports Keras

    root = tmp_path_factory.mktemp("models")
    return {name: write_quantized_model(root / name, seed, BITS[name]) for seed, name in enumerate(SHARES)}


@pytest.fixture(scope="session")
def toy_weights(tmp_path_factory) -> Path:
    """Write the ensemble weights of `toy_models` and return their file."""
    from tests.support.toy_ensemble import SHARES, write_weights  # noqa: PLC0415 - imports Keras

    return write_weights(tmp_path_factory.mktemp("weights") / "weights.json", SHARES)


@pytest.fixture(scope="session", params=["load", pytest.param("compact", marks=pytest.mark.slow)])
def exported(request, toy_models, toy_weights, tmp_path_factory) -> Path:
    """Export the ensemble of `toy_models` in each mode and return its folder; the card is beside it."""
    from tests.support.toy_ensemble import export_ensemble  # noqa: PLC0415 - imports Keras

    return export_ensemble(toy_models, toy_weights, tmp_path_factory.mktemp(request.param), mode=request.param)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """Export an ensemble of two small models and return its folder."""
    from tests.support.toy_ensemble import (  # noqa: PLC0415 - imports Keras
        export_ensemble,
        write_quantized_model,
        write_weights,
    )

    root = tmp_path_factory.mktemp("model")
    members = {name: write_quantized_model(root / name, seed) for seed, name in enumerate(["one", "two"])}
    weights = write_weights(root / "weights.json", {"one": 0.5, "two": 0.5})
    return export_ensemble(members, weights, root)
