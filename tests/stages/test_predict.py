import csv
import json
import multiprocessing
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.cli.predict import predict as command
from tests.support.toy_ensemble import SPEC, export_ensemble, write_quantized_model, write_weights
from tests.support.videos import video_of, write_shard
from yt8m.data import stream
from yt8m.data.description import DatasetDescription
from yt8m.data.format import RecordLayout
from yt8m.data.parsing import parse_record
from yt8m.data.reading import read_videos
from yt8m.errors import ConfigError, DataError, StorageError, WorkerError
from yt8m.export.exported_model import ExportedModel
from yt8m.export.shard_predictor import ShardPredictor
from yt8m.export.shard_task import ShardResult
from yt8m.stages.predict import PredictConfig, predict

FLOATS = RecordLayout(id="key", frames="floats")
SIZES: dict[str, Any] = {"rgb": 12, "audio": 4}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    root = tmp_path_factory.mktemp("model")
    members = {name: write_quantized_model(root / name, seed) for seed, name in enumerate(["one", "two"])}
    weights = write_weights(root / "weights.json", {"one": 0.5, "two": 0.5})
    return export_ensemble(members, weights, root)


@pytest.fixture
def shards(tmp_path):
    """Write three shards of 5, 1 and 4 videos without labels; return their glob pattern."""
    (tmp_path / "test").mkdir()
    first = 0
    for name, videos in (("a", 5), ("b", 1), ("c", 4)):
        records = [video_of(i, num_frames=1 + i, labels=None, **SIZES) for i in range(first, first + videos)]
        write_shard(tmp_path / "test" / f"{name}.tfrecord", records)
        first += videos
    return str(tmp_path / "test" / "*.tfrecord")


def run(model, shards, output, **options):
    config = PredictConfig(batch_size=2, **options)
    return predict(model=model, inputs=[shards], output=str(output), config=config)


def cut_off(model, copy):
    """Copy the model without most of its weights."""
    shutil.copytree(model, copy)
    (variables,) = (copy / "variables").glob("*.data-*")
    variables.write_bytes(variables.read_bytes()[:100])
    return copy


def expected_top(model, shards):
    exported = ExportedModel(model)
    folder, _, _ = shards.rpartition("/")
    uris = [f"{folder}/{name}.tfrecord" for name in "abc"]
    (batch,) = list(read_videos(uris, SPEC, batch_size=100))
    ids = [each.decode() for each in batch["ids"].numpy()]
    return ids, *exported.top(batch["frames"], batch["num_frames"])


def test_a_submission_is_in_the_challenges_format(model, shards, tmp_path):
    result = run(model, shards, tmp_path / "submission.csv")
    ids, classes, scores = expected_top(model, shards)
    lines = (tmp_path / "submission.csv").read_text().splitlines()
    assert lines[0] == "VideoId,LabelConfidencePairs"
    assert [line.split(",")[0] for line in lines[1:]] == ids == [f"{i:04d}" for i in range(10)]
    for line, row_classes, row_scores in zip(lines[1:], classes, scores, strict=True):
        pairs = line.split(",")[1].split(" ")
        assert len(pairs) == 40
        assert [int(label) for label in pairs[::2]] == row_classes.tolist()
        np.testing.assert_allclose([float(score) for score in pairs[1::2]], row_scores, rtol=1e-5)
    assert result.metrics["videos"] == 10
    assert result.metrics["shards"] == 3


@pytest.mark.parametrize("ending", ["csv", pytest.param("parquet", marks=pytest.mark.slow)])
def test_ids_that_are_no_text_can_be_joined_and_repeated_ones_are_told(model, tmp_path, caplog, ending):
    ids = [bytes(range(150, 166)), b"a\0b", b'a "b",\nc', "ä".encode(), b"", b"0"]
    for name, own in (("a", ids), ("b", ids[2:3]), ("c", [b"new"])):
        videos = [replace(video_of(number, labels=None, **SIZES), id=each) for number, each in enumerate(own)]
        write_shard(tmp_path / f"{name}.tfrecord", videos)
    output = tmp_path / f"out.{ending}"
    run(model, str(tmp_path / "*.tfrecord"), output)
    if ending == "csv":
        with output.open(newline="") as file:
            found = [row["VideoId"] for row in csv.DictReader(file)]
    else:
        found = pq.read_table(output)["VideoId"].to_pylist()[::20]
    text = ['a "b",\nc', "ä", "0"]
    assert found == ["0x969798999a9b9c9d9e9fa0a1a2a3a4a5", "0x610062", *text, text[0], "new"]
    assert "2 ids are no text" in caplog.text
    places = f"'{text[0]}' in {tmp_path / 'a.tfrecord'} and {tmp_path / 'b.tfrecord'}"
    assert f"1 videos have the id of another one, for instance {places}" in caplog.text


def test_only_the_output_is_left(model, shards, tmp_path):
    run(model, shards, tmp_path / "out" / "submission.csv")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["submission.csv"]


def test_parquet_names_classes_by_index_not_by_row(model, shards, tmp_path):
    names = {index: f"name of {index}" * (index != 29) for index in range(30)}
    with (tmp_path / "vocabulary.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["Index", "TrainVideoCount", "Name"])
        rows.writerows([index, 7, names[index]] for index in reversed(names))
    run(model, shards, tmp_path / "predictions.parquet", vocabulary=str(tmp_path / "vocabulary.csv"))
    ids, classes, scores = expected_top(model, shards)
    table = pq.read_table(tmp_path / "predictions.parquet").to_pydict()
    assert table["VideoId"] == [video for video in ids for _ in range(20)]
    assert table["Rank"] == list(range(1, 21)) * 10
    assert table["Label"] == classes.reshape(-1).tolist()
    assert table["Name"] == [names.get(label) for label in classes.reshape(-1).tolist()]
    np.testing.assert_allclose(table["Confidence"], scores.reshape(-1), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [pytest.param("csv", marks=pytest.mark.slow), "parquet"])
def test_separate_calls_for_parts_give_the_same_file(model, shards, tmp_path, ending):
    run(model, shards, tmp_path / f"whole.{ending}")
    apart = tmp_path / f"apart.{ending}"
    run(model, shards, apart, shard_range=(1, 3))
    assert not apart.exists()
    run(model, shards, apart, shard_range=(0, 1))
    result = run(model, shards, apart)
    assert result.metrics["resumed_shards"] == 3
    assert apart.read_bytes() == (tmp_path / f"whole.{ending}").read_bytes()


@pytest.mark.parametrize("name", ["a" * 246 + ".tfrecord", "語" * 82 + ".tfrecord"])
def test_names_of_shards_and_outputs_may_be_as_long_as_the_file_system_allows(model, tmp_path, name):
    shard = write_shard(tmp_path / name, [video_of(1, labels=None, **SIZES)])
    output = tmp_path / ("p" * 251 + ".csv")
    run(model, shard, output, shard_range=(0, 1))
    assert run(model, shard, output).metrics["resumed_shards"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, output.name])
    with pytest.raises(ConfigError, match="at most 255 bytes, received one of 256"):
        run(model, shard, tmp_path / ("p" * 252 + ".csv"))


@pytest.mark.slow
def test_several_processes_write_the_same_file(model, shards, tmp_path):
    run(model, shards, tmp_path / "one.csv")
    result = run(model, shards, tmp_path / "several.csv", workers=2)
    assert result.metrics["videos"] == 10
    assert (tmp_path / "several.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


@pytest.mark.slow
def test_a_worker_that_is_killed_is_an_error_and_finished_shards_are_kept(model, shards, tmp_path):
    run(model, shards, tmp_path / "out.csv", shard_range=(0, 1))

    def kill_the_first():
        while len(workers := multiprocessing.active_children()) < 2:
            time.sleep(0.01)
        # CPython bug: a pool may miss the death of a process while it starts another one.
        time.sleep(0.5)
        min(workers, key=lambda worker: worker.pid).kill()

    with ThreadPoolExecutor(1) as killer:
        killing = killer.submit(kill_the_first)
        with pytest.raises(WorkerError, match=r"one of 2 processes died, .* Finished shards are kept; call again with"):
            run(model, shards, tmp_path / "out.csv", workers=2)
        killing.result()
    # The other worker may have finished its shard before the error.
    assert run(model, shards, tmp_path / "out.csv").metrics["resumed_shards"] in {1, 2}


@pytest.mark.slow
def test_an_error_in_a_worker_is_raised_unchanged(model, shards, tmp_path):
    write_shard(tmp_path / "test" / "b.tfrecord", [video_of(1, rgb=12)])
    with pytest.raises(DataError, match=r"b\.tfrecord: record 0"):
        run(model, shards, tmp_path / "out.csv", workers=2, on_bad="fail")
    with pytest.raises(DataError, match="TensorFlow cannot load this SavedModel"):
        run(cut_off(model, tmp_path / "cut"), shards, tmp_path / "out.csv", workers=2)


def test_many_shards_are_read_by_one_stream_and_told_apart(model, tmp_path, monkeypatch):
    traced = Mock(wraps=parse_record)
    monkeypatch.setattr(stream, "parse_record", traced)
    good, bad = [video_of(n, labels=None, **SIZES) for n in range(3)], b"no video"
    contents: list[list[Any]] = [[good[0]], [], [bad, bad], [good[1], bad, good[2]], [bad], []]
    for number, records in enumerate(contents):
        write_shard(tmp_path / f"{number}.tfrecord", records)
    damaged = tmp_path / "3.tfrecord"
    damaged.write_bytes(damaged.read_bytes()[:-1])

    run(model, str(tmp_path / "0.tfrecord"), tmp_path / "one.csv")
    calls = traced.call_count
    run(model, str(tmp_path / "*.tfrecord"), tmp_path / "out.csv", shard_range=(0, 6))
    assert traced.call_count == 2 * calls  # as often as for one shard

    paths = sorted((tmp_path / "out.csv.parts").glob("*.json"))
    found = [ShardResult.load(path) for path in paths]
    assert [(each.videos, each.bad_records, each.damaged) for each in found] == [
        *[(1, 0, False), (0, 0, True), (0, 2, False)],
        *[(1, 1, True), (0, 1, False), (0, 0, True)],
    ]
    assert "1.tfrecord: damaged at byte 0" in found[1].problem
    assert "2.tfrecord: record 0" in found[2].problem
    assert "3.tfrecord: record 1" in found[3].problem
    assert [each.lost_bytes > 0 for each in found] == [False, False, False, True, False, False]
    run(model, str(tmp_path / "*.tfrecord"), tmp_path / "out.csv")
    assert [line[:4] for line in (tmp_path / "out.csv").read_text().splitlines()[1:]] == ["0000", "0001"]


def test_an_interrupted_call_continues_at_the_shard_where_it_stopped(model, shards, tmp_path, monkeypatch):
    run(model, shards, tmp_path / "whole.csv")
    whole = ShardPredictor.predict

    def interrupted(self, tasks):
        for task, done in zip(tasks, whole(self, tasks), strict=False):
            yield done
            if task.shard.endswith("a.tfrecord"):
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ShardPredictor, "predict", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(model, shards, tmp_path / "resumed.csv")
    assert not (tmp_path / "resumed.csv").exists()
    result = run(model, shards, tmp_path / "resumed.csv")
    assert result.metrics["resumed_shards"] == 1
    assert result.metrics["shards"] == 2
    assert (tmp_path / "resumed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_changed_shard_is_predicted_again(model, shards, tmp_path):
    run(model, shards, tmp_path / "out.csv", shard_range=(0, 3))
    write_shard(tmp_path / "test" / "b.tfrecord", [video_of(77, labels=None, **SIZES)])
    result = run(model, shards, tmp_path / "out.csv")
    assert result.metrics["shards"] == 1
    assert "\n0077," in (tmp_path / "out.csv").read_text()


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


def test_the_command_predicts(model, shards, tmp_path):
    arguments = ["--model", str(model), "--input", shards, "--output", str(tmp_path / "out.csv"), "--batch-size", "3"]
    done = CliRunner().invoke(command, [*arguments, "--shard-range", "0:2"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "parts of" in done.stdout
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert "4 videos of 1 shard in" in done.stdout
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 11


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
