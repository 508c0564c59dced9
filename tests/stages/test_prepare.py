import numpy as np
import pytest

from tests.support.python import modules_after
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition
from yt8m.errors import ConfigError, DataError
from yt8m.stages.prepare import PrepareConfig, prepare


@pytest.fixture
def folder(tmp_path, shards):
    """Write two training shards of 4 videos and three validation shards of 3 videos."""
    for n in range(2):
        videos = [shards.video_of(10 * n + i, labels=[i, 9]) for i in range(4)]
        shards.write(tmp_path / f"train{n}.tfrecord", videos)
    for n in range(3):
        videos = [shards.video_of(100 + 10 * n + i, labels=[5]) for i in range(3)]
        shards.write(tmp_path / f"validate{n}.tfrecord", videos)
    return tmp_path


def run(folder, shards, **changes):
    values = {
        "training": (f"{folder}/train*.tfrecord",),
        "validation": (f"{folder}/validate*.tfrecord",),
        "holdout_shards": 1,
        "spec": shards.spec,
    }
    output = folder / "partition.json"
    result = prepare(config=PrepareConfig(**values | changes), output=output)
    return Partition.load(output), result


def test_counts_sizes_and_class_frequencies(folder, shards):
    partition, result = run(folder, shards)

    assert [shard.videos for shard in partition.training] == [4, 4, 3, 3]
    assert [shard.videos for shard in partition.holdout] == [3]
    assert all(shard.size_bytes == (folder / shard.uri).stat().st_size for shard in partition.training)
    assert partition.class_counts == (2, 2, 2, 2, 0, 6, 0, 0, 0, 8)
    assert result.metrics["training_videos"] == 14
    assert result.metrics["mean_labels"] == 22 / 14
    assert result.metrics["mean_frames"] == 3
    assert result.metrics["classes_without_training_video"] == 4
    assert all(type(value) is float and np.isfinite(value) for value in result.metrics.values())


def test_the_same_shards_make_the_same_partition(folder, shards):
    first, _ = run(folder, shards)
    second, _ = run(folder, shards)

    assert first.digest == second.digest
    assert {run(folder, shards, seed=seed)[0].holdout_uris[0][-10] for seed in range(6)} == set("012")


def test_new_content_makes_a_new_partition(folder, shards):
    before, _ = run(folder, shards)
    shards.write(folder / "train0.tfrecord", [shards.video_of(50 + i, labels=[i, 9]) for i in range(4)])
    after, _ = run(folder, shards)

    assert before.class_counts == after.class_counts
    assert before.training[0].size_bytes == after.training[0].size_bytes
    assert before.digest != after.digest


def test_damaged_shards_and_bad_records_are_reported(folder, shards, caplog):
    damaged = folder / "train0.tfrecord"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    shards.write(folder / "train1.tfrecord", [shards.Video(), shards.video_of(1)])
    (folder / "train2.tfrecord").write_text("not a shard at all")
    partition, result = run(folder, shards)

    assert [(shard.uri[-15:], shard.videos) for shard in partition.training[:2]] == [
        ("train0.tfrecord", 3),
        ("train1.tfrecord", 1),
    ]
    assert len(partition.training) == 4  # the shard without videos is left out
    assert [(each.shard[-15:], each.record) for each in partition.damaged_shards] == [
        ("train0.tfrecord", 3),
        ("train2.tfrecord", 0),
    ]
    assert [(each.record, each.reason) for each in partition.skipped_records] == [(0, "no frames")]
    assert result.metrics["damaged_shards"] == 2
    assert result.metrics["skipped_records"] == partition.num_skipped_records == 1
    with pytest.raises(DataError, match=r"train0\.tfrecord: damaged at byte"):
        run(folder, shards, on_bad="fail")


def test_a_glob_that_matches_nothing_is_named(folder, shards):
    with pytest.raises(DataError, match=r"training: no shard matches '.*/nothing\*'"):
        run(folder, shards, training=(f"{folder}/nothing*",))


def test_a_shard_that_two_globs_match_counts_once(folder, shards):
    partition, _ = run(folder, shards, training=(f"{folder}/train*", f"{folder}/train0*"))
    assert partition.num_training_videos == 14


def test_a_shard_that_two_spellings_of_its_path_reach_counts_once(folder, shards):
    (folder / "linked").symlink_to(folder)
    again = (f"{folder}/../{folder.name}/train*", f"{folder}/linked/train*")
    partition, _ = run(folder, shards, training=(f"{folder}/train*", *again))
    assert partition.num_training_videos == 14
    with pytest.raises(DataError, match="both a training and a validation shard"):
        run(folder, shards, training=(f"{folder}/linked/validate*",))


def test_data_with_other_features_is_refused_with_the_first_reason(folder, shards):
    with pytest.raises(DataError, match=r"no usable video in the training shards .*rgb of frame 0 has 4 bytes, not 5"):
        run(folder, shards, spec=DataSpec(features={"rgb": 5, "audio": 2}, num_classes=10))


def test_the_configuration_is_strict():
    with pytest.raises(ConfigError, match="unknown key 'holdout'"):
        PrepareConfig.parse({"validation": ["a*"], "holdout_shards": 1, "holdout": 3}, "recipe.yaml")


def test_the_configuration_loads_without_tensorflow():
    assert not {"tensorflow", "keras"} & modules_after("import yt8m.stages.prepare")


def test_real_shards_are_divided(real_data, tmp_path):
    config = PrepareConfig(
        training=(f"{real_data}/frame_level/*.tfrecord",),
        validation=(f"{real_data}/video_level/*.tfrecord",),
        holdout_shards=2,
    )
    result = prepare(config=config, output=tmp_path / "partition.json")
    partition = Partition.load(tmp_path / "partition.json")

    assert partition.num_training_videos + partition.num_holdout_videos == 2377
    assert len(partition.training) == 7
    assert [str(record).rpartition("/")[2] for record in partition.skipped_records] == [
        "train2072-SzHA-rgb-only-reconstructed.tfrecord: record 0 (id SzHA): no audio"
    ]
    assert 2.5 < result.metrics["mean_labels"] < 3.5
    assert np.argmax(partition.class_counts) == 0  # "Game"


def test_shards_that_are_described_as_other_data_are_refused_before_they_are_read(folder, shards):
    shards.describe(folder, data=shards.spec.model_dump(mode="json") | {"num_classes": 12, "ranges": {"rgb": [0, 6]}})
    with pytest.raises(
        DataError, match=r"data\.spec: differs from .*/dataset\.json \(ranges .*; num_classes 10 and 12"
    ):
        run(folder, shards)
    agreeing = shards.spec.model_copy(update={"num_classes": 12, "ranges": {"rgb": (0.0, 6.0)}})
    assert run(folder, shards, spec=agreeing)[0].spec == agreeing


def test_sides_that_are_described_as_different_data_are_refused(folder, shards):
    (folder / "other").mkdir()
    for path in folder.glob("validate*"):
        path.rename(folder / "other" / path.name)
    shards.describe(folder)
    shards.describe(folder / "other", data=shards.spec.model_dump(mode="json") | {"ranges": {"audio": [0, 6]}})
    with pytest.raises(DataError, match=rf"{folder} and {folder}/other hold different data.*audio.*6\.0"):
        run(folder, shards, validation=(f"{folder}/other/*.tfrecord",))


@pytest.mark.parametrize("same", [True, False])
def test_sides_whose_classes_have_different_names_are_refused(folder, shards, same):
    (folder / "other").mkdir()
    for path in folder.glob("validate*"):
        path.rename(folder / "other" / path.name)
    for place, names in (
        (folder, "0,cat\n1,dog\n"),
        (folder / "other", "0,cat\n1,dog\n" if same else "0,dog\n1,cat\n"),
    ):
        shards.describe(place, vocabulary="vocabulary.csv")
        (place / "vocabulary.csv").write_text("Index,Name\n" + names)
    validation = (f"{folder}/other/*.tfrecord",)
    if same:
        run(folder, shards, validation=validation)
        return
    with pytest.raises(DataError, match=r"hold different data.*names of classes"):
        run(folder, shards, validation=validation)
