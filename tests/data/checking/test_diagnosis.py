"""What bad records have, and the settings that read them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.videos import Video, video_of
from yt8m.data.checking.diagnosis import diagnose
from yt8m.data.checking.explain import explain_bad_record
from yt8m.data.checking.fields import fields_of
from yt8m.data.checking.layout import guess_spec
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.errors import DataError


def mediapipe(number: int, *, with_id: bool) -> bytes:
    record = tf.train.SequenceExample()
    context = record.context.feature
    context["clip/data_path"].bytes_list.value.append(b"/videos/clip%d.mp4" % number)
    context["clip/start/timestamp"].int64_list.value.append(0)
    context["RGB/feature/rate"].float_list.value.append(1.0)
    if with_id:
        context["id"].bytes_list.value.append(b"clip%d" % number)
    for name, size in (("RGB", 1024), ("AUDIO", 128)):
        for _ in range(5):
            record.feature_lists.feature_list[f"{name}/feature/floats"].feature.add().float_list.value.extend(
                [0.5] * size
            )
            record.feature_lists.feature_list[f"{name}/feature/timestamp"].feature.add().int64_list.value.append(0)
    return bytes(record.SerializeToString())


def audioset(number: int) -> bytes:
    video = video_of(number, num_frames=10, labels=[7], audio_embedding=128)
    video.id_name = "video_id"
    return video.serialize()


def vector(number: int) -> bytes:
    labels = [0] * 5
    labels[number] = 1
    return video_of(number, labels=labels, rgb=16, audio=4).serialize()


FLOATS = "{RGB/feature/floats: 1024, AUDIO/feature/floats: 128}"
OPTIONS = "--features RGB/feature/floats=1024,AUDIO/feature/floats=128"


@pytest.mark.parametrize(
    ("records", "spec", "sentences"),
    [
        (
            [mediapipe(n, with_id=False) for n in range(3)],
            DataSpec(),
            ["'RGB/feature/floats' (5 frames of 1,024 floats)", f"{OPTIONS} --layout id=clip/data_path,frames=floats",
             f"`data: {{spec: {{features: {FLOATS}, layout: {{id: clip/data_path, frames: floats}}}}}}`"],
        ),
        (
            [mediapipe(n, with_id=True) for n in range(3)],
            DataSpec(),
            [f"{OPTIONS} --layout frames=floats",
             f"`data: {{spec: {{features: {FLOATS}, layout: {{frames: floats}}}}}}`"],
        ),
        (
            [audioset(n) for n in range(3)],
            DataSpec(),
            ["'audio_embedding' (10 frames of 128 bytes)", "'video_id' (4 bytes)", "--features audio_embedding=128",
             "`data: {spec: {features: {audio_embedding: 128}}}`"],
        ),
        (
            [vector(n) for n in range(3)],
            DataSpec(features={"rgb": 16, "audio": 4}, num_classes=5),
            ["'labels' (5 integers)", "--layout label_form=multi_hot",
             "`data: {spec: {layout: {label_form: multi_hot}}}`"],
        ),
        (
            [Video(means={"inc3": [0.5] * 6}).serialize()],
            DataSpec(),
            ["'mean_inc3' (6 floats)", "--features inc3=6"],
        ),
    ],
)  # fmt: skip
def test_the_diagnosis_tells_what_records_have_and_what_to_paste(records, spec, sentences):
    found = diagnose(records, spec)
    for sentence in sentences:
        assert sentence in found


def test_what_no_setting_maps_is_told():
    record = tf.train.Example()
    record.features.feature["id"].bytes_list.value.append(b"v")
    record.features.feature["rgb"].bytes_list.value.append(bytes(3 * 1024))
    found = diagnose([record.SerializeToString()], DataSpec())
    assert "'rgb' holds 3 frames of 1,024 bytes in one feature" in found
    assert "`yt8m data import`" in found
    assert diagnose([b"\xff\xff rubbish"], DataSpec()) == ""


SMALL = DataSpec(features={"rgb": 4, "audio": 2}, num_classes=5)


def changed(**context: Sequence[Any]) -> bytes:
    """Serialize a video with these context features instead of its own."""
    record = tf.train.SequenceExample.FromString(video_of(1).serialize())
    for key, values in context.items():
        feature = record.context.feature[key]
        feature.Clear()
        kinds = {bytes: "bytes_list", float: "float_list", int: "int64_list"}
        if values:
            getattr(feature, kinds[type(values[0])]).value.extend(values)
    return bytes(record.SerializeToString())


@pytest.mark.parametrize(
    ("record", "problem", "sentence"),
    [
        (changed(labels=[b"cat", b"dog"]), "labels holds bytes, not integers",
         "'labels' holds byte strings, perhaps names of classes; readers take class numbers."),
        (changed(labels=[3.0, 4.0]), "labels holds floats, not integers",
         "'labels' holds floats; readers take class numbers that are integers, or a 0 or 1 for every class."),
        (changed(labels=[0.0, 1.0, 0.0, 1.0, 0.0]), "labels holds floats, not integers",
         "--layout label_form=multi_hot_floats"),
        (changed(id=[7]), "id holds integers, not bytes",
         "'id' holds integers; readers take ids that are byte strings."),
        (changed(id=[7], video_id=[b"v"]), "id holds integers, not bytes", "--layout id=video_id"),
        (video_of(1, rgb=2, audio=4).serialize(), "rgb of frame 0 has 2 bytes, not 4", "--features audio=4,rgb=2"),
        (Video(labels=None, frames={"image/encoded": [b"jpeg"]}).serialize(), "no frames",
         "Encoded images are no features: extract features with a network first."),
        (Video(frames={"rgb": [], "audio": []}).serialize(), "no frames", "No setting reads them"),
    ],
)  # fmt: skip
def test_other_records_are_told_with_what_to_do(record, problem, sentence):
    assert explain_bad_record(record, SMALL)[1] == problem
    assert sentence in diagnose([record], SMALL)


def test_records_of_one_image_are_told():
    record = tf.train.Example()
    record.features.feature["image/encoded"].bytes_list.value.append(b"\xff\xd8\xff" + bytes(2000))
    record.features.feature["image/class/label"].int64_list.value.append(3)
    found = diagnose([record.SerializeToString()], SMALL)
    assert "'image/encoded' (2,003 bytes)" in found
    assert "Encoded images are no features" in found


def test_labels_of_segments_alone_leave_a_video_without_labels():
    record = changed(segment_labels=[3, 4], segment_start_times=[0, 5])
    parsed = tf.train.SequenceExample.FromString(record)
    del parsed.context.feature["labels"]
    assert explain_bad_record(parsed.SerializeToString(), SMALL)[1] == ""
    assert guess_spec([parsed.SerializeToString()]).layout == RecordLayout()
    del parsed.feature_lists.feature_list["audio"]
    assert "'segment_labels' are labels of segments, not of the video." in diagnose([parsed.SerializeToString()], SMALL)


def test_empty_labels_are_no_labels():
    record = tf.train.SequenceExample.FromString(changed(labels=[]))
    assert explain_bad_record(record.SerializeToString(), SMALL)[1] == ""
    record.context.feature["labels"].int64_list.SetInParent()
    assert explain_bad_record(record.SerializeToString(), SMALL)[1] == ""


def test_the_layout_alone_changes_if_it_reads_the_wanted_features():
    record = tf.train.SequenceExample.FromString(video_of(1, rgb=4, audio=2).serialize())
    record.context.feature["key"].CopyFrom(record.context.feature["id"])
    del record.context.feature["id"]
    found = diagnose([record.SerializeToString()], DataSpec(features={"rgb": 4}, num_classes=5))
    assert "`yt8m data check`, `yt8m predict` and `yt8m evaluate` with --layout id=key;" in found
    assert "`data: {spec: {layout: {id: key}}}`" in found


def test_records_are_guessed_with_classes_length_and_layout():
    records = [video_of(n, num_frames=2 + n, labels=[n, 4], rgb=16, audio=4).serialize() for n in range(3)]
    assert guess_spec(records) == DataSpec(features={"rgb": 16, "audio": 4}, num_classes=5, max_frames=4)
    assert guess_spec([mediapipe(n, with_id=False) for n in range(2)]).layout == RecordLayout(
        id="clip/data_path", frames="floats"
    )


def test_the_error_of_a_guess_tells_what_the_first_record_has():
    with pytest.raises(DataError, match=r"no features.*no feature lists; context features 'id' \(4 bytes\)"):
        guess_spec([Video(labels=None).serialize()])


def test_fields_are_listed_with_kind_and_size():
    fields = fields_of(mediapipe(0, with_id=True))
    assert [str(field) for field in fields][:2] == [
        "'AUDIO/feature/floats' (5 frames of 128 floats)",
        "'AUDIO/feature/timestamp' (5 frames of 1 integer)",
    ]
    assert ("id", "bytes", 5, 0, 1, False) in fields


def test_the_key_of_the_id_is_found_among_copies_of_videos():
    records = [changed(key=[b"%d" % (n % 2)], title=[b"title"]) for n in range(4)]
    for n, payload in enumerate(records):
        record = tf.train.SequenceExample.FromString(payload)
        del record.context.feature["id"]
        records[n] = bytes(record.SerializeToString())
    assert guess_spec(records).layout.id == "key"


def test_labels_that_are_no_numbers_are_no_classes():
    record = tf.train.SequenceExample.FromString(video_of(0, labels=None).serialize())
    record.context.feature["labels"].float_list.value.extend([float("nan"), float("inf")])
    assert guess_spec([record.SerializeToString()]).features == {"rgb": 4, "audio": 2}
    assert "'labels' holds floats" in diagnose([record.SerializeToString()], DataSpec(features={"rgb": 4, "audio": 2}))


def keyed(number: int, **context: Sequence[Any]) -> bytes:
    """Serialize a video whose id has the key `clip`, with further context features."""
    record = tf.train.SequenceExample.FromString(changed(clip=[b"v%d" % number], **context))
    del record.context.feature["id"], record.context.feature["labels"]
    return bytes(record.SerializeToString())


def test_what_is_set_stays_where_the_records_do_not_tell():
    records = [keyed(n, y=[n]) for n in range(3)]
    for layout, options in ((RecordLayout(), "id=clip"), (RecordLayout(labels="y"), "id=clip,labels=y")):
        found = diagnose(records, SMALL.model_copy(update={"layout": layout}))
        assert f"--layout {options}; in the recipe" in found
        assert "--classes" not in found


def test_floats_outside_the_range_come_with_their_range():
    frames = {name: [np.linspace(5, 27, size).tolist()] * 3 for name, size in SMALL.features.items()}
    record = tf.train.SequenceExample.FromString(video_of(1).serialize())
    for name, values in frames.items():
        del record.feature_lists.feature_list[name]
        for each in values:
            record.feature_lists.feature_list[name].feature.add().float_list.value.extend(each)
    found = diagnose([record.SerializeToString()], SMALL)
    assert "`data: {spec: {layout: {frames: floats}, ranges: {rgb: [5.0, 27.0], audio: [5.0, 27.0]}}}`" in found
    assert "Options set no ranges" in found


@pytest.mark.parametrize(("key", "written"), [("a,b", "'a,b'"), ("a\tb", '"a\\tb"')])
def test_names_that_options_cannot_carry_are_told_for_the_recipe_only(key, written):
    record = tf.train.SequenceExample.FromString(keyed(1))
    record.context.feature[key].CopyFrom(record.context.feature["clip"])
    del record.context.feature["clip"]
    found = diagnose([record.SerializeToString()], SMALL)
    assert f"These settings read them: in the recipe, `data: {{spec: {{layout: {{id: {written}}}}}}}`" in found
    assert "--layout" not in found


def listed(**lists: Sequence[Any]) -> bytes:
    """Serialize a video whose feature lists have these values, one frame each."""
    record = tf.train.SequenceExample.FromString(Video(labels=[1], frames={}).serialize())
    kinds = {bytes: "bytes_list", float: "float_list", int: "int64_list"}
    for key, frames in lists.items():
        for values in frames:
            getattr(record.feature_lists.feature_list[key].feature.add(), kinds[type(values[0])]).value.extend(values)
    return bytes(record.SerializeToString())


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"audio": [[0.5, 0.5]] * 2}, "Without 'audio', because it holds floats, unlike 'inc'."),
        ({"audio": [[b"12"]]}, "Without 'audio', because it has another number of frames than 'inc'."),
        (
            {"audio": [[b"12", b"34"]] * 2},
            "Without 'audio', because a frame holds 2 byte strings, and readers take one.",
        ),
        ({"num_frames": [[b"12"]] * 2}, "Without 'num_frames', because its name is that of something else"),
        ({"a\tb": [[b"12"]] * 2}, r"Without 'a\tb', because its name has a line break or another control character"),
    ],
)
def test_features_that_are_left_out_are_told(lists, said):
    found = diagnose([listed(inc=[[b"12345678"]] * 2, **lists)], SMALL)
    assert "`data: {spec: {features: {inc: 8}}}`" in found
    assert said in found


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (listed(rgb=[[1, 2, 3, 4]] * 2), "not 'rgb', because it holds integers, and readers take bytes or floats"),
        (Video().serialize(), "no features of frames or videos: readers take feature lists of bytes or floats"),
        (Video(id=b"", labels=[1]).serialize(), "no id: readers take it from a context feature with a byte string"),
    ],
)
def test_what_is_missing_is_told_with_what_readers_take(record, said):
    assert said in diagnose([record], SMALL)
