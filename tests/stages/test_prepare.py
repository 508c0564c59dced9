from dataclasses import replace

import numpy as np
import pytest

from tests.support.preparation import run_prepare
from tests.support.python import modules_after
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.data.partition import Partition
from yt8m.data.scan import read_ids
from yt8m.errors import ConfigError, DataError
from yt8m.stages.prepare import PrepareConfig, prepare


def test_counts_sizes_and_class_frequencies(folder, shards):
    partition, result = run_prepare(folder, shards)

    assert [shard.videos for shard in partition.training] == [4, 4, 3, 3]
    assert [shard.videos for shard in partition.holdout] == [3]
    assert all(shard.size_bytes == (folder / shard.uri).stat().st_size for shard in partition.training)
    assert partition.class_counts == (2, 2, 2, 2, 0, 6, 0, 0, 0, 8)
    assert result.metrics["training_videos"] == 14
    assert result.metrics["mean_labels"] == 22 / 14
    assert (partition.fewest_labels, partition.most_labels) == (1, 2)
    assert not partition.single_label
    assert result.metrics["mean_frames"] == 3
    assert result.metrics["classes_without_training_video"] == 4
    assert all(type(value) is float and np.isfinite(value) for value in result.metrics.values())


def test_the_partition_says_whether_every_video_has_one_label(folder, shards):
    for n in range(3):
        shards.write(folder / f"train{n}.tfrecord", [shards.video_of(10 * n + i, labels=[i]) for i in range(3)])
    partition, result = run_prepare(folder, shards)
    assert partition.single_label
    assert result.metrics["fewest_labels"] == result.metrics["most_labels"] == 1
    for labels in ([], [1, 2]):
        videos = [shards.video_of(100 + i, labels=labels if i == 1 else [5]) for i in range(3)]
        shards.write(folder / "validate1.tfrecord", videos)
        assert not run_prepare(folder, shards)[0].single_label


@pytest.mark.slow
def test_the_same_shards_make_the_same_partition(folder, shards):
    first, _ = run_prepare(folder, shards)
    second, _ = run_prepare(folder, shards)

    assert first.digest == second.digest
    assert {run_prepare(folder, shards, seed=seed)[0].holdout_uris[0][-10] for seed in range(6)} == set("012")


@pytest.mark.slow
def test_new_content_makes_a_new_partition(folder, shards):
    before, _ = run_prepare(folder, shards)
    shards.write(folder / "train0.tfrecord", [shards.video_of(50 + i, labels=[i, 9]) for i in range(4)])
    after, _ = run_prepare(folder, shards)

    assert before.class_counts == after.class_counts
    assert before.training[0].size_bytes == after.training[0].size_bytes
    assert before.digest != after.digest


def test_damaged_shards_and_bad_records_are_reported(folder, shards, caplog):
    damaged = folder / "train0.tfrecord"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    shards.write(folder / "train1.tfrecord", [shards.Video(), shards.video_of(1)])
    (folder / "train2.tfrecord").write_text("not a shard at all")
    partition, result = run_prepare(folder, shards)

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
        run_prepare(folder, shards, on_bad="fail")


def test_a_glob_that_matches_nothing_is_named(folder, shards):
    with pytest.raises(DataError, match=r"training: no shard matches '.*/nothing\*'"):
        run_prepare(folder, shards, training=(f"{folder}/nothing*",))


def test_a_shard_that_two_globs_match_counts_once(folder, shards):
    partition, _ = run_prepare(folder, shards, training=(f"{folder}/train*", f"{folder}/train0*"))
    assert partition.num_training_videos == 14


def test_a_shard_that_two_spellings_of_its_path_reach_counts_once(folder, shards):
    (folder / "linked").symlink_to(folder)
    again = (f"{folder}/../{folder.name}/train*", f"{folder}/linked/train*")
    partition, _ = run_prepare(folder, shards, training=(f"{folder}/train*", *again))
    assert partition.num_training_videos == 14
    with pytest.raises(DataError, match="both a training and a validation shard"):
        run_prepare(folder, shards, training=(f"{folder}/linked/validate*",))


def test_data_with_other_features_is_refused_with_the_first_reason(folder, shards):
    with pytest.raises(DataError, match=r"no usable video in the training shards .*rgb of frame 0 has 4 bytes, not 5"):
        run_prepare(folder, shards, spec=DataSpec(features={"rgb": 5, "audio": 2}, num_classes=10))


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
    assert (result.metrics["holdout_shards"], result.metrics["validation_shards"]) == (2, 8)
    assert np.argmax(partition.class_counts) == 0  # "Game"


def test_shards_that_are_described_as_other_data_are_refused_before_they_are_read(folder, shards):
    shards.describe(folder, data=shards.spec.model_dump(mode="json") | {"num_classes": 12, "ranges": {"rgb": [0, 6]}})
    with pytest.raises(
        DataError, match=r"data\.spec: differs from .*/dataset\.json \(ranges .*; num_classes 10 and 12"
    ):
        run_prepare(folder, shards)
    agreeing = shards.spec.model_copy(update={"num_classes": 12, "ranges": {"rgb": (0.0, 6.0)}})
    assert run_prepare(folder, shards, spec=agreeing)[0].spec == agreeing


def test_sides_that_are_described_as_different_data_are_refused(folder, shards):
    (folder / "other").mkdir()
    for path in folder.glob("validate*"):
        path.rename(folder / "other" / path.name)
    shards.describe(folder)
    shards.describe(folder / "other", data=shards.spec.model_dump(mode="json") | {"ranges": {"audio": [0, 6]}})
    with pytest.raises(DataError, match=rf"{folder} and {folder}/other hold different data.*audio.*6\.0"):
        run_prepare(folder, shards, validation=(f"{folder}/other/*.tfrecord",))


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
        run_prepare(folder, shards, validation=validation)
        return
    with pytest.raises(DataError, match=r"hold different data.*names of classes"):
        run_prepare(folder, shards, validation=validation)


@pytest.mark.parametrize("link", ["symlink_to", pytest.param("hardlink_to", marks=pytest.mark.slow)])
def test_a_link_is_the_shard_that_it_leads_to(folder, shards, link):
    before, _ = run_prepare(folder, shards)
    getattr(folder / "train9.tfrecord", link)(folder / "train0.tfrecord")
    partition, result = run_prepare(folder, shards)
    assert (partition.num_training_videos, result.metrics["copied_shards"]) == (before.num_training_videos, 0)

    getattr(folder / "validate9.tfrecord", link)(folder / "train0.tfrecord")
    with pytest.raises(
        DataError, match=r"validate9\.tfrecord: both a training .* \(as .*train0\.tfrecord\) \(such shards: 1\)"
    ):
        run_prepare(folder, shards)


def test_one_shard_for_everything_is_refused_with_the_command_that_divides_it(folder, shards):
    one = f"{folder}/train0.tfrecord"
    for training in ((), (f"{folder}/../{folder.name}/train0.tfrecord",)):
        with pytest.raises(DataError, match=rf"yt8m data split {one} --out {folder}/shards`"):
            run_prepare(folder, shards, training=training, validation=(one,))


def test_records_of_another_layout_are_refused_with_the_line_for_the_recipe(folder, shards):
    for first, path in enumerate(folder.glob("*.tfrecord")):
        videos = [shards.video_of(10 * first + number, labels=[number % 3]) for number in range(6)]
        for video in videos:
            video.id_name = "clip/key"
        shards.write(path, videos)
    line = r"`data: \{spec: \{layout: \{id: clip/key\}\}\}`"
    with pytest.raises(DataError, match=rf"no usable video in the training shards.*{line}"):
        run_prepare(folder, shards)


def test_the_remedy_for_shards_without_a_record_does_not_name_settings(folder, shards):
    for path in folder.glob("train*"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"the file is empty\. Give intact TFRecord files\. If these"):
        run_prepare(folder, shards, validation=(f"{folder}/validate0*",))


def report_ids(partition: Partition) -> set[str]:
    """Return the ids of the hold-out videos on which figures are reported."""
    ids = [video_id.encode() for uri in partition.holdout_uris for video_id in read_ids(uri, partition.spec)]
    return {key.decode() for key, mine in zip(ids, partition.division.in_report(ids), strict=True) if mine}


@pytest.mark.slow
def test_the_division_does_not_depend_on_the_shards(tmp_path, shards):
    training = [shards.video_of(number, labels=[number % 4]) for number in range(100, 112)]
    held_out = [shards.video_of(number, labels=[number % 4]) for number in range(21)]
    found = []
    for name, counts in (("one", [21]), ("three", [2, 9, 10])):
        folder = tmp_path / name
        folder.mkdir()
        shards.write(folder / "train0.tfrecord", training)
        order = held_out if name == "one" else held_out[::-1]
        for number, count in enumerate(counts):
            shards.write(folder / f"validate{number}.tfrecord", order[:count])
            order = order[count:]
        partition, result = run_prepare(folder, shards, holdout_shards=len(counts), report_share=0.4, seed=5)
        assert (result.metrics["report_videos"], result.metrics["select_videos"]) == (8, 13)
        assert result.details["part"] == "report"
        found.append((report_ids(partition), partition.division))
    assert found[0] == found[1]
    assert len(found[0][0]) == 8


def test_one_hold_out_video_cannot_be_divided_but_used_as_a_whole(tmp_path, shards):
    shards.write(
        tmp_path / "train0.tfrecord", [shards.video_of(number, labels=[number % 4]) for number in range(9, 20)]
    )
    shards.write(tmp_path / "validate0.tfrecord", [shards.video_of(1, labels=[1])])
    with pytest.raises(DataError, match=r"data\.report_share: 0\.5: .*1 of its 1 videos has labels.*report_share: 0"):
        run_prepare(tmp_path, shards, report_share=0.5)
    partition, result = run_prepare(tmp_path, shards)
    assert partition.division.part == result.details["part"] == "hold-out"


def test_a_group_that_is_no_text_is_told(tmp_path, shards):
    for name, numbers in (("train0", range(9, 20)), ("validate0", range(4))):
        videos = [replace(shards.video_of(each, labels=[each % 4]), means={"loud": [0.5]}) for each in numbers]
        shards.write(tmp_path / f"{name}.tfrecord", videos)
    layout = RecordLayout(group="mean_loud")
    with pytest.raises(DataError, match="mean_loud holds floats, not bytes"):
        run_prepare(tmp_path, shards, spec=shards.spec.model_copy(update={"layout": layout}))


def test_the_key_of_the_labels_cannot_be_that_of_the_group():
    with pytest.raises(ConfigError, match=r"group: expected another key than that of the labels, received 'labels'"):
        RecordLayout.parse({"group": "labels"}, "test")
