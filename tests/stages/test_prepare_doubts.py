"""Labels, copies, features and groups of the two sides that `prepare` refuses or warns of."""

from dataclasses import replace

import pytest

from tests.support.preparation import run_prepare
from yt8m.data.format import RecordLayout
from yt8m.errors import DataError


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
        run_prepare(folder, shards, validation=(f"{folder}/validate0*",))


def test_a_hold_out_without_any_label_is_refused(folder, shards):
    write_side(folder, shards, "validate", [unlabeled(shards, 500 + number) for number in range(6)])
    with pytest.raises(DataError, match=r"no labeled video in the hold-out shards \(1\): the records have no 'labels'"):
        run_prepare(folder, shards)


def test_training_videos_with_equal_labels_are_refused(folder, shards):
    for labels, said in (([4], "there is nothing to tell apart"), ([0, 1], r"layout: \{label_form: multi_hot\}\}\}`")):
        write_side(folder, shards, "train", [shards.video_of(500 + number, labels=labels) for number in range(6)])
        with pytest.raises(DataError, match=rf"all 6 training videos have the same labels \(class.*{said}"):
            run_prepare(folder, shards, validation=(f"{folder}/validate0*",))


def test_a_hold_out_of_other_classes_than_those_in_training_is_refused(folder, shards):
    write_side(folder, shards, "train", [shards.video_of(500 + number, labels=[number % 3]) for number in range(6)])
    with pytest.raises(
        DataError, match=r"no training video has a class .* \(class 5 there, classes 0, 1, 2 in training"
    ):
        run_prepare(folder, shards, validation=(f"{folder}/validate0*",))


def test_a_copy_of_a_training_shard_on_the_hold_out_is_refused(folder, shards):
    for copy, original in (("validate1", "train0"), ("validate2", "train1"), ("validate0", "train1")):
        (folder / f"{copy}.tfrecord").write_bytes((folder / f"{original}.tfrecord").read_bytes())
    with pytest.raises(DataError, match=r"2 hold-out shards have .*validate[01]\.tfrecord and .*train[01]\.tfrecord; "):
        run_prepare(folder, shards, holdout_shards=3)


def test_a_copy_within_a_side_is_used_once_and_told(folder, shards, caplog):
    before, expected = run_prepare(folder, shards)
    (folder / "train0 (1).tfrecord").write_bytes((folder / "train0.tfrecord").read_bytes())
    partition, result = run_prepare(folder, shards)

    assert partition.digest == before.digest
    for name in ("training_videos", "training_shards", "mean_frames", "mean_labels", "repeated_videos"):
        assert result.metrics[name] == expected.metrics[name]
    assert result.metrics["copied_shards"] == 1
    assert result.details["copies"] == [f"{folder}/train0 (1).tfrecord has the content of {folder}/train0.tfrecord"]
    assert "1 shard left out as copies" in result.details["doubts"][0]
    assert "1 shard left out as copies" in caplog.text


def test_hold_out_videos_that_are_training_videos_are_told_and_most_of_them_refused(folder, shards, caplog):
    videos = [shards.video_of(100 + number, labels=[number % 3]) for number in range(5)]
    shards.write(folder / "validate0.tfrecord", [*videos, shards.video_of(3, labels=[3])])
    _, result = run_prepare(folder, shards, validation=(f"{folder}/validate0*",))
    told = f"1 of 6 hold-out videos are training videos, too, for instance '0003' in {folder}/validate0.tfrecord and "
    assert result.metrics["holdout_videos_in_training"] == 1
    assert (result.details["shared_videos"], result.details["doubts"]) == (f"{told}{folder}/train0.tfrecord.", [])
    assert told in caplog.text

    others = [shards.video_of(number, labels=[1]) for number in (1, 2, 10)]
    shards.write(folder / "validate0.tfrecord", [*videos[:2], *others])
    with pytest.raises(DataError, match=r"3 of 5 hold-out videos are training videos, too, .*'0001'.* other videos"):
        run_prepare(folder, shards, validation=(f"{folder}/validate0*",))


def test_ids_that_all_videos_share_prove_no_copies(folder, shards):
    for side, count in (("train", 8), ("validate", 6)):
        videos = [shards.video_of(number, labels=[number % 4]) for number in range(count)]
        write_side(folder, shards, side, [replace(video, id=b"clip") for video in videos])
    _, result = run_prepare(folder, shards)
    assert "training videos have the id of another one of these." in str(result.details["doubts"])


def test_doubtful_labels_are_told_with_the_names_of_the_classes(folder, shards):
    shards.describe(folder, vocabulary="names.csv")
    (folder / "names.csv").write_text("Index,Name\n1,dog\n")
    videos = [shards.video_of(number, labels=[number % 3] if number < 4 else None) for number in range(8)]
    shards.write(folder / "train0.tfrecord", videos[:4])
    shards.write(folder / "train1.tfrecord", videos[4:])
    shards.write(folder / "validate0.tfrecord", [shards.video_of(100 + number, labels=[1, 5]) for number in range(3)])
    _, result = run_prepare(folder, shards, validation=(f"{folder}/validate0*",))

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
    _, result = run_prepare(folder, shards, validation=(f"{folder}/validate0*",))
    assert "Only one class has videos on the hold-out (class 1 (dog))." in result.details["doubts"]


def test_videos_without_the_only_class_are_no_doubt(folder, shards):
    spec = shards.spec.model_copy(update={"num_classes": 1})
    for side, first in (("train", 0), ("validate", 100)):
        videos = [shards.video_of(first + number, labels=[0] if number % 5 < 2 else []) for number in range(10)]
        write_side(folder, shards, side, videos)
    _, result = run_prepare(folder, shards, spec=spec)
    assert result.details["doubts"] == []
    write_side(folder, shards, "validate", [shards.video_of(100 + number, labels=[0]) for number in range(9)])
    _, result = run_prepare(folder, shards, spec=spec)
    assert result.details["doubts"] == [
        "All hold-out videos have the same labels (class 0), so that they measure little."
    ]


def test_skipped_records_and_labels_that_count_from_one_are_told(folder, shards, caplog):
    videos = [shards.video_of(number, labels=[label]) for number, label in enumerate((1, 2, 9, 10))]
    for name in ("train0", "train1", "validate0"):
        offset = len(name) * 10 + int(name[-1])
        shards.write(folder / f"{name}.tfrecord", [replace(each, id=each.id + b"%d" % offset) for each in videos])
    _, result = run_prepare(folder, shards, validation=(f"{folder}/validate0*",))
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
        run_prepare(folder, shards, validation=(f"{folder}/validate0*",))


def test_videos_of_both_kinds_on_one_side_are_told(folder, shards):
    shards.write(folder / "train1.tfrecord", [of_one_vector(shards, 10 + number) for number in range(4)])
    shards.write(folder / "validate0.tfrecord", [shards.video_of(number, labels=[number % 3]) for number in (7, 8, 9)])
    _, result = run_prepare(folder, shards, validation=(f"{folder}/validate0*",))
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
        run_prepare(folder, shards, validation=(f"{folder}/validate0*",))

    write_side(folder, shards, "train", [video(number, number / 8) for number in range(8)])
    _, result = run_prepare(folder, shards, validation=(f"{folder}/validate0*",))
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
    _, result = run_prepare(folder, shards, validation=(f"{folder}/validate0*",))
    assert "In the training videos: 34.4% of the bytes of 'rgb' are at an end" in result.details["doubts"][0]
    # Zeros of networks that have no negative values are not clipped.
    spec = shards.spec.model_copy(update={"ranges": {"rgb": (0.0, 8.0)}})
    _, result = run_prepare(folder, shards, validation=(f"{folder}/validate0*",), spec=spec)
    assert "'rgb'" not in str(result.details["doubts"])


@pytest.mark.parametrize("grouped", [True, False])
def test_groups_on_both_sides_are_told(tmp_path, shards, grouped):
    # Groups of five videos: those of 10 to 14 are on both sides.
    for name, numbers in (("train0", range(12)), ("validate0", range(12, 20))):
        videos = [replace(shards.video_of(each, labels=[each % 4]), group=b"%d" % (each // 5)) for each in numbers]
        shards.write(tmp_path / f"{name}.tfrecord", videos)
    spec = shards.spec.model_copy(update={"layout": RecordLayout(group="group" if grouped else "")})
    _, result = run_prepare(tmp_path, shards, spec=spec)
    told = (
        "3 of 8 hold-out videos are of groups that have training videos, too, so that figures are too high. For "
        f"instance, '0012' in {tmp_path}/validate0.tfrecord has the group of '0010' in {tmp_path}/train0.tfrecord. "
        "Take each group to one side, as `yt8m data import` does."
    )
    assert [doubt for doubt in result.details["doubts"] if "group" in doubt] == [told] * grouped
