import functools
import gc
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from tests.conftest import Video
from tests.export.tensorflow_alone import make_environment
from tests.export.toy_ensemble import SPEC, random_videos, write_quantized_model, write_weights
from yt8m.data.format import DataSpec
from yt8m.data.reading import read_videos
from yt8m.errors import BudgetError, ConfigError, DataError
from yt8m.export.budget import directory_bytes
from yt8m.export.description import ExportDescription
from yt8m.export.exported_model import ExportedModel
from yt8m.export.vocabulary import read_vocabulary
from yt8m.models.dbof import DBoFConfig
from yt8m.models.files import load_model
from yt8m.models.logistic import FrameLevelLogisticConfig
from yt8m.models.netfv import NetFVConfig
from yt8m.models.netvlad import NetVLADConfig
from yt8m.models.nextvlad import NeXtVLADConfig
from yt8m.models.rnn import RNNConfig
from yt8m.stages.export import ExportConfig, export

STRANGER = Path(__file__).parents[1] / "export" / "stranger.py"
SHARES = {"first": 0.25, "second": 0.35, "third": 0.4}
METHODS: dict[str, Any] = {"first": "uniform", "second": "uniform_per_channel", "third": "kmeans"}
FAST: dict[str, Any] = {"latency_batch_sizes": ()}
FAMILY = {
    "netvlad": NetVLADConfig(num_clusters=16, hidden_units=8, context_gating=True),
    "netfv": NetFVConfig(num_clusters=16, hidden_units=8, context_gating=True),
    "nextvlad": NeXtVLADConfig(num_clusters=8, hidden_units=8),
    "lstm": RNNConfig(units=16),
    "gru": RNNConfig(units=16, cell="gru", branches="per_feature"),
    "logistic": FrameLevelLogisticConfig(),
}
LENGTHS = [9, 1, 4, 7]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: write_quantized_model(root / name, seed, METHODS[name]) for seed, name in enumerate(SHARES)}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_weights(tmp_path_factory.mktemp("weights") / "weights.json", SHARES)


@pytest.fixture(scope="module", params=["load", "compact"])
def exported(request, models, weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    config = ExportConfig(mode=request.param, **FAST)
    export(models=models, weights=weights, config=config, output=folder / "export", card=folder / "card.md")
    return folder / "export"


def mean_of_keras_models(models, frames, num_frames):
    inputs = {"frames": frames, "num_frames": num_frames}
    return sum(share * load_model(models[name]).model.predict(inputs, verbose=0) for name, share in SHARES.items())


def assert_top_of(probabilities, classes, scores):
    assert classes.dtype == np.int32
    assert scores.dtype == np.float32
    assert classes.shape == scores.shape == (len(probabilities), 20)
    np.testing.assert_allclose(np.take_along_axis(probabilities, classes, axis=1), scores, atol=1e-5)
    np.testing.assert_allclose(scores, -np.sort(-probabilities, axis=1)[:, :20], atol=1e-5)


@pytest.fixture(scope="module")
def tensorflow_alone(tmp_path_factory):
    """The interpreter of an environment with TensorFlow alone. Skipped where none can be made, except in CI."""
    try:
        return make_environment(tmp_path_factory.mktemp("alone"))
    except subprocess.CalledProcessError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"no environment with TensorFlow alone: {error}")


def test_a_process_without_our_code_gets_the_keras_models_weighted_mean(exported, models, tmp_path):
    check_stranger(sys.executable, exported, models, tmp_path)


@pytest.mark.slow
def test_an_environment_with_tensorflow_alone_gets_the_keras_models_weighted_mean(
    tensorflow_alone, exported, models, tmp_path
):
    ours = (
        "import importlib.util as u; print([n for n in ('yt8m', 'pydantic', 'kfp', 'safetensors') if u.find_spec(n)])"
    )
    found = subprocess.run([tensorflow_alone, "-I", "-c", ours], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
    check_stranger(tensorflow_alone, exported, models, tmp_path)


def check_stranger(python, exported, models, tmp_path):
    """Every signature gives the Keras models' weighted mean in a process of this interpreter."""
    frames, num_frames = random_videos(LENGTHS)
    np.savez(tmp_path / "in.npz", frames=frames, num_frames=num_frames)
    command = [python, "-I", STRANGER, exported, tmp_path / "in.npz", tmp_path / "out.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = mean_of_keras_models(models, frames, num_frames)
    received = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(received["full"], expected, atol=1e-5)
    np.testing.assert_allclose(received["parsed_full"], expected, atol=1e-5)
    for run in ("top", "parsed", "again", "served"):
        assert_top_of(expected, received[f"{run}_classes"], received[f"{run}_scores"])


def test_only_bytes_are_on_disk(exported, models):
    stored = sum(file.stat().st_size for file in (exported / "variables").iterdir())
    members = sum((folder / "weights.safetensors").stat().st_size for folder in models.values())
    floats = sum((folder.parent / "float" / "weights.safetensors").stat().st_size for folder in models.values())
    assert stored < members < floats - 20_000


def test_the_export_is_within_a_hundredth_of_its_members_size(tmp_path):
    # 28 MB: the graph, of 0.2 MB, does not grow with the weights, and weighs more in smaller members.
    config = DBoFConfig(num_clusters=2048, hidden_units=1024)
    folder = write_quantized_model(tmp_path / "model", 0, spec=DataSpec(), config=config)
    member_bytes = (folder / "weights.safetensors").stat().st_size
    weights = write_weights(tmp_path / "weights.json", {"model": 1.0})
    output = tmp_path / "export"
    export(models={"model": folder}, weights=weights, config=ExportConfig(**FAST), output=output, card=tmp_path / "c")
    assert sum(file.stat().st_size for file in output.rglob("*") if file.is_file()) <= 1.01 * member_bytes


def test_a_signature_outlives_the_object_it_was_loaded_with(exported):
    kept = tf.saved_model.load(str(exported)).signatures["probabilities"]
    gc.collect()
    frames, num_frames = random_videos(LENGTHS)
    outputs = kept(frames=tf.constant(frames), num_frames=tf.constant(num_frames))
    np.testing.assert_array_equal(outputs["probabilities"], load(exported).probabilities(frames, num_frames))


def test_a_read_only_folder_is_enough(exported, tmp_path):
    copy = tmp_path / "read-only"
    shutil.copytree(exported, copy)
    before = sorted(copy.rglob("*"))
    for path in [copy, *before]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    frames, num_frames = random_videos(LENGTHS)
    np.testing.assert_array_equal(
        ExportedModel(copy).probabilities(frames, num_frames), load(exported).probabilities(frames, num_frames)
    )
    assert sorted(copy.rglob("*")) == before


def test_frames_beyond_the_longest_video_are_cut(exported):
    model = load(exported)
    frames, num_frames = random_videos([SPEC.max_frames + 1, 3])
    cut = model.probabilities(frames[:, : SPEC.max_frames], np.minimum(num_frames, SPEC.max_frames))
    np.testing.assert_allclose(model.probabilities(frames, num_frames), cut, atol=1e-6)
    records = tf.constant([to_record(frames[0]), to_record(frames[1, :3])])
    parsed = signature(exported, "serialized_probabilities")(records=records)["probabilities"]
    np.testing.assert_allclose(parsed, cut, atol=1e-6)


def test_what_lies_behind_a_videos_end_does_not_matter(exported):
    model = load(exported)
    frames, num_frames = random_videos([2, 9])
    clean = model.probabilities(frames, num_frames)
    frames[0, 2:] = 77
    np.testing.assert_allclose(model.probabilities(frames, num_frames), clean, atol=1e-6)
    np.testing.assert_allclose(model.probabilities(frames[:1, :2], num_frames[:1]), clean[:1], atol=1e-6)


def test_an_empty_batch_is_fine(exported):
    classes, scores = load(exported).top(np.zeros((0, 5, 16), np.uint8), np.zeros(0, np.int32))
    assert classes.shape == scores.shape == (0, 20)


@pytest.mark.parametrize(
    ("num_frames", "message"),
    [
        ([9, 0], r"every video needs 1 frame to as many as frames has room for.*\[9\] \[1\] \[0\]"),
        ([9, -3], r"every video needs 1 frame to as many as frames has room for.*\[9\] \[1\] \[-3\]"),
        ([10, 2], r"every video needs 1 frame to as many as frames has room for.*\[9\] \[0\] \[10\]"),
        ([9], r"num_frames must hold one number for each video;.*\[2\] \[1\]"),
    ],
)
def test_a_wrong_number_of_frames_is_a_clear_error(exported, num_frames, message):
    frames, _ = random_videos([9, 9])
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        load(exported).top(frames, np.array(num_frames, np.int32))


def test_the_video_at_fault_is_named_in_a_large_batch(exported):
    frames, num_frames = random_videos([2] * 70)
    num_frames[65] = 0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"room for.*\[2\] \[65\] \[0\]"):
        load(exported).top(frames, num_frames)


def test_frames_of_another_width_are_a_clear_error(exported):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must have 16 bytes, those of rgb, audio.*\[15\]"):
        load(exported).top(np.zeros((2, 3, 15), np.uint8), np.array([3, 3], np.int32))


def test_a_record_without_frames_is_a_clear_error(exported):
    with pytest.raises(tf.errors.InvalidArgumentError, match="every video needs 1 frame"):
        signature(exported, "serialized")(records=tf.constant([to_record(np.zeros((0, 16), np.uint8))]))


def test_a_record_without_audio_is_a_clear_error(exported):
    record = Video(frames={"rgb": [bytes(12)] * 3}).serialize()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"frames of rgb, audio:.*\[0\] \[3\] \[0\]"):
        signature(exported, "serialized")(records=tf.constant([record]))


def test_a_frame_of_the_wrong_size_is_a_clear_error(exported):
    record = Video(frames={"rgb": [bytes(12), bytes(11)], "audio": [bytes(4)] * 2}).serialize()
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"feature .*rgb.* must have 12 bytes.*\[0\] \[\[12 11\]\]"
    ):
        signature(exported, "serialized")(records=tf.constant([record]))


def test_the_export_describes_itself(exported, models):
    described = ExportDescription.load(exported)
    assert described.data == SPEC
    assert {name: member.weight for name, member in described.members.items()} == SHARES
    sizes = {name: (folder / "weights.safetensors").stat().st_size for name, folder in models.items()}
    assert {name: member.size_bytes for name, member in described.members.items()} == sizes


def test_the_card_names_members_and_loads_the_model_as_it_says(exported):
    card = (exported / "README.md").read_text()
    assert card == (exported.parent / "card.md").read_text()
    assert "| second | dbof | 0.3500 |" in card
    assert "GAP@20: **0.79000**, on the held-out videos that took no part in choosing" in card
    assert "by which the weights were chosen it is 0.81000, on both together 0.80000." in card
    assert "the same ensemble has 0.79004: quantization changes GAP by -0.00004." in card
    code = card.split("```python\n")[1].split("```")[0].replace("PATH/OF/THIS/FOLDER", str(exported))
    assert len(code.strip().splitlines()) == 5
    exec(code, {})


def test_the_card_tells_the_bits_that_weights_are_stored_with(models, tmp_path):
    folders = {"bytes": models["first"], "floats": models["second"].parent / "float"}
    counts: Counter[int] = Counter()
    for folder in folders.values():
        for name, array in load_file(folder / "weights.safetensors").items():
            if not name.endswith("#centroids"):
                counts[array.itemsize * 8] += array.size
    assert set(counts) == {8, 32}
    weights = write_weights(tmp_path / "weights.json", dict.fromkeys(folders, 0.5), gap_report_float=None)
    export(models=folders, weights=weights, config=ExportConfig(**FAST), output=tmp_path / "e", card=tmp_path / "c.md")
    shares = ", ".join(f"{bits} bits ({100 * counts[bits] / counts.total():.1f}%)" for bits in (8, 32))
    card = (tmp_path / "c.md").read_text()
    assert f"Its {counts.total():,} weights are stored with {shares}.\n" in card
    assert "Before quantization" not in card


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["load", "compact"])
def test_every_family_can_be_exported(tmp_path, mode):
    spec = DataSpec(features={"rgb": 32, "audio": 8}, num_classes=30, max_frames=12)
    folders = {name: write_quantized_model(tmp_path / name, 1, spec=spec, config=each) for name, each in FAMILY.items()}
    weights = write_weights(tmp_path / "weights.json", {name: 1 / len(folders) for name in folders})
    config = ExportConfig(mode=mode, **FAST)
    export(models=folders, weights=weights, config=config, output=tmp_path / "e", card=tmp_path / "c.md")
    frames, num_frames = random_videos([12, 1, 5], spec)
    inputs = {"frames": frames, "num_frames": num_frames}
    expected = sum(load_model(folder).model.predict(inputs, verbose=0) for folder in folders.values()) / len(folders)
    exported = ExportedModel(tmp_path / "e")
    np.testing.assert_allclose(exported.probabilities(frames, num_frames), expected, atol=1e-5)
    assert exported.probabilities(frames[:0], num_frames[:0]).shape == (0, 30)
    nothing = signature(tmp_path / "e", "serialized")(records=tf.constant([], tf.string))
    assert nothing["scores"].shape == (0, 20)


def test_one_member_with_all_the_weight_is_that_member(models, tmp_path):
    weights = write_weights(tmp_path / "weights.json", {"second": 1.0})
    export(models=models, weights=weights, config=ExportConfig(**FAST), output=tmp_path / "e", card=tmp_path / "c.md")
    frames, num_frames = random_videos(LENGTHS)
    expected = load_model(models["second"]).model.predict({"frames": frames, "num_frames": num_frames}, verbose=0)
    np.testing.assert_allclose(ExportedModel(tmp_path / "e").probabilities(frames, num_frames), expected, atol=1e-5)


def test_two_exports_in_one_process_keep_their_own_weights(models, tmp_path):
    frames, num_frames = random_videos(LENGTHS)
    loaded = {}
    for name in ("first", "third"):
        weights = write_weights(tmp_path / f"{name}.json", {name: 1.0})
        output = tmp_path / name
        export(models=models, weights=weights, config=ExportConfig(**FAST), output=output, card=tmp_path / "c.md")
        loaded[name] = ExportedModel(output)
    for name, model in loaded.items():
        expected = load_model(models[name]).model.predict({"frames": frames, "num_frames": num_frames}, verbose=0)
        np.testing.assert_allclose(model.probabilities(frames, num_frames), expected, atol=1e-5)


def test_figures_and_latency_are_reported(models, weights, tmp_path):
    output = tmp_path / "e"
    config = ExportConfig(latency_batch_sizes=(1, 2))
    records = [
        {"node": "prepare", "stage": "prepare", "metrics": {"training_videos": 1234.0, "holdout_videos": 56.0}},
        {"node": "evaluate-first", "stage": "evaluate", "name": "first", "metrics": {"gap": 0.71234}},
        {"node": "evaluate-8-bit", "stage": "evaluate_quantized", "name": "first", "metrics": {"gap": 0.71233}},
    ]
    (tmp_path / "records.json").write_text(json.dumps(records))
    result = export(
        models=models, weights=weights, config=config, output=output, card=tmp_path / "card.md",
        records=[tmp_path / "records.json"],
    )  # fmt: skip
    assert result.metrics["bytes"] == directory_bytes(output)
    assert result.metrics["budget_bytes"] == 2**30
    assert result.metrics["members"] == 3
    assert result.metrics["seconds_batch_2"] > 0
    assert all(type(value) is float for value in result.metrics.values())
    card = (tmp_path / "card.md").read_text()
    assert "videos a second" in card
    assert "Trained on 1,234 videos, measured on 56 others." in card
    assert "| 0.71234 | 0.71233 |" in card


def test_over_its_budget_nothing_is_left_behind_and_the_named_subset_fits(exported, models, weights, tmp_path):
    budget = directory_bytes(exported) - 1000
    config = ExportConfig(mode=ExportDescription.load(exported).mode, budget_bytes=budget, **FAST)
    with pytest.raises(BudgetError, match=r"Parts in bytes, weights and graph: .*first [\d,]+") as caught:
        export(models=models, weights=weights, config=config, output=tmp_path / "e", card=tmp_path / "card.md")
    assert list(tmp_path.iterdir()) == []
    subset = re.search(r"The nearest subset that fits: (.*) \(at most", str(caught.value))[1].split(", ")
    fitting = write_weights(tmp_path / "weights.json", dict.fromkeys(subset, 1 / len(subset)))
    export(models=models, weights=fitting, config=config, output=tmp_path / "e", card=tmp_path / "card.md")
    assert directory_bytes(tmp_path / "e") <= budget


def test_the_budget_of_the_search_holds_unless_another_is_given(models, tmp_path):
    weights = write_weights(tmp_path / "weights.json", SHARES, budget_bytes=1000)
    with pytest.raises(BudgetError, match="expected at most 1,000 bytes"):
        export(models=models, weights=weights, config=ExportConfig(**FAST), output=tmp_path / "e", card=tmp_path / "c")


def test_a_vocabulary_travels_with_the_model(models, tmp_path):
    (tmp_path / "classes.csv").write_text('Url,Name,Index\nhttp://x,"Game, new",3\n,Car,0\n')
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0})
    config = ExportConfig(vocabulary=str(tmp_path / "classes.csv"), **FAST)
    export(models=models, weights=weights, config=config, output=tmp_path / "e", card=tmp_path / "c")
    travelled = str(tmp_path / "e" / "assets.extra" / "vocabulary.csv")
    assert read_vocabulary(travelled, SPEC.num_classes) == {3: "Game, new", 0: "Car"}


def test_a_vocabulary_of_other_classes_is_refused(models, tmp_path):
    (tmp_path / "classes.csv").write_text("Index,Name\n30,Game\n")
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0})
    config = ExportConfig(vocabulary=str(tmp_path / "classes.csv"), **FAST)
    with pytest.raises(DataError, match="line 2: Index: expected one of 30 classes from 0"):
        export(models=models, weights=weights, config=config, output=tmp_path / "e", card=tmp_path / "c")


def test_a_member_that_is_no_model_is_named(models, tmp_path):
    weights = write_weights(tmp_path / "weights.json", {"fist": 1.0})
    with pytest.raises(ConfigError, match=r"model 'fist' is not among the models\. Did you mean 'first'"):
        export(models=models, weights=weights, config=ExportConfig(**FAST), output=tmp_path / "e", card=tmp_path / "c")


def test_members_of_different_data_are_refused(models, tmp_path):
    other = DataSpec(features={"audio": 4, "rgb": 12}, num_classes=30, max_frames=9)
    mixed = {"first": models["first"], "other": write_quantized_model(tmp_path / "other", 5, spec=other)}
    weights = write_weights(tmp_path / "weights.json", {"first": 0.5, "other": 0.5})
    with pytest.raises(ConfigError, match="Members must be trained on the same kind of data"):
        export(models=mixed, weights=weights, config=ExportConfig(**FAST), output=tmp_path / "e", card=tmp_path / "c")


def test_weights_of_another_configuration_are_refused(models, tmp_path):
    shutil.copytree(models["first"], tmp_path / "mixed")
    config = (tmp_path / "mixed" / "config.json").read_text()
    (tmp_path / "mixed" / "config.json").write_text(config.replace('"hidden_units": 24', '"hidden_units": 25'))
    weights = write_weights(tmp_path / "weights.json", {"mixed": 1.0})
    mixed = {"mixed": tmp_path / "mixed"}
    with pytest.raises(DataError, match=r"member 'mixed': weight 'head/.*': expected shape \(25, .*received \(24, "):
        export(models=mixed, weights=weights, config=ExportConfig(**FAST), output=tmp_path / "e", card=tmp_path / "c")


def test_the_real_record_is_read_by_both_kinds_of_signatures(real_data, tmp_path):
    model = write_quantized_model(tmp_path / "model", 0, spec=DataSpec())
    weights = write_weights(tmp_path / "weights.json", {"model": 1.0})
    config = ExportConfig(**FAST)
    export(models={"model": model}, weights=weights, config=config, output=tmp_path / "e", card=tmp_path / "c")
    whole, no_audio = sorted((real_data / "frame_level").iterdir())
    (video,) = read_videos([str(whole)], DataSpec(), batch_size=1)
    classes, scores = load(tmp_path / "e").top(video["frames"], video["num_frames"])
    (record,) = tf.data.TFRecordDataset(str(whole))
    outputs = signature(tmp_path / "e", "serialized")(records=record[None])
    np.testing.assert_array_equal(outputs["classes"], classes)
    np.testing.assert_allclose(outputs["scores"], scores, atol=1e-6)
    inputs = {"frames": video["frames"], "num_frames": video["num_frames"]}
    assert_top_of(load_model(model).model.predict(inputs, verbose=0), classes, scores)
    (damaged,) = tf.data.TFRecordDataset(str(no_audio))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"frames of rgb, audio:.*\[0\] \[149\] \[0\]"):
        signature(tmp_path / "e", "serialized")(records=damaged[None])


def test_a_folder_without_an_export_is_named(tmp_path):
    with pytest.raises(DataError, match="no exported model here"):
        ExportedModel(tmp_path)


def to_record(frames):
    """One video's frames uint8 (T, 16) as a serialized record."""
    parts = {"rgb": frames[:, :12], "audio": frames[:, 12:]}
    return Video(frames={name: [row.tobytes() for row in values] for name, values in parts.items()}).serialize()


@functools.cache
def load(folder):
    return ExportedModel(folder)


@functools.cache
def signature(folder, name):
    return tf.saved_model.load(str(folder)).signatures[name]
