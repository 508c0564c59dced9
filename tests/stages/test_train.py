import math
import shutil
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.predictions import assert_same_predictions
from tests.support.python import modules_after
from tests.support.weights import read_weights
from yt8m.data.partition import Partition
from yt8m.data.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest
from yt8m.errors import ConfigError, DataError
from yt8m.identity import folder_digest
from yt8m.models.files import load_model
from yt8m.predictions import Predictions
from yt8m.stages.evaluate import EvaluateConfig, evaluate
from yt8m.stages.result import StageResult
from yt8m.stages.soft_targets import SoftTargetsConfig, soft_targets
from yt8m.stages.train import TrainConfig, train
from yt8m.training.callbacks import TrainingCallback
from yt8m.training.epoch_end.holdout_sample import HoldoutSample, SampleFigures
from yt8m.training.provenance import Provenance
from yt8m.training.training_model import TrainingModel

from .conftest import MODEL, TRAINING


def config_of(label_weight: float = 0.5, evaluation: EvaluateConfig | None = None, **training):
    measuring = (evaluation or EvaluateConfig()).model_dump()
    data = {"model": MODEL, "training": TRAINING | training, "label_weight": label_weight, "evaluation": measuring}
    return TrainConfig.parse(data, "test")


def execute(partition: Path, config: TrainConfig, folder: Path, targets: Sequence[Path] = ()):
    return train(
        partition=partition,
        config=config,
        output=folder / "model",
        predictions=folder / "predictions",
        checkpoint_uri=str(folder / "checkpoints"),
        tensorboard_uri=str(folder / "logs"),
        soft_targets=targets,
    )


def run(partition: Path, folder: Path, label_weight: float = 0.5, targets: Path | None = None, **training):
    result = execute(partition, config_of(label_weight, **training), folder, [targets] if targets else [])
    return result, read_weights(folder / "model")


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_figures_curve_and_model(small_partition, tmp_path):
    result, weights = run(small_partition, tmp_path)
    own = {"training_loss", "training_gap", "kept_epoch", "epochs_done", "seconds", "videos_per_second", "steps"}
    own |= {"parameters"}
    measured = {"gap", "gap_top_k", "map", "hit_at_1", "perr", "loss", "videos", "baseline_gap", "bytes"}
    measured |= {"gap_low", "gap_high", "gap_error", "gain_error", "gap_select", "select_videos"}
    speed = {"evaluation_seconds", "evaluation_videos_per_second"}
    assert set(result.metrics) == own | measured | speed
    assert all(type(value) is float and math.isfinite(value) for value in result.metrics.values())
    assert result.metrics["steps"] == 8
    assert [point["step"] for point in result.details["curve"]] == list(range(1, 9))
    assert load_model(tmp_path / "model").config.architecture == "dbof"
    assert result.metrics["parameters"] == sum(weight.size for weight in weights.values())
    assert result.metrics["epochs_done"] == 2
    assert Provenance.load(tmp_path / "model").examples == 16 * result.metrics["kept_epoch"]


@pytest.mark.slow
def test_the_best_epoch_becomes_the_model_and_the_record_is_about_it(small_partition, tmp_path, monkeypatch):
    gaps = iter([0.3, 0.6, 0.5, 0.4, 0.9])
    # Automatic values would depend on the number of epochs.
    fixed: dict[str, Any] = {"decay_examples": 16, "warmup_steps": 0}
    settings: dict[str, Any] = {"patience": 2, "keep": "best", "epochs": 5, **fixed}
    with monkeypatch.context() as patch:
        patch.setattr(HoldoutSample, "measure", lambda *_, **__: SampleFigures(next(gaps), 1.0))
        result, weights = run(small_partition, tmp_path / "best", **settings)
    expected = {"kept_epoch": 2, "epochs_done": 4, "steps": 16}
    assert {name: result.metrics[name] for name in expected} == expected
    points = {point["step"]: point for point in result.details["curve"]}
    assert [points[step].get("holdout_gap") for step in (3, 4, 8, 12, 16)] == [None, 0.3, 0.6, 0.5, 0.4]
    assert result.metrics["training_gap"] == points[8]["gap"]
    assert result.metrics["training_loss"] == points[8]["loss"]
    assert Provenance.load(tmp_path / "best" / "model").examples == 32
    last, expected_weights = run(small_partition, tmp_path / "last", epochs=2, keep="last", **fixed)
    assert_same(weights, expected_weights)
    assert result.metrics["gap"] == last.metrics["gap"]


@pytest.mark.slow
def test_the_curve_has_the_figures_of_the_holdout_that_the_evaluation_finds(small_partition, tmp_path):
    # GAP of 2 predictions per video is another one than that of the default.
    config = config_of(evaluation=EvaluateConfig(gap_top_k=2), keep="last", batch_norm_momentum=None)
    result = execute(small_partition, config, tmp_path)
    # The hold-out is small and not divided, so that the sample is all of it.
    assert result.details["curve"][-1]["holdout_gap"] == pytest.approx(result.metrics["gap"], abs=1e-6)
    assert result.details["curve"][-1]["holdout_loss"] == pytest.approx(result.metrics["loss"], rel=1e-5)


@pytest.mark.parametrize("precision", ["float32", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)])
def test_the_evaluation_is_that_of_the_saved_model(small_partition, tmp_path, precision):
    result, _ = run(small_partition, tmp_path, precision=precision)
    alone = evaluate(
        partition=small_partition,
        model=tmp_path / "model",
        config=EvaluateConfig(),
        predictions=tmp_path / "alone",
    )
    for name in ("gap", "map", "hit_at_1", "perr", "loss", "videos", "baseline_gap", "bytes"):
        assert result.metrics[name] == alone.metrics[name], name
    assert_same_predictions(tmp_path / "predictions", tmp_path / "alone")


@pytest.mark.slow
def test_measuring_leaves_the_weights_alone(small_partition, trained, tmp_path):
    config = config_of(evaluation=EvaluateConfig(batch_size=3, top_k=2))
    execute(small_partition, config, tmp_path)
    for name in ("weights.safetensors", "config.json", "training.json"):
        assert (tmp_path / "model" / name).read_bytes() == (trained / name).read_bytes(), name


@pytest.mark.parametrize("settings", [{}, {"batch_norm_momentum": None}, {"keep": "last", "batch_norm_momentum": None}])
@pytest.mark.slow
def test_a_training_whose_measuring_alone_changed_trains_nothing(small_partition, tmp_path, no_training, settings):
    first = execute(small_partition, config_of(**settings), tmp_path)
    before = folder_digest(tmp_path / "model")
    shutil.rmtree(tmp_path / "model")
    no_training()
    second = execute(
        small_partition, config_of(evaluation=EvaluateConfig(batch_size=11, top_k=3), **settings), tmp_path
    )
    assert folder_digest(tmp_path / "model") == before
    assert Predictions.load(tmp_path / "predictions").top_k == 3
    assert second.details["curve"] == first.details["curve"]
    for name in ("training_loss", "training_gap", "seconds", "videos_per_second", "steps", "parameters"):
        assert second.metrics[name] == first.metrics[name], name
    with pytest.raises(AssertionError, match="something was trained"):
        execute(small_partition, config_of(learning_rate=0.5), tmp_path)


@pytest.mark.slow
def test_a_training_whose_evaluation_failed_is_not_repeated(
    small_partition, trained, tmp_path, no_training, monkeypatch
):
    def fail(**_):
        raise DataError("the hold-out cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr("yt8m.stages.evaluate.evaluate", fail)
        with pytest.raises(DataError, match="the hold-out cannot be read"):
            execute(small_partition, config_of(), tmp_path)
    no_training()
    execute(small_partition, config_of(), tmp_path)
    assert folder_digest(tmp_path / "model") == folder_digest(trained)


@pytest.mark.slow
def test_the_training_needs_no_memory_while_the_model_is_measured(small_partition, tmp_path, monkeypatch):
    alive: list[weakref.ref] = []
    original = TrainingModel.__init__

    def remember(self, *arguments, **options):
        original(self, *arguments, **options)
        alive.append(weakref.ref(self))

    def measure(**_):
        assert len(alive) == 1
        assert alive[0]() is None
        return StageResult()

    monkeypatch.setattr(TrainingModel, "__init__", remember)
    monkeypatch.setattr("yt8m.stages.evaluate.evaluate", measure)
    run(small_partition, tmp_path)


@pytest.mark.slow
def test_the_same_configuration_gives_the_same_weights_and_another_seed_others(small_partition, trained, tmp_path):
    _, again = run(small_partition, tmp_path / "again")
    _, other = run(small_partition, tmp_path / "other", seed=4)
    assert_same(read_weights(trained), again)
    assert any((again[name] != other[name]).any() for name in again)


@pytest.mark.parametrize("memory_bytes", [0, pytest.param(1 << 20, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_an_interrupted_training_continues_in_its_data(small_partition, tmp_path, monkeypatch, memory_bytes):
    settings = {"memory_bytes": memory_bytes, "checkpoint_every_steps": 1, "seed": 0}
    _, whole = run(small_partition, tmp_path / "whole", **settings)
    original, steps = TrainingCallback.on_train_batch_end, 0

    def on_train_batch_end(self, batch, logs=None):
        nonlocal steps
        original(self, batch, logs)
        steps += 1
        if steps == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(TrainingCallback, "on_train_batch_end", on_train_batch_end)
        run(small_partition, tmp_path / "cut", **settings)
    assert not (tmp_path / "cut" / "model").exists()
    _, continued = run(small_partition, tmp_path / "cut", **settings)
    assert_same(whole, continued)


@pytest.mark.slow
def test_trainings_of_several_configurations_share_a_folder(small_partition, trained, tmp_path):
    run(small_partition, tmp_path, learning_rate=0.5)
    _, weights = run(small_partition, tmp_path)
    assert_same(read_weights(trained), weights)
    for folder in ("checkpoints", "logs"):
        assert len(list((tmp_path / folder).iterdir())) == 2


def targets_of(partition, teacher, folder, top_k=None, **part):
    manifest = folder / f"{top_k}-{part.get('worker', 'all')}.json"
    soft_targets(
        partition=partition,
        models={"teacher": teacher},
        selection=None,
        config=SoftTargetsConfig(batch_size=4, encoding=SoftTargetEncoding(top_k=top_k)),
        output_uri=str(folder / f"targets{part.get('worker', '')}"),
        output=manifest,
        **part,
    )
    return manifest


@pytest.mark.slow
def test_a_student_learns_the_same_from_one_part_and_from_several(small_partition, trained, tmp_path, no_training):
    parts = [targets_of(small_partition, trained, tmp_path, worker=worker, workers=2) for worker in range(2)]
    execute(small_partition, config_of(), tmp_path, parts)
    before = folder_digest(tmp_path / "model")
    whole = targets_of(small_partition, trained, tmp_path)
    no_training()
    for targets in ([whole], parts[::-1]):
        execute(small_partition, config_of(), tmp_path, targets)
        assert folder_digest(tmp_path / "model") == before


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
def test_a_damaged_sidecar_stops_a_training_before_its_first_step(small_partition, trained, tmp_path, memory_bytes):
    targets = targets_of(small_partition, trained, tmp_path)
    sidecar = Path(list(SoftTargetManifest.load(targets).sidecars.values())[-1])
    sidecar.write_bytes(sidecar.read_bytes()[:-1])
    with pytest.raises(DataError, match=rf"^{sidecar}: damaged at byte .* Rerun the node that wrote it"):
        run(small_partition, tmp_path, targets=targets, memory_bytes=memory_bytes)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.slow
def test_a_student_with_full_label_weight_learns_as_its_teacher(small_partition, trained, tmp_path):
    targets = targets_of(small_partition, trained, tmp_path)
    _, labels_only = run(small_partition, tmp_path / "one", 1.0, targets)
    assert_same(read_weights(trained), labels_only)
    _, mixed = run(small_partition, tmp_path / "half", 0.5, targets)
    assert any((mixed[name] != labels_only[name]).any() for name in mixed)
    _, streamed = run(small_partition, tmp_path / "streamed", 0.5, targets, memory_bytes=0)
    assert all(np.isfinite(weight).all() for weight in streamed.values())


@pytest.mark.slow
def test_a_student_of_nearly_complete_top_k_learns_as_one_of_dense_targets(small_partition, trained, tmp_path):
    # With nine of ten classes stored, the rest is exactly the tenth class. With one class, information is lost.
    targets = {top_k: targets_of(small_partition, trained, tmp_path, top_k) for top_k in (None, 9, 1)}
    dense, nine, one = (run(small_partition, tmp_path / f"{k}", 0.5, path, epochs=1)[1] for k, path in targets.items())
    for name, weight in dense.items():
        np.testing.assert_allclose(nine[name], weight, atol=1e-3, err_msg=name)
    assert any(np.abs(one[name] - dense[name]).max() > 1e-3 for name in dense)


@pytest.mark.slow
def test_biases_can_start_at_the_class_frequencies(small_partition, tmp_path):
    _, weights = run(small_partition, tmp_path, initial_bias="class_frequencies", learning_rate=1e-9)
    partition = Partition.load(small_partition)
    frequencies = (np.array(partition.class_counts) + 0.5) / (partition.num_training_videos + 1)
    assert len(set(partition.class_counts)) > 1
    started = 1 / (1 + np.exp(-weights["head/dense/bias"]))
    np.testing.assert_allclose(started, frequencies, rtol=1e-4)


@pytest.mark.slow
def test_bfloat16_trains_float32_weights(small_partition, tmp_path):
    result, weights = run(small_partition, tmp_path, precision="mixed_bfloat16")
    assert math.isfinite(result.metrics["training_loss"])
    assert {weight.dtype for weight in weights.values()} == {np.dtype(np.float32)}


@pytest.mark.slow
def test_tensorboard_logs_are_written_to_the_given_folder(small_partition, tmp_path):
    run(small_partition, tmp_path, epochs=1)
    assert list((tmp_path / "logs").rglob("events.*"))


def test_a_batch_larger_than_the_training_set_is_an_error(small_partition, tmp_path):
    with pytest.raises(ConfigError, match=r"batch_size: 64, but there are only 18"):
        run(small_partition, tmp_path, batch_size=64)


def test_soft_targets_of_other_data_are_refused(small_partition, trained, tmp_path):
    targets = targets_of(small_partition, trained, tmp_path)
    targets.write_text(targets.read_text().replace('"partition_digest": "', '"partition_digest": "0'))
    with pytest.raises(DataError, match="made for partition"):
        run(small_partition, tmp_path, targets=targets)


def test_configurations_load_without_keras():
    modules = ", ".join(f"yt8m.stages.{name}" for name in ("train", "average", "evaluate", "soft_targets"))
    assert not {"keras", "tensorflow"} & modules_after(f"import {modules}")
