import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.checking.check import check_shards
from yt8m.data.checking.report import ByteStatistics, Distribution
from yt8m.data.format import DataSpec, dequantize
from yt8m.data.vocabulary.names import ClassNames
from yt8m.errors import StorageError

FLOATS = {"rgb": 64, "audio": 16}


def test_everything_is_counted(tmp_path, shards):
    videos = [
        shards.video_of(0, num_frames=1, labels=[2, 7]),
        shards.video_of(1, num_frames=3, labels=[7]),
        shards.video_of(2, num_frames=8, labels=None),
    ]
    uris = [shards.write(tmp_path / "a", videos[:2]), shards.write(tmp_path / "b", videos[2:])]
    report = check_shards(uris, shards.spec)

    assert (report.shards, report.videos, report.videos_to_be_cut) == (2, 3, 1)
    assert report.size_bytes == sum((tmp_path / name).stat().st_size for name in "ab")
    assert (report.frames.minimum, report.frames.mean, report.frames.maximum) == (1, 4.0, 8)
    assert (report.labels, report.smallest_label, report.largest_label) == (3, 2, 7)
    assert (report.labels_per_video.minimum, report.labels_per_video.maximum) == (0, 2)
    assert report.unlabelled_videos == 1
    assert report.unseen_classes == (0, 1, 3, 4, 5, 6, 8, 9)
    assert report.healthy
    for name, found in report.features.items():
        levels = np.frombuffer(b"".join(b for video in videos for b in video.frames[name]), np.uint8)
        assert (found.minimum, found.maximum) == (levels.min(), levels.max())
        assert found.mean == pytest.approx(levels.mean())
        assert found.standard_deviation == pytest.approx(levels.std())
        assert found.value_mean == pytest.approx(dequantize(levels).mean(), abs=1e-6)
        assert found.saturated_share == pytest.approx(np.isin(levels, (0, 255)).mean())


def test_features_that_hold_nothing_and_videos_of_two_kinds_are_told(tmp_path, shards):
    vectors = [
        shards.Video(id=b"%d" % n, labels=[n], means={"rgb": [9.0] * 4, "audio": [n / 9, 0.5]}) for n in range(4)
    ]
    (clipped,) = check_shards([shards.write(tmp_path / "vectors", vectors)], shards.spec).doubts
    assert clipped.startswith("100.0% of the bytes of 'rgb' are at an end of the range -2 to 2")
    assert "`data: {spec: {ranges: {rgb: [LOW, HIGH]}}}`" in clipped

    mixed = [*vectors, *(shards.video_of(n, num_frames=9) for n in range(10, 22))]
    report = check_shards([shards.write(tmp_path / "mixed", mixed)], shards.spec)
    assert [doubt for doubt in report.doubts if doubt.startswith("12 of 16 videos have frames, the others one vector")]
    assert not check_shards([shards.write(tmp_path / "good", mixed[4:])], shards.spec).doubts


def test_duplicate_ids_are_found_within_and_across_shards(tmp_path, shards):
    a = shards.write(tmp_path / "a", [shards.video_of(n) for n in (1, 2, 3, 2)])
    b = shards.write(tmp_path / "b", [shards.video_of(n) for n in (3, 4)])
    report = check_shards([a, b], shards.spec)

    assert report.num_duplicate_ids == 2
    assert [(each.id, each.shards) for each in report.duplicate_ids] == [("0002", (a, a)), ("0003", (a, b))]
    assert report.healthy


def test_damage_and_bad_records_are_listed_in_order_and_not_logged(tmp_path, shards, caplog):
    cut = tmp_path / "cut"
    shards.write(cut, [shards.video_of(n) for n in range(3)])
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-3])
    bad = shards.write(tmp_path / "bad", [shards.Video(), shards.video_of(4), b"\xff"])
    (tmp_path / "text").write_text("hello, this is no shard")
    report = check_shards([str(cut), bad, str(tmp_path / "text")], shards.spec)

    assert [(each.shard, each.record) for each in report.damaged_shards] == [(str(cut), 2), (str(tmp_path / "text"), 0)]
    assert report.damaged_shards[0].offset == len(whole) * 2 // 3
    assert [each.record for each in report.bad_records] == [0, 2]
    assert (report.videos, report.num_bad_records, report.healthy) == (3, 2, False)
    assert not caplog.messages


def test_shards_without_a_usable_video_are_reported(tmp_path, shards):
    report = check_shards([shards.write(tmp_path / "bad", [shards.Video()])], shards.spec)

    assert (report.videos, report.frames, report.labels_per_video, report.smallest_label) == (0, None, None, None)
    assert report.features == {"rgb": None, "audio": None}


def test_a_missing_shard_is_named(tmp_path, shards):
    with pytest.raises(StorageError, match="missing"):
        check_shards([str(tmp_path / "missing")], shards.spec)


def test_distributions_and_statistics_of_no_values_are_none():
    assert Distribution.of(np.zeros(0, np.int64)) is None
    assert ByteStatistics.of(np.zeros(256, np.int64), -2.0, 2.0) is None


def test_real_shards_have_the_published_statistics(real_data):
    video_level = check_shards(sorted(map(str, real_data.glob("video_level/*"))), DataSpec())
    assert (video_level.videos, video_level.healthy, video_level.num_duplicate_ids) == (2376, True, 0)
    assert video_level.labels_per_video.mean == pytest.approx(3.0, abs=0.1)
    assert video_level.features["rgb"].mean == pytest.approx(127, abs=1)
    # Across videos the means have a standard deviation of 0.46 (rgb) and 0.68 (audio); a byte is 4 / 255.
    assert video_level.features["rgb"].standard_deviation * 4 / 255 == pytest.approx(0.5, abs=0.1)
    assert video_level.features["audio"].standard_deviation * 4 / 255 == pytest.approx(0.7, abs=0.1)

    frame_level = check_shards(sorted(map(str, real_data.glob("frame_level/*"))), DataSpec())
    assert (frame_level.videos, frame_level.frames.minimum, frame_level.smallest_label) == (1, 265, 46)
    assert [(bad.id, bad.reason) for bad in frame_level.bad_records] == [("SzHA", "no audio")]
    assert 42 < frame_level.features["rgb"].standard_deviation < 64


def test_labels_under_another_key_are_told(tmp_path, shards):
    records = []
    for number in range(3):
        record = tf.train.SequenceExample.FromString(shards.video_of(number, labels=None).serialize())
        record.context.feature["y"].int64_list.value.append(number)
        records.append(record.SerializeToString())
    found = check_shards([shards.write(tmp_path / "a", records)], shards.spec).diagnosis
    assert "If 'y' are the labels, these settings read them: " in found
    assert "--layout labels=y; in the recipe, `data: {spec: {layout: {labels: y}}}`" in found


def test_floats_declared_by_their_bytes_are_a_doubt(tmp_path, shards):
    frames = {name: [np.linspace(1, 2, size // 4, dtype=np.float32).tobytes()] * 3 for name, size in FLOATS.items()}
    path = shards.write(tmp_path / "a", [shards.Video(id=b"v", labels=[1], frames=frames)])
    report = check_shards([path], DataSpec(features=FLOATS, num_classes=5))
    assert report.healthy
    assert "probably float32 numbers (numbers per frame: 'rgb' 16, 'audio' 4)" in report.diagnosis


def test_the_summary_has_the_names_of_the_classes(tmp_path, shards):
    uris = [shards.write(tmp_path / "a.tfrecord", [shards.video_of(number, labels=[2, 7]) for number in range(3)])]
    lines = dict(check_shards(uris, shards.spec).summary(ClassNames({0: "cat", 2: "dog"})))
    assert lines["labels"] == "6, from 2 (dog) to 7"
    assert lines["unseen classes"] == "8 of 10: 0 (cat), 1, 3, 4, 5, 6, 8, 9"
