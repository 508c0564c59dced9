"""Records of other layouts: read as the layout says."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.data.conftest import read_ids
from tests.support.trainings import resolved
from yt8m.data.checking.explain import explain_bad_record
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.data.partition import Partition, Shard
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import read_videos
from yt8m.data.tfrecord import inspect_framing
from yt8m.training.run import training_batches


def record_of(context: Mapping[str, Sequence[Any]], lists: Mapping[str, Sequence[Any]] | None = None) -> bytes:
    """Serialize a record; integers, floats and byte strings are stored as such."""
    record = tf.train.SequenceExample()
    for key, values in context.items():
        fill(record.context.feature[key], values)
    for key, frames in (lists or {}).items():
        for frame in frames:
            fill(record.feature_lists.feature_list[key].feature.add(), frame)
    return bytes(record.SerializeToString())


def fill(feature: tf.train.Feature, values: Sequence[Any]) -> None:
    kind = {bytes: "bytes_list", int: "int64_list", float: "float_list"}[type(values[0])]
    getattr(feature, kind).value.extend(values)


def spec_of(**layout: str) -> DataSpec:
    return DataSpec(features={"x": 2}, num_classes=3, max_frames=4, ranges={"x": (0.0, 255.0)},
                    layout=RecordLayout.parse(layout, "test"))  # fmt: skip


def read(uri: str, spec: DataSpec) -> dict[str, np.ndarray]:
    (batch,) = read_videos([uri], spec, batch_size=8).as_numpy_iterator()
    return batch


def test_keys_of_ids_and_labels_and_frames_of_floats(tmp_path, shards):
    spec = spec_of(id="clip/data_path", labels="clip/label/index", frames="floats")
    frames = [[1.0, 2.0], [3.0, 400.0]]
    uri = shards.write(tmp_path / "a", [record_of({"clip/data_path": [b"v"], "clip/label/index": [2]}, {"x": frames})])
    batch = read(uri, spec)
    assert batch["ids"].tolist() == [b"v"]
    assert batch["labels"].tolist() == [[0, 0, 1]]
    assert batch["frames"].tolist() == [[[1, 2], [3, 255], [0, 0], [0, 0]]]


@pytest.mark.parametrize(("form", "one"), [("multi_hot", 1), ("multi_hot_floats", 1.0)])
def test_vectors_of_labels(tmp_path, shards, form, one):
    rows = [[0 * one, one, one], [one, 0 * one, 0 * one]]
    records = [record_of({"id": [b"%d" % n], "labels": row, "x": [1.0, 2.0]}) for n, row in enumerate(rows)]
    batch = read(shards.write(tmp_path / "a", records), spec_of(label_form=form))
    assert batch["labels"].tolist() == [[0, 1, 1], [1, 0, 0]]


BAD: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "labels name class 0 twice; they are class numbers, not a vector of zeros and ones": ({}, {"labels": [0, 1, 0]}),
    "labels name class 2 twice; every class occurs once": ({}, {"labels": [2, 2]}),
    "labels has 2 values, not 3, one for every class": ({"label_form": "multi_hot"}, {"labels": [0, 1]}),
    "labels has the value 7; the values are 0 or 1 for every class": (
        {"label_form": "multi_hot"},
        {"labels": [0, 1, 7]},
    ),
    "labels holds floats, not integers": ({"label_form": "multi_hot"}, {"labels": [0.0, 1.0, 0.0]}),
    "no 'key', the key of the id": ({"id": "key"}, {}),
    "trust holds integers, not floats": ({"weight": "trust"}, {"trust": [1]}),
    "trust has 2 values, not one, the weight of the video": ({"weight": "trust"}, {"trust": [1.0, 1.0]}),
    "trust is -0.5, and no number from 0": ({"weight": "trust"}, {"trust": [-0.5]}),
    "trust is nan, and no number from 0": ({"weight": "trust"}, {"trust": [float("nan")]}),
}  # fmt: skip
BAD_FRAMES: dict[str, Any] = {
    "x of frame 1 holds bytes, not floats": [[1.0, 2.0], [b"ab"]],
    "x of frame 0 has 3 floats, not 2": [[1.0, 2.0, 3.0]],
    "x of frame 0 is not finite": [[float("nan"), 2.0]],
    "x of frame 0 holds integers, not floats": [[1, 2]],
}


@pytest.mark.parametrize("reason", [*BAD, *BAD_FRAMES])
def test_the_graph_refuses_what_the_explanation_refuses(tmp_path, shards, reason):
    layout, context = BAD.get(reason, ({"frames": "floats"}, {}))
    lists = {"x": BAD_FRAMES[reason]} if reason in BAD_FRAMES else {}
    values = {} if lists else {"x": [1.0, 2.0]}
    record = record_of({"id": [b"v"]} | context | values, lists)
    spec = spec_of(**layout)
    report = ReadReport()
    assert read_ids([shards.write(tmp_path / "a", [record])], spec, report=report) == []
    assert [bad.reason for bad in report.bad_records.values()] == [reason]
    assert explain_bad_record(record, spec)[1] == reason


def test_features_may_have_the_keys_of_means(tmp_path, shards):
    spec = DataSpec(features={"mean_x": 2}, num_classes=3, ranges={"mean_x": (0.0, 255.0)})
    batch = read(shards.write(tmp_path / "a", [record_of({"video_id": [b"v"], "mean_x": [7.0, 9.0]})]), spec)
    assert batch["frames"][0, 0].tolist() == [7, 9]


def weighted_records() -> list[bytes]:
    """Serialize eight videos with the weights 0, 0.5, ..., 3 and one without, each with its number as feature."""
    weights: list[dict[str, list[float]]] = [{"trust": [number / 2]} for number in range(7)] + [{}]
    return [
        record_of({"id": [b"%d" % number], "labels": [0], "x": [float(number), 0.0], **weight})
        for number, weight in enumerate(weights)
    ]


def test_weights_of_videos_are_read_and_are_1_by_default(tmp_path, shards):
    uri = shards.write(tmp_path / "a", weighted_records())
    assert read(uri, spec_of(weight="trust"))["weights"].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 1]
    assert "weights" not in read(uri, spec_of())


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20], ids=["from shards", "from memory"])
def test_trainings_get_the_weight_of_every_video(tmp_path, shards, memory_bytes):
    path = tmp_path / "train0.tfrecord"
    uri = shards.write(path, weighted_records())
    shard = Shard(
        uri=uri, videos=8, size_bytes=path.stat().st_size, checksum=inspect_framing(path, verify_payloads=True).checksum
    )
    partition = Partition(spec=spec_of(weight="trust"), seed=0, training=(shard,), holdout=(), class_counts=(8, 0, 0))
    config = resolved(batch_size=4, memory_bytes=memory_bytes)
    batches = list(training_batches(partition, config, None)(0, 0).as_numpy_iterator())
    found = {
        int(inputs["frames"][row, 0, 0]): float(targets["weights"][row])
        for inputs, targets in batches
        for row in range(4)
    }
    assert found == {0: 0, 1: 0.5, 2: 1, 3: 1.5, 4: 2, 5: 2.5, 6: 3, 7: 1}
