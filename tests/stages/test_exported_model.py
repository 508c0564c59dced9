import functools
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.support.paths import REPOSITORY
from tests.support.tensorflow_alone import make_environment
from tests.support.toy_ensemble import (
    SHARES,
    SPEC,
    export_ensemble,
    random_videos,
    write_quantized_model,
    write_weights,
)
from tests.support.videos import Video
from yt8m.data.format import DataSpec
from yt8m.data.reading import read_videos
from yt8m.errors import DataError
from yt8m.export.exported_model import ExportedModel
from yt8m.models.dbof import DBoFConfig
from yt8m.models.files import load_model
from yt8m.models.logistic import FrameLevelLogisticConfig
from yt8m.models.netfv import NetFVConfig
from yt8m.models.netvlad import NetVLADConfig
from yt8m.models.nextvlad import NeXtVLADConfig
from yt8m.models.rnn import RNNConfig

SIGNATURES_SCRIPT = REPOSITORY / "tests" / "export" / "independent_signatures.py"
ARCHITECTURES = {
    "netvlad": NetVLADConfig(num_clusters=16, hidden_units=8, context_gating=True),
    "netfv": NetFVConfig(num_clusters=16, hidden_units=8, context_gating=True),
    "nextvlad": NeXtVLADConfig(num_clusters=8, hidden_units=8),
    "lstm": RNNConfig(units=16),
    "gru": RNNConfig(units=16, cell="gru", branches="per_feature"),
    "logistic": FrameLevelLogisticConfig(),
}
LENGTHS = [9, 1, 4, 7]


def mean_of_keras_models(toy_models, frames, num_frames):
    inputs = {"frames": frames, "num_frames": num_frames}
    return sum(share * load_model(toy_models[name]).model.predict(inputs, verbose=0) for name, share in SHARES.items())


def assert_top_of(probabilities, classes, scores):
    assert classes.dtype == np.int32
    assert scores.dtype == np.float32
    assert classes.shape == scores.shape == (len(probabilities), 20)
    np.testing.assert_allclose(np.take_along_axis(probabilities, classes, axis=1), scores, atol=1e-5)
    np.testing.assert_allclose(scores, -np.sort(-probabilities, axis=1)[:, :20], atol=1e-5)


@pytest.fixture(scope="module")
def tensorflow_alone(tmp_path_factory):
    """Make an environment with TensorFlow only and return its interpreter; skip tests if that fails, except in CI."""
    try:
        return make_environment(tmp_path_factory.mktemp("alone"))
    except subprocess.CalledProcessError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"no environment with TensorFlow alone: {error}")


def test_a_process_without_our_code_gets_the_keras_models_weighted_mean(exported, toy_models, tmp_path):
    check_signatures(sys.executable, exported, toy_models, tmp_path)


@pytest.mark.slow
def test_an_environment_with_tensorflow_alone_gets_the_keras_models_weighted_mean(
    tensorflow_alone, exported, toy_models, tmp_path
):
    ours = (
        "import importlib.util as u; print([n for n in ('yt8m', 'pydantic', 'kfp', 'safetensors') if u.find_spec(n)])"
    )
    found = subprocess.run([tensorflow_alone, "-I", "-c", ours], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
    check_signatures(tensorflow_alone, exported, toy_models, tmp_path)


def check_signatures(python, exported, toy_models, tmp_path):
    """Check that every signature gives the weighted mean of the Keras models under this interpreter."""
    frames, num_frames = random_videos(LENGTHS)
    np.savez(tmp_path / "in.npz", frames=frames, num_frames=num_frames)
    command = [python, "-I", SIGNATURES_SCRIPT, exported, tmp_path / "in.npz", tmp_path / "out.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = mean_of_keras_models(toy_models, frames, num_frames)
    received = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(received["full"], expected, atol=1e-5)
    np.testing.assert_allclose(received["parsed_full"], expected, atol=1e-5)
    np.testing.assert_array_equal(received["floats_full"], received["full"])
    for run in ("top", "parsed", "floats", "again", "served"):
        assert_top_of(expected, received[f"{run}_classes"], received[f"{run}_scores"])


def test_weights_are_stored_as_bytes(exported, toy_models):
    stored = sum(file.stat().st_size for file in (exported / "variables").iterdir())
    members = sum((folder / "weights.safetensors").stat().st_size for folder in toy_models.values())
    floats = sum((folder.parent / "float" / "weights.safetensors").stat().st_size for folder in toy_models.values())
    assert stored < members < floats - 20_000


@pytest.mark.slow
def test_the_export_is_within_a_hundredth_of_its_members_size(tmp_path):
    # 32 MB, so that the graph of 0.3 MB, which does not grow with the weights, counts little.
    config = DBoFConfig(num_clusters=2304, hidden_units=1024)
    folder = write_quantized_model(tmp_path / "model", 0, spec=DataSpec(), config=config)
    member_bytes = (folder / "weights.safetensors").stat().st_size
    weights = write_weights(tmp_path / "weights.json", {"model": 1.0})
    output = export_ensemble({"model": folder}, weights, tmp_path)
    assert sum(file.stat().st_size for file in output.rglob("*") if file.is_file()) <= 1.01 * member_bytes


@pytest.mark.slow
def test_a_signature_outlives_the_object_it_was_loaded_with(exported):
    kept = tf.saved_model.load(str(exported)).signatures["probabilities"]
    gc.collect()
    frames, num_frames = random_videos(LENGTHS)
    outputs = kept(frames=tf.constant(frames), num_frames=tf.constant(num_frames))
    np.testing.assert_array_equal(outputs["probabilities"], load(exported).probabilities(frames, num_frames))


def test_a_read_only_folder_of_any_name_is_enough(exported, tmp_path):
    copy = tmp_path / "mod [v1] *?\\"
    shutil.copytree(exported, copy)
    before = sorted(copy.rglob("*"))
    for path in [copy, *before]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    frames, num_frames = random_videos(LENGTHS)
    np.testing.assert_array_equal(
        ExportedModel(copy).probabilities(frames, num_frames), load(exported).probabilities(frames, num_frames)
    )
    assert sorted(copy.rglob("*")) == before


def test_a_model_that_cannot_be_loaded_is_named_by_its_own_path(exported, tmp_path, monkeypatch):
    copy = tmp_path / "mod [v1]"
    shutil.copytree(exported, copy)
    (copy / "variables" / "variables.index").unlink()
    with pytest.raises(DataError) as raised:
        ExportedModel(copy)
    assert str(raised.value).startswith(f"{copy}: TensorFlow cannot load this SavedModel")
    assert tempfile.gettempdir() + "/yt8m-" not in str(raised.value)
    monkeypatch.setattr(tempfile, "tempdir", str(copy))
    with pytest.raises(DataError, match="Move the model, or set TMPDIR"):
        ExportedModel(copy)


def test_frames_beyond_the_longest_video_are_cut(exported):
    model = load(exported)
    frames, num_frames = random_videos([SPEC.max_frames + 1, 3])
    cut = model.probabilities(frames[:, : SPEC.max_frames], np.minimum(num_frames, SPEC.max_frames))
    np.testing.assert_allclose(model.probabilities(frames, num_frames), cut, atol=1e-6)
    records = tf.constant([to_record(frames[0]), to_record(frames[1, :3])])
    parsed = signature(exported, "serialized_probabilities")(records=records)["probabilities"]
    np.testing.assert_allclose(parsed, cut, atol=1e-6)


def test_padding_after_the_end_of_a_video_does_not_matter(exported):
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
        ([9, 0], r"num_frames must be between 1 and the length of frames.*\[9\] \[1\] \[0\]"),
        ([9, -3], r"num_frames must be between 1 and the length of frames.*\[9\] \[1\] \[-3\]"),
        ([10, 2], r"num_frames must be between 1 and the length of frames.*\[9\] \[0\] \[10\]"),
        ([9], r"num_frames must hold one number for each video;.*\[2\] \[1\]"),
    ],
)
def test_a_wrong_number_of_frames_is_a_clear_error(exported, num_frames, message):
    frames, _ = random_videos([9, 9])
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        load(exported).top(frames, np.array(num_frames, np.int32))


def test_the_faulty_video_of_a_large_batch_is_named(exported):
    frames, num_frames = random_videos([2] * 70)
    num_frames[65] = 0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"the length of frames.*\[2\] \[65\] \[0\]"):
        load(exported).top(frames, num_frames)


def test_frames_of_another_width_are_a_clear_error(exported):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must have 16 bytes, those of rgb, audio.*\[15\]"):
        load(exported).top(np.zeros((2, 3, 15), np.uint8), np.array([3, 3], np.int32))


def test_a_record_without_frames_is_a_clear_error(exported):
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"needs feature lists rgb, audio, or floats mean_rgb, mean_audio.*\[0\] \[0\] \[0\]",
    ):
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


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["load", "compact"])
def test_every_architecture_can_be_exported(tmp_path, mode):
    spec = DataSpec(features={"rgb": 32, "audio": 8}, num_classes=30, max_frames=12)
    folders = {
        name: write_quantized_model(tmp_path / name, 1, spec=spec, config=each) for name, each in ARCHITECTURES.items()
    }
    weights = write_weights(tmp_path / "weights.json", {name: 1 / len(folders) for name in folders})
    export_ensemble(folders, weights, tmp_path, mode=mode)
    frames, num_frames = random_videos([12, 1, 5], spec)
    inputs = {"frames": frames, "num_frames": num_frames}
    expected = sum(load_model(folder).model.predict(inputs, verbose=0) for folder in folders.values()) / len(folders)
    exported = ExportedModel(tmp_path / "export")
    np.testing.assert_allclose(exported.probabilities(frames, num_frames), expected, atol=1e-5)
    assert exported.probabilities(frames[:0], num_frames[:0]).shape == (0, 30)
    nothing = signature(tmp_path / "export", "serialized")(records=tf.constant([], tf.string))
    assert nothing["scores"].shape == (0, 20)


@pytest.mark.slow
def test_one_member_with_all_the_weight_is_that_member(toy_models, tmp_path):
    weights = write_weights(tmp_path / "weights.json", {"second": 1.0})
    export_ensemble(toy_models, weights, tmp_path)
    frames, num_frames = random_videos(LENGTHS)
    expected = load_model(toy_models["second"]).model.predict({"frames": frames, "num_frames": num_frames}, verbose=0)
    np.testing.assert_allclose(
        ExportedModel(tmp_path / "export").probabilities(frames, num_frames), expected, atol=1e-5
    )


@pytest.mark.slow
def test_two_exports_in_one_process_keep_their_own_weights(toy_models, tmp_path):
    frames, num_frames = random_videos(LENGTHS)
    loaded = {}
    for name in ("first", "third"):
        weights = write_weights(tmp_path / f"{name}.json", {name: 1.0})
        output = export_ensemble(toy_models, weights, tmp_path / name)
        loaded[name] = ExportedModel(output)
    for name, model in loaded.items():
        expected = load_model(toy_models[name]).model.predict({"frames": frames, "num_frames": num_frames}, verbose=0)
        np.testing.assert_allclose(model.probabilities(frames, num_frames), expected, atol=1e-5)


@pytest.mark.slow
def test_the_real_record_is_read_by_both_kinds_of_signatures(real_data, tmp_path):
    model = write_quantized_model(tmp_path / "model", 0, spec=DataSpec())
    weights = write_weights(tmp_path / "weights.json", {"model": 1.0})
    export_ensemble({"model": model}, weights, tmp_path)
    whole, no_audio = sorted((real_data / "frame_level").iterdir())
    (video,) = read_videos([str(whole)], DataSpec(), batch_size=1)
    classes, scores = load(tmp_path / "export").top(video["frames"], video["num_frames"])
    (record,) = tf.data.TFRecordDataset(str(whole))
    outputs = signature(tmp_path / "export", "serialized")(records=record[None])
    np.testing.assert_array_equal(outputs["classes"], classes)
    np.testing.assert_allclose(outputs["scores"], scores, atol=1e-6)
    inputs = {"frames": video["frames"], "num_frames": video["num_frames"]}
    assert_top_of(load_model(model).model.predict(inputs, verbose=0), classes, scores)
    (damaged,) = tf.data.TFRecordDataset(str(no_audio))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"frames of rgb, audio:.*\[0\] \[149\] \[0\]"):
        signature(tmp_path / "export", "serialized")(records=damaged[None])


def test_a_folder_without_an_export_is_named(tmp_path):
    with pytest.raises(DataError, match="no exported model here"):
        ExportedModel(tmp_path)


def to_record(frames):
    """Serialize the frames uint8 (T, 16) of a video as a record."""
    parts = {"rgb": frames[:, :12], "audio": frames[:, 12:]}
    return Video(frames={name: [row.tobytes() for row in values] for name, values in parts.items()}).serialize()


@functools.cache
def load(folder):
    return ExportedModel(folder)


@functools.cache
def signature(folder, name):
    return tf.saved_model.load(str(folder)).signatures[name]


def test_the_graph_has_every_member_once_for_all_signatures(exported):
    saved = saved_model_pb2.SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    (graph,) = (meta.graph_def for meta in saved.meta_graphs)
    means = [
        function.signature.name
        for function in graph.library.function
        if re.search("_mean_[0-9]", function.signature.name)
    ]
    assert len(means) == 1
