"""The test of the exported model on labeled shards that nothing else reads."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from yt8m.data.partition import Partition
from yt8m.data.scan import read_ids
from yt8m.errors import ConfigError, DataError
from yt8m.stages.evaluate import EvaluateConfig, evaluate
from yt8m.stages.final_test import check_first_records, find_test_shards, measure_on_test

CONFIG = EvaluateConfig(batch_size=4)


@pytest.fixture
def labeled_shard(tmp_path: Path, shards: SimpleNamespace) -> str:
    videos = [shards.video_of(number, labels=[number % 3, 9]) for number in range(500, 507)]
    return shards.write(tmp_path / "test0.tfrecord", videos)


@pytest.mark.slow
def test_figures_have_names_of_their_own(small_partition, trained, labeled_shard):
    found = measure_on_test([labeled_shard], partition=small_partition, model=trained, config=CONFIG)
    assert found["test_videos"] == 7
    assert 0 < found["test_gap_low"] <= found["test_gap"] <= found["test_gap_high"] <= 1
    assert {"test_map", "test_hit_at_1", "test_baseline_gap", "test_gap_error", "test_gain_error"} < set(found)
    assert found["test_videos_in_training"] == 0
    assert not {"test_bytes", "test_seconds", "test_gap_select", "test_select_videos"} & set(found)


def test_the_same_videos_as_a_hold_out_have_the_same_figures(small_partition, trained, tmp_path):
    known = Partition.load(small_partition)
    # A hold-out shard, which the partition does not know.
    (shard,) = known.holdout
    shutil.copy(shard.uri, tmp_path / "test.tfrecord")
    unknown = known.model_copy(
        update={"holdout": (shard.model_copy(update={"checksum": "?", "uri": known.training_uris[0]}),)}
    )
    unknown.save(tmp_path / "partition.json")
    patterns = [str(tmp_path / "test*.tfrecord")]
    found = measure_on_test(patterns, partition=tmp_path / "partition.json", model=trained, config=CONFIG)
    expected = evaluate(partition=small_partition, model=trained, config=CONFIG, predictions=None).metrics
    for name in ("gap", "gap_low", "gap_high", "map", "hit_at_1", "loss", "videos", "baseline_gap"):
        assert found[f"test_{name}"] == pytest.approx(expected[name]), name


def test_without_patterns_nothing_is_measured(tmp_path):
    assert measure_on_test([], partition=tmp_path / "none", model=tmp_path, config=CONFIG) == {}


def test_shards_of_the_run_are_no_test(small_partition, trained, tmp_path):
    known = Partition.load(small_partition)
    with pytest.raises(DataError, match=r"data\.test: .*validate0\.tfrecord: also a training or hold-out shard"):
        measure_on_test(known.holdout_uris, partition=small_partition, model=trained, config=CONFIG)
    shutil.copy(known.training_uris[0], tmp_path / "copy.tfrecord")
    with pytest.raises(DataError, match=r"data\.test: .*copy\.tfrecord: also a training or hold-out shard"):
        measure_on_test([str(tmp_path / "*.tfrecord")], partition=small_partition, model=trained, config=CONFIG)
    with pytest.raises(ConfigError, match=r"data\.test\[0\]: .*also a training or hold-out shard"):
        find_test_shards("data.test[0]", known.training_uris[0], known.training_uris)


@pytest.mark.slow
def test_videos_of_the_run_in_other_shards_are_told(small_partition, trained, tmp_path, shards, caplog):
    known = Partition.load(small_partition)
    used = [id_ for uris in (known.training_uris, known.holdout_uris) for id_ in read_ids(uris[0], known.spec)[:1]]
    videos = [shards.video_of(number, labels=[number % 3]) for number in (500, *map(int, used), 501)]
    uri = shards.write(tmp_path / "test0.tfrecord", videos)
    found = measure_on_test([uri], partition=small_partition, model=trained, config=CONFIG)
    assert (found["test_videos"], found["test_videos_in_training"]) == (4, 2)
    assert (
        f"data.test: 2 of 4 test videos are training or hold-out videos, too, for instance '{used[0]}' in {uri}."
        in (caplog.text)
    )


def test_patterns_without_shards_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.test\[1\]: .*nothing"):
        find_test_shards("data.test[1]", str(tmp_path / "nothing*.tfrecord"))


def test_unlabeled_shards_are_refused_early_and_late(small_partition, trained, tmp_path, shards):
    uri = shards.write(tmp_path / "test.tfrecord", [shards.video_of(number, labels=None) for number in range(3)])
    with pytest.raises(ConfigError, match=r"data\.test\[0\]: .*no labeled video: the records have no 'labels'"):
        check_first_records("data.test[0]", uri, shards.spec)
    with pytest.raises(DataError, match=r"data\.test: .*no labeled video"):
        measure_on_test([uri], partition=small_partition, model=trained, config=CONFIG)


def test_other_features_are_refused_early_and_late(small_partition, trained, tmp_path, shards):
    uri = shards.write(tmp_path / "test.tfrecord", [shards.video_of(number, rgb=5, audio=2) for number in range(3)])
    with pytest.raises(ConfigError, match=r"data\.test\[0\]: .*no usable video: "):
        check_first_records("data.test[0]", uri, shards.spec)
    with pytest.raises(DataError, match=r"data\.test: no usable video"):
        measure_on_test([uri], partition=small_partition, model=trained, config=CONFIG)


def test_labeled_shards_pass(labeled_shard, shards):
    check_first_records("data.test[0]", labeled_shard, shards.spec)
    assert find_test_shards("data.test[0]", labeled_shard) == [labeled_shard]
