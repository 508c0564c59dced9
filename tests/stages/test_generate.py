"""Generated data sets are complete and reproducible, and an interrupted generation continues."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from yt8m import storage
from yt8m.data.synthetic import dataset as dataset_module
from yt8m.data.tfrecord import write_record
from yt8m.errors import ConfigError, DataError
from yt8m.stages.generate import GenerateConfig, generate, globs


def _generate(folder: Path, **options: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"preset": "smoke", "videos": 120}
    config = GenerateConfig(**values | options)
    return generate(config=config, output_uri=str(folder)).details["dataset"]


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _read(folder: Path, pattern: str, sizes: dict[str, int]) -> list[tuple[bytes, list[int], dict[str, np.ndarray]]]:
    """Read shards with plain TensorFlow."""
    context = {"id": tf.io.FixedLenFeature([], tf.string), "labels": tf.io.VarLenFeature(tf.int64)}
    sequence = {name: tf.io.FixedLenSequenceFeature([], tf.string) for name in sizes}
    videos = []
    for record in tf.data.TFRecordDataset([str(path) for path in sorted(folder.glob(pattern))]):
        about, features = tf.io.parse_single_sequence_example(record, context, sequence)
        frames = {
            name: np.frombuffer(b"".join(features[name].numpy()), np.uint8).reshape(-1, size)
            for name, size in sizes.items()
        }
        videos.append((about["id"].numpy(), tf.sparse.to_dense(about["labels"]).numpy().tolist(), frames))
    return videos


def test_plain_tensorflow_reads_every_video(tmp_path: Path) -> None:
    dataset = _generate(tmp_path)
    spec = dataset["data"]
    ids = set()
    for split, labeled in (("train", True), ("validate", True), ("test", False)):
        videos = _read(tmp_path, f"{split}*.tfrecord", spec["features"])
        assert len(videos) == dataset["videos"][split]
        for video_id, labels, frames in videos:
            ids.add(video_id)
            assert bool(labels) == labeled
            assert all(0 <= label < spec["num_classes"] for label in labels)
            assert labels == sorted(set(labels))
            lengths = {len(values) for values in frames.values()}
            assert len(lengths) == 1
            assert 1 <= lengths.pop() <= spec["max_frames"] + 1
    assert len(ids) == 120


def test_the_description_gives_the_kind_of_every_class(tmp_path: Path) -> None:
    dataset = _generate(tmp_path)
    assert json.loads((tmp_path / "dataset.json").read_text()) == dataset
    kinds = dataset["generation"]["class_kinds"]
    assert set(kinds) == {"mean", "rare", "variance", "order", "cooccurrence"}
    assert sorted(c for classes in kinds.values() for c in classes) == list(range(dataset["data"]["num_classes"]))


def test_there_are_several_validation_shards(tmp_path: Path) -> None:
    dataset = _generate(tmp_path / "shards [v1]")
    training, validation = globs(str(tmp_path / "shards [v1]"))
    assert len(storage.list_uris(training)) == dataset["shards"]["train"] >= 4
    assert len(storage.list_uris(validation)) == dataset["shards"]["validate"] >= 8


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_threads(tmp_path: Path) -> None:
    _generate(tmp_path / "one", threads=1)
    _generate(tmp_path / "three", threads=3)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "three")


def test_another_seed_gives_other_videos(tmp_path: Path) -> None:
    _generate(tmp_path / "a")
    _generate(tmp_path / "b", seed=1)
    a, b = _bytes(tmp_path / "a"), _bytes(tmp_path / "b")
    assert a.keys() == b.keys()
    assert all(a[name] != b[name] for name in a)


class KilledError(Exception):
    pass


def test_an_interrupted_generation_continues_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _generate(tmp_path / "whole")
    written = 0

    def write_until_killed(*arguments: Any) -> None:
        nonlocal written
        written += 1
        if written > 50:
            raise KilledError
        write_record(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(dataset_module, "write_record", write_until_killed)
        with pytest.raises(KilledError):
            _generate(tmp_path / "resumed", threads=1)
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "resumed").glob("*.tfrecord")}
    assert 0 < len(finished) < len(_bytes(tmp_path / "whole")) - 1
    _generate(tmp_path / "resumed")
    assert _bytes(tmp_path / "resumed") == _bytes(tmp_path / "whole")
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def _cut_in_a_record(content: bytes) -> bytes:
    return content[:-1]


def _cut_between_records(content: bytes) -> bytes:
    return content[: int.from_bytes(content[:8], "little") + 16]


@pytest.mark.parametrize("damage", [_cut_in_a_record, _cut_between_records, lambda _: b""])
def test_a_damaged_shard_is_replaced(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    _generate(tmp_path)
    whole = _bytes(tmp_path)
    shard = tmp_path / "train0001.tfrecord"
    shard.write_bytes(damage(shard.read_bytes()))
    _generate(tmp_path)
    assert _bytes(tmp_path) == whole


def test_a_folder_with_another_data_set_is_refused(tmp_path: Path) -> None:
    _generate(tmp_path)
    with pytest.raises(DataError, match=r"another data set .*seed 0 instead of 1"):
        _generate(tmp_path, seed=1)


def test_a_folder_with_other_shards_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train0000.tfrecord").touch()
    with pytest.raises(DataError, match=r"holds 1 shard .*without dataset\.json"):
        _generate(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1,2]", '{"seed": 0}'])
def test_an_invalid_description_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(ConfigError, match=r"dataset\.json: not a description of the shards beside it"):
        _generate(tmp_path)


def test_videos_can_be_shorter(tmp_path: Path) -> None:
    dataset = _generate(tmp_path, max_frames=4)
    lengths = [len(frames["rgb"]) for _, _, frames in _read(tmp_path, "*.tfrecord", dataset["data"]["features"])]
    assert 4 in lengths
    assert max(lengths) <= 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"videos": 0}, "videos: .*greater than 0.*0"),
        ({"preset": "big"}, "preset: "),
        ({"seed": -1}, "seed: "),
        ({"max_frames": 0}, "max_frames: "),
        ({"validation_share": 0.8, "test_share": 0.5}, "more than all videos"),
        ({"preset": "demo", "means": "means.npz"}, "means need preset 'yt8m'"),
        ({"missing_share": 0.5, "means": "means.npz"}, r"real labels.*missing_share 0\.5"),
        ({"video": 3}, "unknown key 'video'. Did you mean 'videos'"),
    ],
)
def test_unusable_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GenerateConfig.parse(options, "data generate")


def test_a_data_set_without_training_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave none for training"):
        _generate(tmp_path, validation_share=0.9, test_share=0.1)


@pytest.mark.parametrize("videos", [1, 2, 7])
def test_very_few_videos_are_possible(tmp_path: Path, videos: int) -> None:
    dataset = _generate(tmp_path, videos=videos)
    assert sum(dataset["videos"].values()) == videos


def test_real_videos_from_their_means(tmp_path: Path, real_data: Path) -> None:
    means = real_data / "validate_means.npz"
    dataset = _generate(tmp_path, preset=None, videos=20, means=str(means), max_frames=20)
    assert dataset["generation"]["preset"] == "yt8m"
    assert dataset["generation"]["means"]["file"] == means.name
    assert dataset["generation"]["class_kinds"] == {}
    with np.load(means) as file:
        rows = {bytes(video_id): row for row, video_id in enumerate(file["ids"])}
        rgb = file["mean_rgb"]
    videos = _read(tmp_path, "train*.tfrecord", dataset["data"]["features"])
    for video_id, _, frames in videos:
        assert np.abs(frames["rgb"].mean(axis=0) - rgb[rows[video_id]]).max() <= 1
