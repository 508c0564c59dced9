"""Encoded records are equal to those of TensorFlow's protobuf messages."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.encoding import FrameBuffer, encode_video, varint
from yt8m.data.tfrecord import write_record

SIZES = {"rgb": 1024, "audio": 128}


def _record(
    num_frames: int, labels: tuple[int, ...] | None, group: bytes = b"", weight: float | None = None
) -> tuple[bytes, dict[str, np.ndarray]]:
    rng = np.random.default_rng(num_frames)
    buffers = {name: FrameBuffer(name, size, 301) for name, size in SIZES.items()}
    frames = {name: rng.integers(0, 256, (num_frames, size), np.uint8) for name, size in SIZES.items()}
    for name, buffer in buffers.items():
        buffer.frames(num_frames)[:] = frames[name]
    return encode_video(b"a1B2", labels, num_frames, buffers.values(), group, weight=weight), frames


@pytest.mark.parametrize("num_frames", [1, 2, 127, 300, 301])
@pytest.mark.parametrize("labels", [(0,), (3, 127, 128, 3861), None])
@pytest.mark.parametrize(("group", "weight"), [(b"", None), (b"channel 7", None), (b"", 0.3), (b"channel 7", 0.0)])
def test_a_record_equals_the_protobuf_message(
    num_frames: int, labels: tuple[int, ...] | None, group: bytes, weight: float | None
) -> None:
    record, frames = _record(num_frames, labels, group, weight)
    expected = tf.train.SequenceExample()
    expected.context.feature["id"].bytes_list.value.append(b"a1B2")
    if labels is not None:
        expected.context.feature["labels"].int64_list.value.extend(labels)
    if group:
        expected.context.feature["group"].bytes_list.value.append(group)
    if weight is not None:
        expected.context.feature["weight"].float_list.value.append(weight)
    for name, rows in frames.items():
        for row in rows:
            expected.feature_lists.feature_list[name].feature.add().bytes_list.value.append(row.tobytes())
    assert tf.train.SequenceExample.FromString(record) == expected
    assert len(record) == expected.ByteSize()


def test_tensorflow_reads_the_written_records(tmp_path: Path) -> None:
    records = [_record(number, (number,))[0] for number in (1, 5, 9)]
    path = tmp_path / "a.tfrecord"
    with path.open("wb") as file:
        for record in records:
            write_record(file, record)
    assert [record.numpy() for record in tf.data.TFRecordDataset(str(path))] == records


@pytest.mark.parametrize(("number", "encoded"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (3861, "951e")])
def test_varint_matches_hand_computed_bytes(number: int, encoded: str) -> None:
    assert varint(number).hex() == encoded
