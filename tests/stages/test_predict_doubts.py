"""Videos, shards, layouts, models and requests that `predict` refuses, leaves out or warns of."""

import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.cli.predict import predict as command
from tests.support.toy_ensemble import SPEC
from tests.support.unlabeled_shards import SIZES, run, write_shards
from tests.support.videos import video_of, write_shard
from yt8m.data.description import DatasetDescription
from yt8m.data.format import RecordLayout
from yt8m.data.reading import read_videos
from yt8m.errors import ConfigError, DataError, StorageError
from yt8m.export.exported_model import ExportedModel
from yt8m.stages.predict import PredictConfig, predict

FLOATS = RecordLayout(id="key", frames="floats")


@pytest.fixture
def shards(tmp_path):
    return write_shards(tmp_path / "test")


def cut_off(model, copy):
    """Copy the model without most of its weights."""
    shutil.copytree(model, copy)
    (variables,) = (copy / "variables").glob("*.data-*")
    variables.write_bytes(variables.read_bytes()[:100])
    return copy


def test_bad_records_are_skipped_and_counted_or_stop_the_prediction(model, shards, tmp_path):
    bad = [video_of(0, **SIZES), video_of(1, rgb=12), video_of(2, **SIZES)]
    uri = write_shard(tmp_path / "bad.tfrecord", bad)
    result = run(model, uri, tmp_path / "out.csv")
    assert result.metrics["videos"] == 2
    assert result.metrics["bad_records"] == 1
    with pytest.raises(DataError, match=r"bad\.tfrecord: record 1"):
        run(model, uri, tmp_path / "strict.csv", on_bad="fail")


def test_videos_with_invalid_labels_are_predicted(model, shards, tmp_path):
    videos = [video_of(0, labels=[29, 30, -1], **SIZES), video_of(1, labels=[10**6], **SIZES)]
    result = run(model, write_shard(tmp_path / "labels.tfrecord", videos), tmp_path / "out.csv", on_bad="fail")
    assert result.metrics["videos"] == 2
    assert result.metrics["bad_records"] == 0


def test_shards_without_usable_videos_are_an_error_with_the_reason(model, tmp_path):
    write_shard(tmp_path / "other0.tfrecord", [video_of(number, rgb=7, audio=4) for number in range(3)])
    (tmp_path / "other1.tfrecord").write_bytes(b"no shard at all")
    told = (
        r"no usable video in 2 shards: 3 bad records, 1 damaged shards\. The first: .*other0\.tfrecord: record 0 "
        r"\(id 0000\): rgb of frame 0 has 7 bytes, not 12\. The records have: .*'rgb' \(.* of 7 bytes\).* "
        r"The model takes rgb of 12 values, audio of 4 values"
    )
    # A part may be empty because the other parts have the videos.
    part = run(model, f"{tmp_path}/other*.tfrecord", tmp_path / "out.csv", shard_range=(0, 2))
    assert part.metrics["total_videos"] == 0
    with pytest.raises(DataError, match=told):
        run(model, f"{tmp_path}/other*.tfrecord", tmp_path / "out.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other0.tfrecord", "other1.tfrecord"]


def test_damaged_shards_are_counted_separately_with_their_missing_videos(model, tmp_path):
    uri = write_shard(tmp_path / "damaged.tfrecord", [video_of(number, **SIZES) for number in range(10)])
    write_shard(tmp_path / "whole.tfrecord", [video_of(10, **SIZES), video_of(11, rgb=1, audio=4)])
    content = bytearray(Path(uri).read_bytes())
    content[len(content) * 7 // 10 + 20] ^= 1  # in the eighth of 10 records of the same length
    Path(uri).write_bytes(content)
    arguments = ["--model", str(model), "--input", f"{tmp_path}/*.tfrecord", "--output", str(tmp_path / "out.csv")]
    for _ in range(2):  # a resumed call reports it again
        done = CliRunner().invoke(command, [*arguments, "--shard-range", "0:2"], catch_exceptions=False)
        assert "1 bad records skipped; 1 damaged shards: about 3 videos or more are missing" in done.stdout
    metrics = run(model, f"{tmp_path}/*.tfrecord", tmp_path / "out.csv").metrics
    assert metrics["total_videos"] == 8
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 9


def test_impossible_requests_are_refused_with_the_reason(model, shards, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a file that ends in \.csv or \.parquet"):
        run(model, shards, tmp_path / "out.txt")
    with pytest.raises(ConfigError, match="expected part of 0:3, received 2:4"):
        run(model, shards, tmp_path / "out.csv", shard_range=(2, 4))
    with pytest.raises(DataError, match="no shard matches"):
        run(model, str(tmp_path / "none*"), tmp_path / "out.csv")
    with pytest.raises(ConfigError, match="a submission has no class names"):
        run(model, shards, tmp_path / "out.csv", vocabulary="classes.csv")
    (tmp_path / "classes.csv").write_text("Index,Name\n30,Game\n")
    with pytest.raises(DataError, match=r"classes\.csv: line 2: class 30, but there are 30 classes"):
        run(model, shards, tmp_path / "out.parquet", vocabulary=str(tmp_path / "classes.csv"))


def test_shards_with_other_ranges_than_the_models_are_refused(model, shards, tmp_path):
    data = SPEC.model_dump(mode="json") | {"num_classes": 99, "ranges": {"audio": [0.0, 6.0]}}
    description = tmp_path / "test" / "dataset.json"
    description.write_text(json.dumps({"data": data, "seed": 0, "videos": {}, "shards": {}}))
    with pytest.raises(
        DataError, match=r"made for other videos than dataset\.json describes \(ranges .*'audio': \[-2\.0"
    ):
        run(model, shards, tmp_path / "out.csv")
    description.write_text(description.read_text().replace("[0.0, 6.0]", "[-2.0, 2.0]"))
    assert run(model, shards, tmp_path / "out.csv").metrics["videos"] == 10


def test_an_unwritable_output_is_refused_before_the_model_is_loaded(tmp_path):
    folder = tmp_path / "out.csv"
    folder.mkdir()
    for output in (folder, f"file://{folder}"):
        with pytest.raises(ConfigError, match=r"output: expected the name of a file, received the folder '.*out\.csv'"):
            run(tmp_path / "none", "none", output)
    with pytest.raises(StorageError, match="unknown kind of storage 'ftp'"):
        run(tmp_path / "none", "none", "ftp://host/out.csv")
    assert list(tmp_path.iterdir()) == [folder]


def test_a_truncated_model_is_named(model, shards, tmp_path):
    cut_off(model, tmp_path / "cut")
    with pytest.raises(DataError, match=r"cut: TensorFlow cannot load this SavedModel.* Export it again"):
        run(tmp_path / "cut", shards, tmp_path / "out.csv")
    (tmp_path / "cut" / "assets.extra" / "ensemble.json").write_bytes(b"\xff")
    with pytest.raises(StorageError, match=r"ensemble\.json: not a text file"):
        run(tmp_path / "cut", shards, tmp_path / "out.csv")


@pytest.mark.slow
def test_an_error_in_a_worker_is_raised_unchanged(model, shards, tmp_path):
    write_shard(tmp_path / "test" / "b.tfrecord", [video_of(1, rgb=12)])
    with pytest.raises(DataError, match=r"b\.tfrecord: record 0"):
        run(model, shards, tmp_path / "out.csv", workers=2, on_bad="fail")
    with pytest.raises(DataError, match="TensorFlow cannot load this SavedModel"):
        run(cut_off(model, tmp_path / "cut"), shards, tmp_path / "out.csv", workers=2)


def floats_shard(folder: Path, *, labels: bool = False) -> str:
    """Write a shard of two videos whose frames are floats, with the id in `key`."""
    records = []
    for number in range(2):
        record = tf.train.SequenceExample()
        record.context.feature["key"].bytes_list.value.append(b"v%d" % number)
        if labels:
            record.context.feature["labels"].int64_list.value.append(number)
        for name, size in SIZES.items():
            frame = record.feature_lists.feature_list[name].feature.add()
            frame.float_list.value.extend([number - 0.5] * size)
        records.append(bytes(record.SerializeToString()))
    folder.mkdir()
    return write_shard(folder / "floats.tfrecord", records)


@pytest.mark.slow
def test_shards_of_another_layout_are_read_as_the_message_says(model, tmp_path):
    shard = floats_shard(tmp_path / "shards")
    output = tmp_path / "out.csv"
    arguments = ["predict", "--model", str(model), "--input", shard, "--output", str(output)]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    options = ["--layout", "id=key,frames=floats"]
    assert f"`yt8m predict` and `yt8m evaluate` with {' '.join(options)}" in refused.stderr
    assert not output.exists()
    done = CliRunner().invoke(main, [*arguments, *options])
    assert done.exit_code == 0, done.output
    assert [line.split(",")[0] for line in output.read_text().splitlines()] == ["VideoId", "v0", "v1"]
    (batch,) = read_videos([shard], SPEC.model_copy(update={"layout": FLOATS}), batch_size=9)
    scores = ExportedModel(model).top(batch["frames"], batch["num_frames"])[1]
    assert f"{scores[0][0]:.6f}"[:6] in output.read_text().splitlines()[1]


def test_the_description_of_the_shards_goes_before_the_models_layout(model, shards, tmp_path):
    described = SPEC.model_copy(update={"layout": FLOATS})
    other = floats_shard(tmp_path / "other")
    description = DatasetDescription(data=described, seed=0, videos={}, shards={})
    (tmp_path / "other" / "dataset.json").write_text(description.model_dump_json())
    run(model, other, tmp_path / "out.csv")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3
    with pytest.raises(DataError, match=r"records of different layouts\. Read them by separate calls"):
        predict(model=model, inputs=[other, shards], output=str(tmp_path / "b.csv"), config=PredictConfig())


def test_evaluation_reads_another_layout_and_tells_it(model, tmp_path):
    arguments = ["evaluate", "--model", str(model), "--input", floats_shard(tmp_path / "shards", labels=True), "--json"]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    options = ["--layout", "id=key,frames=floats"]
    assert f"`yt8m evaluate` with {' '.join(options)}" in refused.stderr
    done = CliRunner().invoke(main, [*arguments, *options])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["videos"] == 2


@pytest.mark.parametrize("name", ["predict", "evaluate"])
def test_an_unusable_layout_is_refused(model, tmp_path, name):
    shard = floats_shard(tmp_path / "shards")
    output = ["--output", str(tmp_path / "out.csv")] if name == "predict" else []
    arguments = [name, "--model", str(model), "--input", shard, *output, "--layout", "frames=texts"]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert "frames: input should be 'bytes' or 'floats'. Received: 'texts'" in refused.stderr
