"""Fields that no setting reads, and labels that count from 1."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support.videos import Video, video_of, write_shard
from yt8m.data.checking.check import check_shards
from yt8m.data.checking.diagnosis import diagnose
from yt8m.data.checking.remarks import remark_on_raw_floats
from yt8m.data.format import DataSpec

SMALL = DataSpec(features={"rgb": 16, "audio": 4}, num_classes=5)


def raw(kind: type) -> list[bytes]:
    rng = np.random.default_rng(1)
    frames = {name: [rng.normal(size=size).astype(kind).tobytes() for _ in range(3)] for name, size in
              SMALL.features.items()}  # fmt: skip
    return [Video(frames=frames).serialize()]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_bytes_of_floats_are_named_and_never_read_as_quantized(kind: type) -> None:
    found = diagnose(raw(kind), SMALL)
    assert f"probably {np.dtype(kind)} numbers (numbers per frame: 'rgb' 16, 'audio' 4)" in found
    assert "frames=floats" in found
    assert "--features" not in found


def test_bytes_of_floats_are_seen_without_their_size() -> None:
    assert "probably float32 numbers" in diagnose(raw(np.float32), DataSpec())


def test_quantized_frames_of_any_size_are_no_floats() -> None:
    for size in (8, 32, 64, 128):
        records = [video_of(n, rgb=size, audio=size // 4).serialize() for n in range(20)]
        assert remark_on_raw_floats(records, SMALL) == ""
        assert remark_on_raw_floats(records, DataSpec()) == ""


def flat(number: int) -> bytes:
    record = tf.train.Example()
    features = record.features.feature
    features["id"].bytes_list.value.append(b"%d" % number)
    features["labels"].int64_list.value.append(1)
    features["rgb"].float_list.value.extend([0.5] * 96)
    return bytes(record.SerializeToString())


def test_all_frames_in_one_feature_are_not_read_as_one_mean() -> None:
    found = diagnose([flat(1), flat(2)], DataSpec(features={"rgb": 16}, num_classes=5))
    assert "'rgb' holds 6 frames of 16 floats in one feature" in found
    assert "Write 'rgb' as feature lists, or make the shards by `yt8m data import`" in found
    assert "--features" not in found
    assert "are read as one vector per video" in diagnose([flat(1), flat(2)], DataSpec())


def labeled(values: Sequence[bytes] | Sequence[float]) -> bytes:
    record = tf.train.SequenceExample.FromString(video_of(1, labels=None, rgb=16, audio=4).serialize())
    feature = record.context.feature["labels"]
    if isinstance(values[0], bytes):
        feature.bytes_list.value.extend(values)
    else:
        feature.float_list.value.extend(values)
    return bytes(record.SerializeToString())


@pytest.mark.parametrize(
    ("labels", "what"), [([b"cat"], ""), ([b"3"], "They are numbers as text. "), ([3.0], "They are whole numbers. "),
                         ([0.9, 0.1], "")],
)  # fmt: skip
def test_labels_of_other_kinds_are_told_with_the_remedy(labels: list[bytes] | list[float], what: str) -> None:
    remedy = "Write the numbers of a video's classes as integers, or make the shards by `yt8m data import`, whose"
    assert f"{what}{remedy} --labels takes names, too." in diagnose([labeled(labels)], SMALL)


def test_labels_that_count_from_one_are_told(shard_of_labels: Callable[[Sequence[int]], str]) -> None:
    assert (
        "run from 1 to 5; classes count from 0. Subtract 1"
        in check_shards([shard_of_labels([1, 2, 3, 5])], SMALL).diagnosis
    )
    assert check_shards([shard_of_labels([0, 2, 3, 5])], SMALL).diagnosis == ""
    assert check_shards([shard_of_labels([1, 2, 3, 6])], SMALL).diagnosis == ""


@pytest.fixture
def shard_of_labels(tmp_path: Path) -> Callable[[Sequence[int]], str]:
    def write(labels: Sequence[int]) -> str:
        videos = [video_of(number, labels=[label], rgb=16, audio=4) for number, label in enumerate(labels)]
        return write_shard(tmp_path / "a.tfrecord", videos)

    return write


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([[-1], [3]], "Leave 'labels' empty in videos without a label"),
        ([[-1, 1, -1, -1, -1], [1, -1, -1, -1, -1]], "--classes 5 --layout label_form=multi_hot; in the recipe"),
    ],
)
def test_negative_labels_are_told_with_what_to_write_instead(
    tmp_path: Path, labels: list[list[int]], said: str
) -> None:
    records = [
        Video(id=b"%d" % n, labels=each, frames=video_of(n, rgb=16, audio=4).frames) for n, each in enumerate(labels)
    ]
    assert said in diagnose([each.serialize() for each in records[:2]], SMALL)
    assert said in check_shards([write_shard(tmp_path / "a", records)], SMALL).diagnosis
