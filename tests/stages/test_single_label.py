"""Videos with exactly one label each: softmax heads from training to export, and accuracy."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.toy_ensemble import export_ensemble, write_weights
from tests.support.videos import Video, write_shard
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition
from yt8m.data.reading import read_videos
from yt8m.data.soft_target_manifest import SoftTargetEncoding
from yt8m.errors import ConfigError
from yt8m.export.description import ExportDescription
from yt8m.export.exported_model import ExportedModel
from yt8m.models.files import load_model
from yt8m.quantization.config import QuantizationConfig
from yt8m.stages.evaluate import EvaluateConfig, evaluate
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.stages.quantize import quantize_weights
from yt8m.stages.soft_targets import SoftTargetsConfig, soft_targets
from yt8m.stages.train import TrainConfig, train

from .conftest import MODEL, TRAINING

SPEC = DataSpec(features={"rgb": 4, "audio": 2}, num_classes=3, max_frames=4)
SOFTMAX = {"architecture": "logistic", "head": {"kind": "softmax"}}
LOGISTIC = {"architecture": "logistic"}
# Class 0 is as frequent as both others together.
CLASSES = (0, 1, 0, 2)


def video_of_class(number, label):
    """Make a video whose bytes are near those of its class."""
    near = np.random.default_rng(number).normal(0, 25, (2, 6)) + np.random.default_rng(label).integers(60, 200, 6)
    frames = np.clip(near, 0, 255).astype(np.uint8)
    parts = {"rgb": frames[:, :4], "audio": frames[:, 4:]}
    rows = {name: [row.tobytes() for row in values] for name, values in parts.items()}
    return Video(id=b"%04d" % number, labels=[label], frames=rows)


@pytest.fixture(scope="session")
def partition(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single")
    for name, first in (("train0", 0), ("train1", 100), ("validate0", 900)):
        videos = [video_of_class(first + number, CLASSES[number % 4]) for number in range(40)]
        write_shard(folder / f"{name}.tfrecord", videos)
    config = PrepareConfig(
        training=(f"{folder}/train*",), validation=(f"{folder}/validate*",), holdout_shards=1, spec=SPEC, report_share=0
    )
    prepare(config=config, output=folder / "partition.json")
    return folder / "partition.json"


def run(folder: Path, partition: Path, model: dict, targets: tuple[Path, ...] = (), **training):
    config = TrainConfig.parse({"model": model, "training": TRAINING | training}, "test")
    return train(
        partition=partition,
        config=config,
        output=folder / "model",
        predictions=folder / "predictions",
        checkpoint_uri=str(folder / "checkpoints"),
        soft_targets=targets,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory, partition):
    """Train a softmax model; return its metrics and its folder."""
    folder = tmp_path_factory.mktemp("softmax")
    return run(folder, partition, SOFTMAX).metrics, folder / "model"


def holdout(partition):
    shards = Partition.load(partition)
    return next(read_videos(shards.holdout_uris, shards.spec, batch_size=100).as_numpy_iterator())


def predicted(model, batch):
    inputs = {"frames": batch["frames"], "num_frames": batch["num_frames"]}
    return np.asarray(load_model(model).model(inputs, training=False))


def test_figures_are_those_of_one_distribution_per_video(trained, partition):
    metrics, model = trained
    batch = holdout(partition)
    p, labels = predicted(model, batch), batch["labels"]
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    found = evaluate(partition=partition, model=model, config=EvaluateConfig(batch_size=7), predictions=None).metrics
    classes = labels.argmax(axis=1)
    right = p.argmax(axis=1) == classes
    assert found["loss"] == pytest.approx(-np.log(p[labels == 1] + 1e-5).mean(), rel=1e-5)
    assert found["accuracy"] == pytest.approx(right.mean())
    assert found["balanced_accuracy"] == pytest.approx(np.mean([right[classes == c].mean() for c in range(3)]))
    assert found["accuracy"] == found["hit_at_1"] == metrics["accuracy"]


@pytest.mark.slow
def test_other_videos_have_no_accuracy(small_partition, tmp_path):
    metrics = run(tmp_path, small_partition, MODEL, epochs=1).metrics
    assert "hit_at_1" in metrics
    assert not any("accuracy" in name for name in metrics)


def test_softmax_is_refused_where_videos_have_other_numbers_of_labels(small_partition, tmp_path):
    with pytest.raises(ConfigError, match=r"model\.head\.kind: softmax .* Received: videos with 2 to 2 labels\. Set"):
        run(tmp_path, small_partition, MODEL | {"head": {"kind": "softmax"}})
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("teacher", "student", "top_k"),
    [
        pytest.param("softmax", SOFTMAX, 2, marks=pytest.mark.slow),
        pytest.param("softmax", SOFTMAX, None, marks=pytest.mark.slow),
        pytest.param("logistic", SOFTMAX, None, marks=pytest.mark.slow),
        ("softmax", LOGISTIC, 1),
    ],
)
def test_heads_of_either_kind_learn_from_each_other(trained, partition, tmp_path, *, teacher, student, top_k):
    _, model = trained
    if teacher == "logistic":
        run(tmp_path / "teacher", partition, LOGISTIC, epochs=1)
        model = tmp_path / "teacher" / "model"
    manifest = tmp_path / "manifest.json"
    config = SoftTargetsConfig(batch_size=16, encoding=SoftTargetEncoding(top_k=top_k))
    soft_targets(
        partition=partition, models={"t": model}, selection=None, config=config, output_uri=str(tmp_path / "soft"),
        output=manifest,
    )  # fmt: skip
    metrics = run(tmp_path / "student", partition, student, (manifest,), epochs=3).metrics
    assert np.isfinite(metrics["training_loss"])
    assert metrics["accuracy"] > 0.5


@pytest.mark.slow
def test_the_exported_model_of_softmax_members_says_that_scores_sum_to_one(trained, partition, tmp_path):
    quantize_weights(
        model=trained[1], bits=8, config=QuantizationConfig(threshold_elements=10), output=tmp_path / "quantized"
    )
    run(tmp_path / "logistic", partition, LOGISTIC, epochs=1)
    models = {"softmax": tmp_path / "quantized", "logistic": tmp_path / "logistic" / "model"}
    batch = holdout(partition)
    for weights, scores, text in (
        ({"softmax": 1.0}, "distribution", "over all classes they sum to 1."),
        ({"softmax": 0.5, "logistic": 0.5}, "independent", "need not sum to 1."),
    ):
        folder = tmp_path / scores
        exported = export_ensemble(models, write_weights(tmp_path / f"{scores}.json", weights), folder)
        assert ExportDescription.load(exported).scores == scores
        assert text in (exported / "README.md").read_text()
        found = ExportedModel(exported).probabilities(batch["frames"], batch["num_frames"])
        mean = sum(share * predicted(models[name], batch) for name, share in weights.items())
        np.testing.assert_allclose(found, mean, atol=1e-5)
        if scores == "distribution":
            np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("initial_bias", ["zero", "class_frequencies"])
def test_a_softmax_model_learns(partition, tmp_path, initial_bias):
    metrics = run(tmp_path, partition, SOFTMAX, epochs=30, learning_rate=0.05, initial_bias=initial_bias).metrics
    assert metrics["accuracy"] >= 0.95
    assert metrics["balanced_accuracy"] >= 0.95
    # Categorical: a model that knows nothing has log(3) = 1.1.
    assert metrics["loss"] < 0.4
