from dataclasses import replace

import numpy as np
import pytest

from tests.support.python import modules_after
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.data.partition import Partition
from yt8m.data.scan import read_ids
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
        "report_share": 0.0,
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
    assert (partition.fewest_labels, partition.most_labels) == (1, 2)
    assert not partition.single_label
    assert result.metrics["mean_frames"] == 3
    assert result.metrics["classes_without_training_video"] == 4
    assert all(type(value) is float and np.isfinite(value) for value in result.metrics.values())


def test_the_partition_says_whether_every_video_has_one_label(folder, shards):
    for n in range(3):
        shards.write(folder / f"train{n}.tfrecord", [shards.video_of(10 * n + i, labels=[i]) for i in range(3)])
    partition, result = run(folder, shards)
    assert partition.single_label
    assert result.metrics["fewest_labels"] == result.metrics["most_labels"] == 1
    for labels in ([], [1, 2]):
        videos = [shards.video_of(100 + i, labels=labels if i == 1 else [5]) for i in range(3)]
        shards.write(folder / "validate1.tfrecord", videos)
        assert not run(folder, shards)[0].single_label


@pytest.mark.slow
def test_the_same_shards_make_the_same_partition(folder, shards):
    first, _ = run(folder, shards)
    second, _ = run(folder, shards)

    assert first.digest == second.digest
    assert {run(folder, shards, seed=seed)[0].holdout_uris[0][-10] for seed in range(6)} == set("012")


@pytest.mark.slow
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


def write_side(folder, shards, side, videos):
    names = sorted(folder.glob(f"{side}*.tfrecord"))
    for number, path in enumerate(names):
        shards.write(path, videos[number :: len(names)])


def unlabeled(shards, number, **fields):
    """Make a record without `labels`, but with other integers."""
    import tensorflow as tf  # noqa: PLC0415 - most tests do without

    record = tf.train.SequenceExample.FromString(shards.video_of(number, labels=None).serialize())
    for key, values in fields.items():
        record.context.feature[key].int64_list.value.extend(values)
    return record.SerializeToString()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "the records have no 'labels'; .*'id' .*Give labeled shards: YouTube-8M's test shards have no labels"),
        ({"segment_labels": [3]}, "no 'labels'; .*'segment_labels'.* labels of segments are not those of videos"),
        ({"label": [3]}, r"'label' \(1 integer\)\. If 'label' are .*`data: \{spec: \{layout: \{labels: label\}\}\}`"),
        ({"labels": []}, "'labels' is empty in their records"),
    ],
)
def test_training_without_any_label_is_refused_with_what_the_records_have_instead(folder, shards, fields, said):
    write_side(folder, shards, "train", [unlabeled(shards, 500 + number, **fields) for number in range(6)])
    with pytest.raises(DataError, match=rf"no labeled video in the training shards \(2\): .*{said}"):
        run(folder, shards, validation=(f"{folder}/validate0*",))


def test_a_hold_out_without_any_label_is_refused(folder, shards):
    write_side(folder, shards, "validate", [unlabeled(shards, 500 + number) for number in range(6)])
    with pytest.raises(DataError, match=r"no labeled video in the hold-out shards \(1\): the records have no 'labels'"):
        run(folder, shards)


def test_training_videos_with_equal_labels_are_refused(folder, shards):
    for labels, said in (([4], "there is nothing to tell apart"), ([0, 1], r"layout: \{label_form: multi_hot\}\}\}`")):
        write_side(folder, shards, "train", [shards.video_of(500 + number, labels=labels) for number in range(6)])
        with pytest.raises(DataError, match=rf"all 6 training videos have the same labels \(class.*{said}"):
            run(folder, shards, validation=(f"{folder}/validate0*",))


def test_a_hold_out_of_other_classes_than_those_in_training_is_refused(folder, shards):
    write_side(folder, shards, "train", [shards.video_of(500 + number, labels=[number % 3]) for number in range(6)])
    with pytest.raises(
        DataError, match=r"no training video has a class .* \(class 5 there, classes 0, 1, 2 in training"
    ):
        run(folder, shards, validation=(f"{folder}/validate0*",))


def test_a_copy_of_a_training_shard_on_the_hold_out_is_refused(folder, shards):
    for copy, original in (("validate1", "train0"), ("validate2", "train1"), ("validate0", "train1")):
        (folder / f"{copy}.tfrecord").write_bytes((folder / f"{original}.tfrecord").read_bytes())
    with pytest.raises(DataError, match=r"2 hold-out shards have .*validate[01]\.tfrecord and .*train[01]\.tfrecord; "):
        run(folder, shards, holdout_shards=3)


def test_a_copy_within_a_side_is_used_once_and_told(folder, shards, caplog):
    before, expected = run(folder, shards)
    (folder / "train0 (1).tfrecord").write_bytes((folder / "train0.tfrecord").read_bytes())
    partition, result = run(folder, shards)

    assert partition.digest == before.digest
    for name in ("training_videos", "training_shards", "mean_frames", "mean_labels", "repeated_videos"):
        assert result.metrics[name] == expected.metrics[name]
    assert result.metrics["copied_shards"] == 1
    assert result.details["copies"] == [f"{folder}/train0 (1).tfrecord has the content of {folder}/train0.tfrecord"]
    assert "1 shard left out as copies" in result.details["doubts"][0]
    assert "1 shard left out as copies" in caplog.text


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_a_link_is_the_shard_that_it_leads_to(folder, shards, link):
    before, _ = run(folder, shards)
    getattr(folder / "train9.tfrecord", link)(folder / "train0.tfrecord")
    partition, result = run(folder, shards)
    assert (partition.num_training_videos, result.metrics["copied_shards"]) == (before.num_training_videos, 0)

    getattr(folder / "validate9.tfrecord", link)(folder / "train0.tfrecord")
    with pytest.raises(
        DataError, match=r"validate9\.tfrecord: both a training .* \(as .*train0\.tfrecord\) \(such shards: 1\)"
    ):
        run(folder, shards)


def test_one_shard_for_everything_is_refused_with_the_command_that_divides_it(folder, shards):
    one = f"{folder}/train0.tfrecord"
    for training in ((), (f"{folder}/../{folder.name}/train0.tfrecord",)):
        with pytest.raises(DataError, match=rf"yt8m data split {one} --out {folder}/shards`"):
            run(folder, shards, training=training, validation=(one,))


def test_hold_out_videos_that_are_training_videos_are_told_and_most_of_them_refused(folder, shards, caplog):
    videos = [shards.video_of(100 + number, labels=[number % 3]) for number in range(5)]
    shards.write(folder / "validate0.tfrecord", [*videos, shards.video_of(3, labels=[3])])
    _, result = run(folder, shards, validation=(f"{folder}/validate0*",))
    told = f"1 of 6 hold-out videos are training videos, too, for instance '0003' in {folder}/validate0.tfrecord and "
    assert result.metrics["holdout_videos_in_training"] == 1
    assert (result.details["shared_videos"], result.details["doubts"]) == (f"{told}{folder}/train0.tfrecord.", [])
    assert told in caplog.text

    others = [shards.video_of(number, labels=[1]) for number in (1, 2, 10)]
    shards.write(folder / "validate0.tfrecord", [*videos[:2], *others])
    with pytest.raises(DataError, match=r"3 of 5 hold-out videos are training videos, too, .*'0001'.* other videos"):
        run(folder, shards, validation=(f"{folder}/validate0*",))


def test_ids_that_all_videos_share_prove_no_copies(folder, shards):
    for side, count in (("train", 8), ("validate", 6)):
        videos = [shards.video_of(number, labels=[number % 4]) for number in range(count)]
        write_side(folder, shards, side, [replace(video, id=b"clip") for video in videos])
    _, result = run(folder, shards)
    assert "training videos have the id of another one of these." in str(result.details["doubts"])


def test_doubtful_labels_are_told_with_the_names_of_the_classes(folder, shards):
    shards.describe(folder, vocabulary="names.csv")
    (folder / "names.csv").write_text("Index,Name\n1,dog\n")
    videos = [shards.video_of(number, labels=[number % 3] if number < 4 else None) for number in range(8)]
    shards.write(folder / "train0.tfrecord", videos[:4])
    shards.write(folder / "train1.tfrecord", videos[4:])
    shards.write(folder / "validate0.tfrecord", [shards.video_of(100 + number, labels=[1, 5]) for number in range(3)])
    _, result = run(folder, shards, validation=(f"{folder}/validate0*",))

    assert result.metrics["unlabeled_videos"] == 4
    assert result.metrics["holdout_classes_without_training_video"] == 1
    assert result.details["doubts"] == [
        "Only 4 of 8 training videos have a label (50.0%).",
        f"1 of 2 training shards have no labeled video, for instance {folder}/train1.tfrecord. Test shards have none.",
        "All hold-out videos have the same labels (classes 1 (dog), 5), so that they measure little.",
    ]
    told = "Classes of hold-out videos without a training video: 1, with 50.0% of the hold-out's labels: class 5."
    assert result.details["untrained_labels"] == told
    missing = range(3, shards.spec.num_classes)
    assert result.details["classes_without_training_video"].startswith(", ".join(map(str, missing[:3])))
    videos = [shards.video_of(100, labels=[1]), shards.video_of(101, labels=None)]
    shards.write(folder / "validate0.tfrecord", videos)
    _, result = run(folder, shards, validation=(f"{folder}/validate0*",))
    assert "Only one class has videos on the hold-out (class 1 (dog))." in result.details["doubts"]


def test_records_of_another_layout_are_refused_with_the_line_for_the_recipe(folder, shards):
    for first, path in enumerate(folder.glob("*.tfrecord")):
        videos = [shards.video_of(10 * first + number, labels=[number % 3]) for number in range(6)]
        for video in videos:
            video.id_name = "clip/key"
        shards.write(path, videos)
    line = r"`data: \{spec: \{layout: \{id: clip/key\}\}\}`"
    with pytest.raises(DataError, match=rf"no usable video in the training shards.*{line}"):
        run(folder, shards)


def test_skipped_records_and_labels_that_count_from_one_are_told(folder, shards, caplog):
    videos = [shards.video_of(number, labels=[label]) for number, label in enumerate((1, 2, 9, 10))]
    for name in ("train0", "train1", "validate0"):
        offset = len(name) * 10 + int(name[-1])
        shards.write(folder / f"{name}.tfrecord", [replace(each, id=each.id + b"%d" % offset) for each in videos])
    _, result = run(folder, shards, validation=(f"{folder}/validate0*",))
    skipped, remark = result.details["doubts"]
    assert skipped.startswith("3 of 12 records were skipped (25.0%), for instance ")
    assert skipped.endswith("label 10 is not one of the 10 classes.")
    assert "run from 1 to 10; classes count from 0" in remark
    assert skipped in caplog.text


def of_one_vector(shards, number):
    means = {"rgb": [number / 10] * 4, "audio": [-number / 10] * 2}
    return shards.Video(id=b"%04d" % number, labels=[number % 3], means=means)


def test_training_on_frames_and_measuring_on_means_is_refused(folder, shards):
    shards.write(folder / "validate0.tfrecord", [of_one_vector(shards, 500 + number) for number in range(4)])
    said = rf"training shards have videos of many frames, .*{folder}/train.*one vector per video, .*validate0\.tfrecord"
    with pytest.raises(DataError, match=said):
        run(folder, shards, validation=(f"{folder}/validate0*",))


def test_videos_of_both_kinds_on_one_side_are_told(folder, shards):
    shards.write(folder / "train1.tfrecord", [of_one_vector(shards, 10 + number) for number in range(4)])
    shards.write(folder / "validate0.tfrecord", [shards.video_of(number, labels=[number % 3]) for number in (7, 8, 9)])
    _, result = run(folder, shards, validation=(f"{folder}/validate0*",))
    (doubt,) = result.details["doubts"]
    assert doubt.startswith(
        f"4 of 8 training videos have frames, such as those in {folder}/train0.tfrecord; the others"
    )
    assert f"{folder}/train1.tfrecord" in doubt


@pytest.mark.parametrize("value", [5.0, 0.5])
def test_features_that_do_not_differ_are_refused_and_one_of_several_is_told(folder, shards, value):
    def video(number, audio):
        means = {"rgb": [value] * 4, "audio": [audio] * 2}
        return shards.Video(id=b"%04d" % number, labels=[number % 3], means=means)

    for side, first in (("train", 0), ("validate", 100)):
        write_side(folder, shards, side, [video(first + number, value) for number in range(8)])
    with pytest.raises(DataError, match="the features of all 8 training videos have the same bytes"):
        run(folder, shards, validation=(f"{folder}/validate0*",))

    write_side(folder, shards, "train", [video(number, number / 8) for number in range(8)])
    _, result = run(folder, shards, validation=(f"{folder}/validate0*",))
    told = (
        "100.0% of the bytes of 'rgb' are at an end of the range -2 to 2" if value > 2 else "'rgb' has the same values"
    )
    assert [doubt for doubt in result.details["doubts"] if told in doubt and "training" in doubt]
    assert not [doubt for doubt in result.details["doubts"] if "'audio'" in doubt and "training" in doubt]


def test_values_clipped_at_the_ends_of_the_range_are_told(folder, shards):
    for side, first in (("train", 0), ("validate", 100)):
        videos = [of_one_vector(shards, first + number) for number in range(8)]
        for number, video in enumerate(videos):
            video.means["rgb"] = [number, 0.1, 0.2, 3 - number]
        write_side(folder, shards, side, videos)
    _, result = run(folder, shards, validation=(f"{folder}/validate0*",))
    assert "In the training videos: 34.4% of the bytes of 'rgb' are at an end" in result.details["doubts"][0]
    # Zeros of networks that have no negative values are not clipped.
    spec = shards.spec.model_copy(update={"ranges": {"rgb": (0.0, 8.0)}})
    _, result = run(folder, shards, validation=(f"{folder}/validate0*",), spec=spec)
    assert "'rgb'" not in str(result.details["doubts"])


def test_the_remedy_for_shards_without_a_record_does_not_name_settings(folder, shards):
    for path in folder.glob("train*"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"the file is empty\. Give intact TFRecord files\. If these"):
        run(folder, shards, validation=(f"{folder}/validate0*",))


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
        partition, result = run(folder, shards, holdout_shards=len(counts), report_share=0.4, seed=5)
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
        run(tmp_path, shards, report_share=0.5)
    partition, result = run(tmp_path, shards)
    assert partition.division.part == result.details["part"] == "hold-out"


@pytest.mark.parametrize("grouped", [True, False])
def test_groups_on_both_sides_are_told(tmp_path, shards, grouped):
    # Groups of five videos: those of 10 to 14 are on both sides.
    for name, numbers in (("train0", range(12)), ("validate0", range(12, 20))):
        videos = [replace(shards.video_of(each, labels=[each % 4]), group=b"%d" % (each // 5)) for each in numbers]
        shards.write(tmp_path / f"{name}.tfrecord", videos)
    spec = shards.spec.model_copy(update={"layout": RecordLayout(group="group" if grouped else "")})
    _, result = run(tmp_path, shards, spec=spec)
    told = (
        "3 of 8 hold-out videos are of groups that have training videos, too, so that figures are too high. For "
        f"instance, '0012' in {tmp_path}/validate0.tfrecord has the group of '0010' in {tmp_path}/train0.tfrecord. "
        "Take each group to one side, as `yt8m data import` does."
    )
    assert [doubt for doubt in result.details["doubts"] if "group" in doubt] == [told] * grouped


def test_a_group_that_is_no_text_is_told(tmp_path, shards):
    for name, numbers in (("train0", range(9, 20)), ("validate0", range(4))):
        videos = [replace(shards.video_of(each, labels=[each % 4]), means={"loud": [0.5]}) for each in numbers]
        shards.write(tmp_path / f"{name}.tfrecord", videos)
    layout = RecordLayout(group="mean_loud")
    with pytest.raises(DataError, match="mean_loud holds floats, not bytes"):
        run(tmp_path, shards, spec=shards.spec.model_copy(update={"layout": layout}))


def test_the_key_of_the_labels_cannot_be_that_of_the_group():
    with pytest.raises(ConfigError, match=r"group: expected another key than that of the labels, received 'labels'"):
        RecordLayout.parse({"group": "labels"}, "test")
