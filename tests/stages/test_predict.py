"""Predictions for shards: their format, calls that continue others, and several processes."""

import csv
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipelines.cli.predict import predict as command
from tests.support.toy_ensemble import SPEC
from tests.support.unlabeled_shards import SIZES, run, write_shards
from tests.support.videos import video_of, write_shard
from yt8m.data import stream
from yt8m.data.parsing import parse_record
from yt8m.data.reading import read_videos
from yt8m.errors import ConfigError, WorkerError
from yt8m.export.exported_model import ExportedModel
from yt8m.export.shard_predictor import ShardPredictor
from yt8m.export.shard_task import ShardResult


@pytest.fixture
def shards(tmp_path):
    return write_shards(tmp_path / "test")


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


def test_the_command_predicts(model, shards, tmp_path):
    arguments = ["--model", str(model), "--input", shards, "--output", str(tmp_path / "out.csv"), "--batch-size", "3"]
    done = CliRunner().invoke(command, [*arguments, "--shard-range", "0:2"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "parts of" in done.stdout
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert "4 videos of 1 shard in" in done.stdout
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 11
