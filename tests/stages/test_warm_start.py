"""Trainings that start with the weights of a trained model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.weights import read_weights
from yt8m.data.partition import Partition
from yt8m.errors import DataError
from yt8m.stages.train import TrainConfig, train
from yt8m.training.provenance import Provenance

from .conftest import MODEL, TRAINING

# A step that moves no weight by more than rounding.
STILL = {"epochs": 1, "learning_rate": 1e-12, "batch_norm_momentum": 0.5}


def train_from(
    start: Path, partition: Path, folder: Path, **model: Any
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    config = TrainConfig.parse({"model": MODEL | model, "training": TRAINING | STILL}, "test")
    result = train(
        partition=partition,
        config=config,
        output=folder / "model",
        predictions=folder / "predictions",
        checkpoint_uri=str(folder / "checkpoints"),
        start=start,
    )
    return result.details["start"], read_weights(folder / "model")


def with_classes(partition: Path, classes: int, target: Path) -> Path:
    """Write the partition for another number of classes."""
    found = Partition.load(partition)
    counts = (*found.class_counts, *[0] * classes)[:classes]
    found.model_copy(
        update={"spec": found.spec.model_copy(update={"num_classes": classes}), "class_counts": counts}
    ).save(target)
    return target


def test_all_weights_of_an_equal_model_are_taken(trained: Path, small_partition: Path, tmp_path: Path) -> None:
    details, weights = train_from(trained, small_partition, tmp_path)
    before = read_weights(trained)
    assert details == {"weights": len(before), "head": True}
    # It knows the videos of both trainings.
    assert Provenance.load(tmp_path / "model").seen == 2 * Provenance.load(trained).seen
    for name, value in before.items():
        if "moving" not in name:
            np.testing.assert_allclose(weights[name], value, atol=1e-6, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["classes", pytest.param("kind of head", marks=pytest.mark.slow)])
def test_another_head_starts_anew(trained: Path, small_partition: Path, tmp_path: Path, change: str) -> None:
    partition, model = small_partition, {}
    if change == "classes":
        partition = with_classes(small_partition, 12, tmp_path / "partition")
    else:
        model = {"head": {"kind": "moe", "num_mixtures": 2}}
    details, weights = train_from(trained, partition, tmp_path, **model)
    before = read_weights(trained)
    kept = [name for name in before if not name.startswith("head/")]
    assert details == {"weights": len(kept), "head": False}
    for name in kept:
        if "moving" not in name:
            np.testing.assert_allclose(weights[name], before[name], atol=1e-6, err_msg=name)
    shared = [name for name in weights if name.startswith("head/") and name in before]
    assert all(weights[name].shape != before[name].shape for name in shared)


def test_other_sizes_are_refused_with_both_shapes(trained: Path, small_partition: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"cannot start from this model, because \d+ of its weights do not fit.*expected"
    ):
        train_from(trained, small_partition, tmp_path, num_clusters=4)
    assert not (tmp_path / "model").exists()


def test_other_features_are_refused(trained: Path, small_partition: Path, tmp_path: Path) -> None:
    found = Partition.load(small_partition)
    features = {f"other_{name}": size for name, size in found.spec.features.items()}
    spec = found.spec.model_copy(update={"features": features})
    found.model_copy(update={"spec": spec}).save(tmp_path / "partition")
    with pytest.raises(DataError, match="made for other videos"):
        train_from(trained, tmp_path / "partition", tmp_path)


def test_a_model_that_learned_from_hold_out_videos_is_refused_before_the_training(
    trained: Path, small_partition: Path, tmp_path: Path
) -> None:
    found = Partition.load(small_partition)
    # The same videos at another place, one training shard of which is held out now.
    moved = found.training[0].model_copy(update={"uri": "gs://elsewhere/shard"})
    changed = found.model_copy(update={"training": found.training[1:], "holdout": (*found.holdout, moved)})
    changed.save(tmp_path / "partition")
    with pytest.raises(DataError, match=r"gs://elsewhere/shard is a hold-out shard here, and was a training shard"):
        train_from(trained, tmp_path / "partition", tmp_path)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.slow
def test_a_checkpoint_of_random_weights_is_not_continued(trained: Path, small_partition: Path, tmp_path: Path) -> None:
    config = TrainConfig.parse({"model": MODEL, "training": TRAINING | STILL}, "test")
    for folder, start in (("cold", None), ("warm", trained)):
        train(
            partition=small_partition,
            config=config,
            output=tmp_path / folder,
            predictions=tmp_path / "predictions",
            checkpoint_uri=str(tmp_path / "checkpoints"),
            start=start,
        )
    cold, warm = read_weights(tmp_path / "cold"), read_weights(tmp_path / "warm")
    assert not np.allclose(cold["head/dense/kernel"], warm["head/dense/kernel"], atol=1e-3)
