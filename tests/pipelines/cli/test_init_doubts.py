"""Data that `yt8m init` refuses or warns of, and places where it writes nothing."""

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.init import doubts
from tests.support.init_command import DIVIDED, SIZES, init, recipe_of, records, write_shards
from tests.support.videos import Video, video_of, write_shard
from yt8m.data.description import DatasetDescription
from yt8m.data.format import DataSpec


def test_existing_recipes_are_not_overwritten_unless_asked(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "recipe.yaml").write_text("mine")
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert "--overwrite" in result.stderr
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["recipe.yaml"]
    assert (tmp_path / "own" / "recipe.yaml").read_text() == "mine"
    assert init(tmp_path / "own", "--data", tmp_path / "data", "--overwrite").exit_code == 0
    assert recipe_of(tmp_path / "own").name == "own"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["all.tfrecord"], "all.tfrecord is the only shard"),
        (["train.tfrecord", "test.tfrecord"], "is the only shard besides 1 for the test"),
    ],
)
def test_one_shard_is_refused_with_the_remedy(tmp_path: Path, names: list[str], said: str) -> None:
    write_shards(tmp_path / "data", names)
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert said in result.stderr
    assert "yt8m data split" in result.stderr
    assert not (tmp_path / "own").exists()


@pytest.mark.slow
def test_the_remedy_for_one_shard_works(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", ["all.tfrecord"])
    said = init(tmp_path / "own", "--data", tmp_path / "data").stderr
    (command,) = re.findall(r"`yt8m ([^`]+)`\. Then", said)
    (arguments,) = re.findall(r"give (--data \S+)\. ", said)
    assert CliRunner().invoke(main, shlex.split(command)).exit_code == 0
    result = init(tmp_path / "own", *shlex.split(arguments))
    assert result.exit_code == 0, result.output
    assert recipe_of(tmp_path / "own").data.holdout_shards == 2


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (video_of(1, labels=None), "have no labels"),
        (Video(labels=[1]), "no features of frames or videos"),
        (b"neither", "neither a SequenceExample nor an Example"),
    ],
)
def test_records_that_nothing_can_learn_from_are_refused(tmp_path: Path, record: Video | bytes, said: str) -> None:
    (tmp_path / "data").mkdir()
    for name in DIVIDED:
        write_shard(tmp_path / "data" / name, [record] * 4)
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "own").exists()


def write_records(folder: Path, names: Sequence[str], fields: Callable[[int], dict[str, object]]) -> None:
    """Write shards with 12 records each, whose context has an id and the given byte string or numbers."""
    import tensorflow as tf  # noqa: PLC0415 - most tests do without

    folder.mkdir(parents=True, exist_ok=True)
    for shard, name in enumerate(names):
        records = []
        for number in range(12):
            record = tf.train.SequenceExample()
            record.context.feature["id"].bytes_list.value.append(b"%d-%d" % (shard, number))
            for key, value in fields(number).items():
                feature = record.context.feature[key]
                if isinstance(value, bytes):
                    feature.bytes_list.value.append(value)
                elif isinstance(value, np.ndarray):
                    feature.float_list.value.extend(value)
                else:
                    feature.int64_list.value.append(value)
            record.feature_lists.feature_list["rgb"].feature.add().bytes_list.value.append(bytes(8))
            records.append(record.SerializeToString())
        write_shard(folder / name, records)


@pytest.mark.parametrize(
    "labels",
    [lambda n: (b"cat", b"dog")[n % 2], lambda n: b"%d" % (n % 2), lambda n: bytes([n % 2, 1 - n % 2]),
     lambda n: np.where(np.arange(3) == n % 3, 0.9, 0.05), lambda n: np.array([n % 3 + 0.0])],
    ids=["names", "digits", "bytes", "probabilities", "float"],
)  # fmt: skip
def test_labels_that_no_reader_takes_are_refused(tmp_path: Path, labels: Callable[[int], object]) -> None:
    write_records(tmp_path / "data", DIVIDED, lambda n: {"labels": labels(n)})
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert re.search(r"train0.tfrecord: labels holds (bytes|floats), not integers", result.stderr)
    assert "The records have: feature lists 'rgb'" in result.stderr
    assert "make the shards by `yt8m data import`" in result.stderr
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(
    ("training", "holdout", "said"),
    [
        ([0, 1], None, "no labeled video in the hold-out shards (1)"),
        (None, [0, 1], "no labeled video in the training shards (3)"),
        ([0], [0], "all 18 training videos have the same labels (class 0)"),
        ([0, 1], [2], "no training video has a class of the hold-out videos"),
    ],
)
def test_labels_that_teach_or_measure_nothing_are_refused(
    tmp_path: Path, training: list[int] | None, holdout: list[int] | None, said: str
) -> None:
    (tmp_path / "data").mkdir()
    for number, name in enumerate(DIVIDED):
        classes = holdout if name.startswith("validate") else training
        labels = [classes and [classes[n % len(classes)]] for n in range(6)]
        write_shard(tmp_path / "data" / name, [video_of(6 * number + n, labels=each) for n, each in enumerate(labels)])
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "own").exists()


@pytest.mark.slow
def test_videos_on_both_sides_are_refused_and_a_few_are_told(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    known = list(records(tmp_path / "data"))
    last = tmp_path / "data" / "validate0.tfrecord"
    write_shard(last, known[:5] + known[60:])
    result = init(tmp_path / "few", "--data", tmp_path / "data")
    assert result.exit_code == 0
    assert "Warning: 5 of 25 hold-out videos are training videos, too" in result.stderr
    for copied, said in ((known[:20], "same content as training shards"), (known[19:0:-1], "19 of 19 hold-out videos")):
        write_shard(last, copied)
        result = init(tmp_path / "own", "--data", tmp_path / "data")
        assert result.exit_code == 2
        assert said in result.stderr
        assert not (tmp_path / "own").exists()


def test_of_large_shards_some_are_read_and_warn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(tmp_path / "data", DIVIDED, classes=1)
    size = (tmp_path / "data" / "train0.tfrecord").stat().st_size
    monkeypatch.setattr(doubts, "_SCANNED_BYTES", 2 * size)
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 0
    assert ", 1 class, up to 5 frames" in result.output
    assert "Warning: In 3 of 4 shards, which were read: all 40 training videos have the same labels" in result.stderr


def test_a_side_of_huge_shards_without_labels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    write_shard(tmp_path / "data" / "validate0.tfrecord", [video_of(99, labels=None, rgb=8, audio=4)] * 5)
    monkeypatch.setattr(doubts, "_SCANNED_BYTES", 1)
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "validate0.tfrecord: the records have no labels" in result.stderr


def test_a_side_without_usable_videos_is_refused(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    write_shard(
        tmp_path / "data" / "validate0.tfrecord", [video_of(n, num_frames=0, rgb=8, audio=4) for n in range(99, 103)]
    )
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "no usable video in 1 shard of the hold-out side" in result.stderr
    assert not (tmp_path / "own").exists()


def test_two_kinds_of_shards_are_refused(tmp_path: Path) -> None:
    write_shards(tmp_path / "one", DIVIDED)
    write_shards(tmp_path / "two", DIVIDED, inc3=6)
    result = init(tmp_path / "own", "--data", tmp_path / "one", "--data", tmp_path / "two")
    assert result.exit_code == 2
    assert re.search(r"4 with rgb 8, audio 4 .*, such as \S+/one/train0\.tfrecord; 4 with inc3 6 ", result.stderr)
    assert "Give shards of one kind." in result.stderr


def test_frames_and_vectors_of_the_same_videos_are_refused_together(tmp_path: Path) -> None:
    write_shards(tmp_path / "frames", DIVIDED, videos=4)
    (tmp_path / "vectors").mkdir()
    for name in DIVIDED:
        means = {feature: np.linspace(-1, 1, size).tolist() for feature, size in SIZES.items()}
        write_shard(tmp_path / "vectors" / name, [Video(id=b"%d" % n, labels=[n % 3], means=means) for n in range(4)])
    result = init(tmp_path / "own", "--data", tmp_path / "frames", "--data", tmp_path / "vectors")
    assert result.exit_code == 2
    assert re.search(r"4 with rgb 8, audio 4 \(bytes per frame\).*; 4 with .* \(one per video\)", result.stderr)


def test_damaged_and_empty_shards_are_told(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    (tmp_path / "data" / "train1.tfrecord").write_bytes(b"")
    damaged = tmp_path / "data" / "train2.tfrecord"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 0
    assert "Warning: 2 shards of 4 that were opened are damaged or empty, for instance" in result.stderr
    assert "`yt8m data check`" in result.stderr


def test_one_shard_without_labels_is_not_to_be_split(tmp_path: Path) -> None:
    write_shard(tmp_path / "unlabeled-test0000.tfrecord", [video_of(1, labels=None)] * 3)
    result = init(tmp_path / "own", "--data", tmp_path)
    assert result.exit_code == 2
    assert "the records have no labels" in result.stderr
    assert "data split" not in result.stderr


@pytest.mark.parametrize(("name", "said"), [("a.npy", "`yt8m data import`"), ("a.mp4", "only other files")])
def test_a_folder_of_other_files_is_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(b"1")
    result = init(tmp_path / "own", "--data", tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path}/{name}" in result.stderr
    assert said in result.stderr


def test_features_that_are_left_out_are_told(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED, inc=8, end_scores=6)
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert recipe_of(tmp_path / "own").data.resolve_spec().features == {"inc": 8}
    assert "Warning: 'end_scores' is not among the features, because its name" in result.stderr


def test_a_key_that_no_recipe_can_name_is_refused_with_its_shard(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED, **{"a\tb": 6})
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "train0.tfrecord" in result.stderr
    assert "DataSpec" not in result.stderr
    assert "rename the field" in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "the file is empty"), (b"clip,label\nv1,cat\n" * 9, "not a TFRecord file"), (b"\x1f\x8b" * 20, "gzip")],
)
def test_files_without_records_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    for number in range(2):
        (tmp_path / f"{number}.tfrecord").write_bytes(content)
    result = init(tmp_path / "own", "--data", tmp_path)
    assert result.exit_code == 2
    assert said in result.stderr


def test_shards_of_two_data_sets_are_refused(tmp_path: Path) -> None:
    for name, classes in (("one", 3), ("two", 4)):
        write_shards(tmp_path / name, DIVIDED)
        spec = DataSpec(features=SIZES, num_classes=classes, max_frames=5)
        DatasetDescription(data=spec, seed=0, videos={}, shards={}).save(tmp_path / name / "dataset.json")
    result = init(tmp_path / "own", "--data", tmp_path / "one", "--data", tmp_path / "two")
    assert result.exit_code == 2
    assert "hold different data" in result.stderr


def test_a_described_data_set_without_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("test0.tfrecord", "test1.tfrecord"):
        write_shard(tmp_path / "data" / name, [video_of(1, labels=())])
    spec = DataSpec(features=SIZES, num_classes=3, max_frames=5)
    DatasetDescription(data=spec, seed=0, videos={"test": 2}, shards={"test": 2}).save(tmp_path / "data/dataset.json")
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "have no labels" in result.stderr


@pytest.mark.parametrize("folder", ["gs://bucket/own", "file"])
def test_recipes_need_a_folder_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    result = init(folder, "--data", tmp_path)
    assert result.exit_code == 2
    assert "on this machine, received" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("folder", "said"), [("file/own", "file is no folder"), ("own", "recipe.yaml: a folder")])
def test_a_place_where_no_recipe_can_be_is_refused_before_the_shards_are_read(
    tmp_path: Path, folder: str, said: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "own" / "recipe.yaml").mkdir(parents=True)
    result = init(tmp_path / folder, "--data", tmp_path / "none", "--overwrite")
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("inner", ["", "a/b/c"])
def test_a_folder_without_shards_is_refused(tmp_path: Path, inner: str) -> None:
    (tmp_path / "data" / inner).mkdir(parents=True)
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert f"--data: no shards in the folder '{tmp_path / 'data'}'" in result.stderr


@pytest.mark.parametrize(("place", "said"), [("none*", "no shard matches"), ("", "received an empty text")])
def test_a_place_without_shards_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = init("own", "--data", place)
    assert result.exit_code == 2
    assert said in result.stderr
