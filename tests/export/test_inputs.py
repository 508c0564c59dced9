"""Records that the exported model's signatures take: the same that the reader of shards takes."""

from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from tests.support.videos import Video, video_of
from yt8m.data.format import DataSpec, RecordLayout, quantize
from yt8m.data.parsing import parse_record, quantize_floats
from yt8m.export.inputs import check_and_truncate, parse_records

SPEC = DataSpec(features={"rgb": 4, "audio": 2}, num_classes=3, max_frames=5, ranges={"audio": (0.0, 8.0)})
MEANS: dict[str, Sequence[float]] = {"rgb": [0.5, -0.5, 1.0, 9.0], "audio": [0.1, 7.0]}


def with_plain_names() -> bytes:
    example = tf.train.Example()
    example.features.feature["id"].bytes_list.value.append(b"plain")
    for name, values in MEANS.items():
        example.features.feature[name].float_list.value.extend(values)
    return bytes(example.SerializeToString())


MEAN, PLAIN = Video(means=MEANS).serialize(), with_plain_names()
SHORT, LONG = video_of(3, num_frames=3).serialize(), video_of(4, num_frames=8).serialize()


@pytest.mark.parametrize("batch", [[MEAN], [PLAIN, MEAN], [SHORT, MEAN, LONG, PLAIN], [LONG], []])
def test_records_are_parsed_as_by_the_reader_of_shards(batch):
    frames, num_frames = check_and_truncate(*parse_records(tf.constant(batch, tf.string), SPEC), SPEC)
    for record, got, count in zip(batch, frames.numpy(), num_frames.numpy(), strict=bool(batch)):
        video, usable = parse_record(tf.constant(record), SPEC)
        assert usable
        np.testing.assert_array_equal(got[:count], video["frames"])


def test_frames_of_floats_are_quantized_to_the_range_of_their_feature():
    spec = DataSpec(features={"a/b é": 2}, num_classes=3, ranges={"a/b é": (0.0, 255.0)},
                    layout=RecordLayout(frames="floats"))  # fmt: skip
    record = tf.train.SequenceExample()
    record.context.feature["id"].bytes_list.value.append(b"x")
    for values in ([10.6, 300.0], [-5.0, 20.4]):
        record.feature_lists.feature_list["a/b é"].feature.add().float_list.value.extend(values)
    payload = record.SerializeToString()
    # The byte k stands for k + 255 / 512.
    expected = [[10, 255], [0, 20]]

    frames, num_frames = parse_records(tf.constant([payload]), spec)
    assert num_frames.numpy().tolist() == [2]
    assert frames.numpy().tolist() == [expected]
    assert parse_record(tf.constant(payload), spec)[0]["frames"].numpy().tolist() == expected


@pytest.mark.parametrize("limits", [(-2.0, 2.0), (0.0, 6.7), (-31.4, 159.2)])
def test_floats_of_records_become_the_bytes_of_the_import_in_compiled_graphs_too(limits):
    spec = DataSpec(features={"rgb": 1}, num_classes=3, ranges={"rgb": limits})
    low, high = limits
    between = ((np.arange(255) + 0.5) * (high - low) / 255 + (high - low) / 512 + low).astype(np.float32)
    values = np.concatenate([np.nextafter(between, np.float32(end)) for end in limits] + [between])[:, None]
    compiled = tf.function(lambda floats: quantize_floats(floats, spec), reduce_retracing=True)
    np.testing.assert_array_equal(compiled(tf.constant(values)), quantize(values, low, high))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([SHORT, Video().serialize()], r"needs feature lists rgb, audio, or floats .*\[1\] \[0\] \[0\]"),
        ([Video(means={"rgb": [1.0] * 3, "audio": [1.0] * 2}).serialize()], r"\[0\] \[3\] \[2\]"),
        ([Video(means={"rgb": [np.nan] * 4, "audio": [1.0] * 2}).serialize()], "finite"),
    ],
)
def test_the_error_names_the_record_and_what_it_has(batch, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.function(lambda records: parse_records(records, SPEC))(tf.constant(batch))
