"""Bad records: found, explained, counted, and skipped or refused."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.conftest import read_ids
from yt8m.data.checking.explain import explain_bad_record
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import read_videos
from yt8m.errors import DataError


def float_labels() -> bytes:
    record = tf.train.SequenceExample()
    record.context.feature["id"].bytes_list.value.append(b"kind")
    record.context.feature["labels"].float_list.value.append(1.0)
    return record.SerializeToString()


def two_strings_in_a_frame() -> bytes:
    record = tf.train.SequenceExample()
    record.context.feature["id"].bytes_list.value.append(b"twos")
    for name, size in (("rgb", 4), ("audio", 2)):
        record.feature_lists.feature_list[name].feature.add().bytes_list.value.extend([bytes(size)] * 2)
    return record.SerializeToString()


RGB, AUDIO = [bytes(4)] * 3, [bytes(2)] * 3
BAD: dict[str, Any] = {
    "no audio": {"id": b"bad!", "frames": {"rgb": RGB}},
    "rgb of frame 1 has 5 bytes, not 4": {"frames": {"rgb": [bytes(4), bytes(5), bytes(4)], "audio": AUDIO}},
    "audio of frame 2 has 0 bytes, not 2": {"frames": {"rgb": RGB, "audio": [bytes(2), bytes(2), b""]}},
    "unequal numbers of frames (rgb 3, audio 2)": {"frames": {"rgb": RGB, "audio": AUDIO[:2]}},
    "label 10 is not one of the 10 classes": {"labels": [1, 10], "frames": {"rgb": RGB, "audio": AUDIO}},
    "label -1 is not one of the 10 classes": {"labels": [-1], "frames": {"rgb": RGB, "audio": AUDIO}},
    "no frames": {},
    "no id": {"id": None, "frames": {"rgb": RGB, "audio": AUDIO}},
    "no mean_audio": {"means": {"rgb": [0.0] * 4}},
    "mean_rgb has 3 values, not 4": {"means": {"rgb": [0.0] * 3, "audio": [0.0] * 2}},
    "mean_audio is not finite": {"means": {"rgb": [0.0] * 4, "audio": [0.0, float("nan")]}},
    "neither a SequenceExample nor an Example": b"\xff\xff\xff rubbish",
    "labels holds floats, not integers": float_labels,
    "rgb of frame 0 holds 2 byte strings, not one": two_strings_in_a_frame,
}


def make_bad(shards, reason):
    bad = BAD[reason]
    if isinstance(bad, dict):
        return shards.Video(**bad).serialize()
    return bad if isinstance(bad, bytes) else bad()


@pytest.mark.parametrize("reason", BAD)
def test_the_reason_of_every_kind_of_bad_record_is_given(shards, reason):
    assert explain_bad_record(make_bad(shards, reason), shards.spec)[1] == reason


def test_bad_records_are_skipped_reported_and_counted(tmp_path, shards, caplog):
    records, good = [], []
    for n, reason in enumerate(BAD):
        records += [make_bad(shards, reason), shards.video_of(n)]
        good.append(b"%04d" % n)
    uri = shards.write(tmp_path / "shard", [*records, make_bad(shards, "no frames"), b"\xff"])
    report = ReadReport()
    with caplog.at_level(logging.WARNING):
        assert read_ids([uri], shards.spec, report=report) == good

    assert [bad.reason for bad in report.bad_records.values()][:-2] == list(BAD)
    assert [bad.record for bad in report.bad_records.values()] == [*range(0, 2 * len(BAD) + 1, 2), 2 * len(BAD) + 1]
    assert all(bad.shard == uri for bad in report.bad_records.values())
    assert report.total_bad_records == len(BAD) + 2
    (message,) = caplog.messages
    assert f"{uri}: record 0 (id bad!): no audio; {len(BAD) + 2} of the shard's {2 * len(BAD) + 2}" in message


def test_reading_twice_counts_once(tmp_path, shards, caplog):
    uri = shards.write(tmp_path / "shard", [shards.video_of(0), shards.Video()])
    report = ReadReport()
    dataset = read_videos([uri], shards.spec, batch_size=1, report=report)
    for _ in range(2):
        assert len(list(dataset)) == 1

    assert report.total_bad_records == 1
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("reason", ["no audio", "no id", "neither a SequenceExample nor an Example"])
def test_under_fail_the_first_bad_record_stops(tmp_path, shards, reason):
    uri = shards.write(tmp_path / "shard", [shards.video_of(0), make_bad(shards, reason), shards.video_of(2)])
    with pytest.raises(DataError) as error:
        read_ids([uri], shards.spec, on_bad="fail")

    assert str(error.value).startswith(f"{uri}: record 1 (id ")
    assert reason in str(error.value)
    assert str(error.value).endswith("Repair the shard, or set on_bad to 'skip'.")


NUMBERS_OF_FRAMES = st.integers(0, 2)


@st.composite
def random_records(draw):
    """Draw records in which any part may be missing or wrong; each id is the record's index."""
    records = []
    for number in range(draw(st.integers(1, 12))):
        record = tf.train.SequenceExample()
        name = draw(st.sampled_from(["id", "id", "video_id", "other"]))
        record.context.feature[name].bytes_list.value.append(b"%d" % number)
        if labels := draw(st.lists(st.sampled_from([0, 1, 5, 9, 9, 10, -1]), max_size=3)):
            record.context.feature["labels"].int64_list.value.extend(labels)
        frames = draw(NUMBERS_OF_FRAMES)
        for feature, size in (("rgb", 4), ("audio", 2)):
            for _ in range(draw(st.sampled_from([frames, frames, frames, 0, 1]))):
                length = draw(st.sampled_from([size] * 12 + [0, 3, 5]))
                record.feature_lists.feature_list[feature].feature.add().bytes_list.value.append(bytes(length))
            if draw(st.booleans()):
                count = draw(st.sampled_from([size, size, size, 1]))
                values = [draw(st.sampled_from([0.5, 0.5, 0.5, 0.5, float("inf")]))] * count
                record.context.feature[f"mean_{feature}"].float_list.value.extend(values)
        payload = record.SerializeToString()
        records.append(draw(st.sampled_from([payload] * 8 + [payload[:-1], payload + b"\x00"])))
    return records


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(records=random_records())
def test_parsing_and_explanation_agree(shards, records):
    with TemporaryDirectory() as folder:
        uri = shards.write(Path(folder) / "shard", records)
        report = ReadReport()
        ids = read_ids([uri], shards.spec, report=report)
    findings = [explain_bad_record(record, shards.spec) for record in records]

    assert ids == [video_id.encode() for video_id, reason in findings if not reason]
    assert {bad.record: bad.reason for bad in report.bad_records.values()} == {
        number: reason for number, (_, reason) in enumerate(findings) if reason
    }
