import json
import math
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from pipelines.cli.evaluate import evaluate as command
from tests.support.toy_ensemble import export_ensemble, write_weights
from yt8m.bootstrap import resample_gaps
from yt8m.data.partition import Partition
from yt8m.data.reading import read_videos
from yt8m.data.scan import read_ids
from yt8m.errors import ConfigError, DataError, StorageError
from yt8m.holdout import Division, hash_keys
from yt8m.metrics import StreamingMetrics, gap_of_keys, keys_from_top, label_hits, pack_keys
from yt8m.models.files import WEIGHTS_FILE, load_model
from yt8m.predictions import Predictions
from yt8m.quantization.config import QuantizationConfig
from yt8m.stages.evaluate import EvaluateConfig, evaluate, with_evaluation
from yt8m.stages.quantize import quantize_weights
from yt8m.stages.result import StageResult
from yt8m.training.baseline import baseline_keys

CONFIG = EvaluateConfig(batch_size=4)


def run(partition, model, folder, config=CONFIG):
    return evaluate(partition=partition, model=model, config=config, predictions=folder / "predictions")


def predicted(partition_path, model):
    """Return ids, labels, and the Keras model's probabilities for all videos in one batch."""
    partition = Partition.load(partition_path)
    batch = next(read_videos(partition.holdout_uris, partition.spec, batch_size=100).as_numpy_iterator())
    inputs = {"frames": batch["frames"], "num_frames": batch["num_frames"]}
    return batch["ids"], batch["labels"], np.asarray(load_model(model).model(inputs, training=False))


def test_metrics_and_predictions_are_those_of_the_model(small_partition, trained, tmp_path):
    result = run(small_partition, trained, tmp_path)
    ids, labels, probabilities = predicted(small_partition, trained)
    exact = StreamingMetrics(10)
    exact.update(probabilities, labels)
    for name, value in exact.result().items():
        assert result.metrics[name] == pytest.approx(value, abs=1e-6), name
    logs = labels * np.log(probabilities + 1e-5) + (1.0 - labels) * np.log(1 - probabilities + 1e-5)
    assert result.metrics["loss"] == pytest.approx(-logs.sum(axis=1).mean(), rel=1e-5)
    assert result.metrics["bytes"] == (trained / WEIGHTS_FILE).stat().st_size
    assert all(type(value) is float and math.isfinite(value) for value in result.metrics.values())
    found = Predictions.load(tmp_path / "predictions")
    assert found.ids.tolist() == ids.tolist()
    assert (found.num_videos, found.top_k) == (11, 10)
    np.testing.assert_allclose(found.scores, -np.sort(-probabilities, axis=1), atol=1e-6)


def test_metrics_do_not_depend_on_the_batch_size(small_partition, trained, tmp_path):
    four = run(small_partition, trained, tmp_path).metrics
    eleven = run(small_partition, trained, tmp_path, EvaluateConfig(batch_size=11, top_k=3)).metrics
    assert four["gap"] == pytest.approx(eleven["gap"], abs=1e-9)
    assert four["loss"] == pytest.approx(eleven["loss"], rel=1e-6)
    assert Predictions.load(tmp_path / "predictions").top_k == 3


def test_the_number_of_predictions_in_gap_can_be_set(small_partition, trained, tmp_path):
    three = run(small_partition, trained, tmp_path, EvaluateConfig(batch_size=4, gap_top_k=3)).metrics
    all_ten = run(small_partition, trained, tmp_path, EvaluateConfig(batch_size=4, gap_top_k=30)).metrics
    assert (three["gap_top_k"], all_ten["gap_top_k"]) == (3, 10)
    found = Predictions.load(tmp_path / "predictions")
    rows = found.rows(found.rows_report)
    for metrics, top_k in ((three, 3), (all_ten, 10)):
        keys = keys_from_top(rows.classes, rows.scores, rows.label_ptr, rows.labels, top_k)
        exact = gap_of_keys(keys, len(rows.labels))
        assert metrics["gap"] == pytest.approx(exact, abs=1e-9)
        # The mean over ten random orders of equal predictions.
        orders = [baseline_keys(Partition.load(small_partition), rows, top_k, order) for order in range(10)]
        mean = np.mean([gap_of_keys(baseline, len(rows.labels)) for baseline in orders])
        assert metrics["baseline_gap"] == pytest.approx(mean, abs=1e-9)
    assert three["gap"] != all_ten["gap"]


@pytest.fixture
def divided_partition(small_partition, tmp_path):
    """Divide the hold-out of the small partition; return the file and the rows of the report."""
    partition = Partition.load(small_partition)
    ids = [video_id.encode() for video_id in read_ids(partition.holdout_uris[0], partition.spec)]
    division = Division.of(hash_keys(ids, 3), np.ones(11, np.bool_), 0.4, 3)
    partition.model_copy(update={"division": division}).save(tmp_path / "divided.json")
    return tmp_path / "divided.json", np.flatnonzero(division.in_report(ids))


def test_figures_are_of_the_report_and_one_of_what_decides(small_partition, divided_partition, trained, tmp_path):
    path, rows = divided_partition
    result = run(path, trained, tmp_path)
    _, labels, probabilities = predicted(small_partition, trained)
    parts = {"select": np.setdiff1d(np.arange(11), rows), "report": rows}
    exact = {}
    for name, part in parts.items():
        metrics = StreamingMetrics(10)
        metrics.update(probabilities[part], labels[part])
        exact[name] = metrics.result()
    assert len(rows) == 4
    for name, value in exact["report"].items():
        assert result.metrics[name] == pytest.approx(value, abs=1e-6), name
    assert result.metrics["gap_select"] == pytest.approx(exact["select"]["gap"], abs=1e-6)
    assert result.metrics["select_videos"] == 7
    assert result.details["part"] == "report"
    logs = labels[rows] * np.log(probabilities[rows] + 1e-5)
    logs += (1.0 - labels[rows]) * np.log(1 - probabilities[rows] + 1e-5)
    assert result.metrics["loss"] == pytest.approx(-logs.sum(axis=1).mean(), rel=1e-5)
    found = Predictions.load(tmp_path / "predictions")
    assert found.rows_report.tolist() == rows.tolist()
    assert found.num_videos == 11


def test_the_uncertainty_is_that_of_the_stored_predictions(divided_partition, trained, tmp_path):
    path, _ = divided_partition
    result = run(path, trained, tmp_path)
    found = Predictions.load(tmp_path / "predictions")
    found = found.rows(found.rows_report)
    keys = pack_keys(found.scores, label_hits(found.classes, found.label_ptr, found.labels))
    baseline = baseline_keys(Partition.load(path), found)
    gaps = resample_gaps([keys, baseline], np.diff(found.label_ptr))
    assert result.metrics["gap_low"] == pytest.approx(np.quantile(gaps[0], 0.025))
    assert result.metrics["gap_high"] == pytest.approx(np.quantile(gaps[0], 0.975))
    assert result.metrics["gap_error"] == pytest.approx(np.std(gaps[0], ddof=1))
    assert result.metrics["gain_error"] == pytest.approx(np.std(gaps[0] - gaps[1], ddof=1))
    orders = [baseline_keys(Partition.load(path), found, order=order) for order in range(10)]
    mean = np.mean([gap_of_keys(each, len(found.labels)) for each in orders])
    assert result.metrics["baseline_gap"] == pytest.approx(mean)


def test_predictions_need_not_be_stored(small_partition, trained, tmp_path):
    stored = run(small_partition, trained, tmp_path)
    alone = evaluate(partition=small_partition, model=trained, config=CONFIG, predictions=None)
    assert alone.metrics["gap"] == stored.metrics["gap"]


def test_a_stage_adds_the_evaluation_of_its_model_to_its_own_figures():
    made = StageResult({"seconds": 60.0, "videos_per_second": 5.0, "steps": 2.0}, {"curve": [1]})
    evaluated = StageResult({"gap": 0.5, "seconds": 3.0, "videos_per_second": 9.0}, {"gap_by_kind": {"rare": 0.1}})
    merged = with_evaluation(made, evaluated)
    assert merged.metrics == {
        "seconds": 60.0,
        "videos_per_second": 5.0,
        "steps": 2.0,
        "gap": 0.5,
        "evaluation_seconds": 3.0,
        "evaluation_videos_per_second": 9.0,
    }
    assert merged.details == {"curve": [1], "gap_by_kind": {"rare": 0.1}}


def test_a_quantized_model_is_measured_with_its_own_bytes(small_partition, trained, tmp_path):
    quantize_weights(
        model=trained, bits=8, config=QuantizationConfig(threshold_elements=0), output=tmp_path / "quantized"
    )
    result = run(small_partition, tmp_path / "quantized", tmp_path)
    assert result.metrics["bytes"] == (tmp_path / "quantized" / WEIGHTS_FILE).stat().st_size
    assert result.metrics["gap"] == pytest.approx(run(small_partition, trained, tmp_path).metrics["gap"], abs=0.1)


@pytest.mark.slow
def test_an_exported_model_is_measured_by_its_dense_signature(small_partition, trained, tmp_path):
    quantize_weights(
        model=trained, bits=8, config=QuantizationConfig(threshold_elements=0), output=tmp_path / "quantized"
    )
    export_ensemble({"one": tmp_path / "quantized"}, write_weights(tmp_path / "weights.json", {"one": 1.0}), tmp_path)
    exported = run(small_partition, tmp_path / "export", tmp_path).metrics
    quantized = run(small_partition, tmp_path / "quantized", tmp_path).metrics
    for name in ("gap", "map", "loss"):
        assert exported[name] == pytest.approx(quantized[name], rel=1e-4), name
    assert exported["bytes"] == sum(f.stat().st_size for f in (tmp_path / "export").rglob("*") if f.is_file())


@pytest.fixture
def moved_partition(small_partition, tmp_path):
    """Copy the small partition, with its hold-out in a separate folder."""
    partition = Partition.load(small_partition)
    moved = tmp_path / "moved.tfrecord"
    shutil.copy(partition.holdout_uris[0], moved)
    holdout = (partition.holdout[0].model_copy(update={"uri": str(moved)}),)
    partition.model_copy(update={"holdout": holdout}).save(tmp_path / "partition.json")
    return tmp_path / "partition.json"


def test_metrics_are_split_by_the_kinds_of_classes_in_the_description(
    small_partition, moved_partition, trained, tmp_path, shards
):
    assert run(moved_partition, trained, tmp_path).details == {"part": "hold-out"}
    shards.describe(tmp_path, class_kinds={"first": [0, 1, 2], "last": [9], "none": []})
    result = run(moved_partition, trained, tmp_path)
    _, labels, probabilities = predicted(small_partition, trained)
    exact = StreamingMetrics(3)
    exact.update(probabilities[:, :3], labels[:, :3])
    # All videos have class 9.
    assert result.details["gap_by_kind"] == {"first": pytest.approx(exact.result()["gap"]), "last": pytest.approx(1.0)}


def test_a_model_for_other_classes_is_refused(small_partition, trained, tmp_path):
    partition = Partition.load(small_partition)
    spec = partition.spec.model_copy(update={"num_classes": 11})
    partition.model_copy(update={"spec": spec}).save(tmp_path / "partition.json")
    with pytest.raises(DataError, match=r"other videos \(num_classes 10 and 11"):
        run(tmp_path / "partition.json", trained, tmp_path)


def test_a_model_for_features_in_another_order_is_refused(small_partition, trained, tmp_path):
    partition = Partition.load(small_partition)
    features = dict(reversed(partition.spec.features.items()))
    assert len(features) > 1
    spec = partition.spec.model_copy(update={"features": features})
    partition.model_copy(update={"spec": spec}).save(tmp_path / "partition.json")
    with pytest.raises(DataError, match=r"other videos \(features .*in the same order"):
        run(tmp_path / "partition.json", trained, tmp_path)


def test_a_folder_without_a_model_is_refused(small_partition, tmp_path):
    with pytest.raises(DataError, match="no model here"):
        run(small_partition, tmp_path, tmp_path)


def test_a_description_of_other_classes_is_ignored(moved_partition, trained, tmp_path, shards):
    shards.describe(tmp_path, data=shards.spec.model_dump() | {"num_classes": 11}, class_kinds={"first": [10]})
    assert run(moved_partition, trained, tmp_path).details == {"part": "hold-out"}


def test_a_model_with_a_binary_configuration_is_refused(small_partition, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "model")
    (tmp_path / "model" / "config.json").write_bytes(b"\xff")
    with pytest.raises(StorageError, match=r"config\.json: not a text file"):
        run(small_partition, tmp_path / "model", tmp_path)


@pytest.mark.slow
def test_the_command_keeps_the_requested_number_of_predictions(trained, small_partition, tmp_path):
    (shard,) = Partition.load(small_partition).holdout_uris
    arguments = ["--model", str(trained), "--input", shard, "--predictions", str(tmp_path / "kept"), "--top-k", "3"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert Predictions.load(tmp_path / "kept").top_k == 3
    with pytest.raises(ConfigError, match="top_k: input should be greater than 0"):
        CliRunner().invoke(command, [*arguments[:-1], "0"], catch_exceptions=False)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [[1], pytest.param([1, 2], marks=pytest.mark.slow)])
def test_the_command_says_which_gap_it_is_and_gives_the_accuracy_of_videos_with_one_label(
    trained, tmp_path, shards, labels
):
    shards.write(tmp_path / "a.tfrecord", [shards.video_of(number, labels=labels) for number in range(3)])
    arguments = ["--model", str(trained), "--input", str(tmp_path / "a.tfrecord")]
    printed = CliRunner().invoke(command, arguments, catch_exceptions=False).stdout
    assert re.search(r"^gap@10 +0\.\d{5}$", printed, re.MULTILINE)
    three = CliRunner().invoke(command, [*arguments, "--gap-top-k", "3"], catch_exceptions=False).stdout
    assert re.search(r"^gap@3 +0\.\d{5}$", three, re.MULTILINE)
    found = json.loads(CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert found["gap_top_k"] == 10
    assert ("accuracy" in found) == ("balanced_accuracy" in found) == ("accuracy" in printed) == (labels == [1])
    assert found.get("accuracy", found["hit_at_1"]) == found["hit_at_1"]


def test_videos_without_labels_are_told(trained, tmp_path, shards, caplog):
    videos = [shards.video_of(number, labels=[1] if number else None) for number in range(3)]
    shards.write(tmp_path / "a.tfrecord", videos)
    arguments = ["--model", str(trained), "--input", str(tmp_path / "a.tfrecord")]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    assert "1 of 3 videos have no labels." in caplog.text


def test_a_file_that_is_no_shard_is_not_said_to_lack_features(trained, tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(b"\x1f\x8b" + bytes(100))
    arguments = ["--model", str(trained), "--input", str(tmp_path / "a.tfrecord")]
    with pytest.raises(DataError, match="a gzip archive, not a TFRecord file; unpack it") as caught:
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert "The model takes" not in str(caught.value)
