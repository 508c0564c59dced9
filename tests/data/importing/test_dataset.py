"""Imported data sets hold what the source has, and appear completely or not at all."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.own_videos import OwnVideos
from tests.support.paths import names_in
from yt8m.data.importing import shard_files
from yt8m.data.importing.dataset import import_dataset
from yt8m.data.importing.target import ImportConfig
from yt8m.data.importing.video import SourceVideo
from yt8m.data.partition import Partition
from yt8m.data.vocabulary.names import read_vocabulary
from yt8m.errors import ConfigError, DataError
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.training.holdout import read_holdout


def _import(folder: Path, source: Any = None, *, dry_run: bool = False, **options: Any):
    return import_dataset(source or OwnVideos(60), None, ImportConfig(**options), str(folder), dry_run=dry_run)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _read(paths, features) -> dict[str, tuple[str, list[int], dict[str, np.ndarray]]]:
    """Read shards with plain TensorFlow: file, labels and bytes by id."""
    found = {}
    for path in sorted(paths):
        for record in tf.data.TFRecordDataset(str(path)):
            example = tf.train.SequenceExample.FromString(record.numpy())
            context, lists = example.context.feature, example.feature_lists.feature_list
            frames = {
                name: np.array([np.frombuffer(each.bytes_list.value[0], np.uint8) for each in lists[name].feature])
                for name in features
            }
            video = context["id"].bytes_list.value[0].decode()
            assert video not in found
            found[video] = (path.name, list(context["labels"].int64_list.value), frames)
    return found


def test_shards_hold_ids_labels_and_values(tmp_path: Path) -> None:
    source = OwnVideos(300)
    report = _import(tmp_path / "out", source)
    description = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert report.description.model_dump(mode="json") == description
    found = _read((tmp_path / "out").glob("*.tfrecord"), source.features)
    assert len(found) == 300
    names = [f"class {number}" for number in range(7)]
    rows = [f"{number},{name}" for number, name in enumerate(names)]
    assert (tmp_path / "out" / "vocabulary.csv").read_text().splitlines() == ["Index,Name", *rows]
    clipped = dict.fromkeys(source.features, 0)
    for video in source:
        _, labels, frames = found[video.id]
        assert [names[label] for label in labels] == list(video.labels or ())
        for name, values in video.features.items():
            low, high = description["data"]["ranges"][name]
            step = (high - low) / 255
            decoded = frames[name] * step + (high - low) / 512 + low
            inside = (values >= low) & (values <= high)
            assert np.all(np.abs(decoded - values)[inside] <= step / 2 * 1.001)
            clipped[name] += int((~inside).sum())
    # The share counts only values that lose more than half a step, up to 0.4% of the width beyond the range.
    shares = {name: count / (750 * source.features[name]) for name, count in clipped.items()}
    assert description["imported"]["clipped"] == pytest.approx(shares, abs=2e-4)


def test_sides_have_their_shares_of_videos_and_shards(tmp_path: Path) -> None:
    report = _import(tmp_path / "out", OwnVideos(350))
    assert report.description.videos == {"train": 280, "validate": 35, "test": 35}
    assert report.description.shards == {"train": 4, "validate": 8, "test": 2}
    for side, count in report.description.videos.items():
        paths = sorted((tmp_path / "out").glob(f"{side}*.tfrecord"))
        found = _read(paths, {})
        assert len(paths) == report.description.shards[side]
        assert len(found) == count
        sizes = [sum(name == path.name for name, *_ in found.values()) for path in paths]
        assert max(sizes) - min(sizes) <= 1
        assert len({labels[0] for _, labels, _ in found.values()}) == 7


def test_videos_are_shuffled_over_shards(tmp_path: Path) -> None:
    _import(tmp_path / "out", OwnVideos(400), split={"train": 0.5, "validate": 0.5})
    found = _read((tmp_path / "out").glob("train0000.tfrecord"), {})
    numbers = [int(video[1:]) for video in found]
    assert len(numbers) == 50
    assert min(numbers) < 100
    assert max(numbers) > 300


def test_more_shards_than_open_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _import(tmp_path / "expected")
    monkeypatch.setattr(shard_files, "MOST_OPEN_FILES", 3)
    assert sum(_import(tmp_path / "out").description.shards.values()) > 6
    assert _bytes(tmp_path / "out") == _bytes(tmp_path / "expected")


def test_shards_have_a_largest_number_of_videos(tmp_path: Path) -> None:
    report = _import(tmp_path / "out", OwnVideos(200), videos_per_shard=10)
    assert report.description.shards == {"train": 16, "validate": 5, "test": 2}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        _import(tmp_path / name, seed=seed)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
    one, three = ({path.name: path.read_bytes() for path in (tmp_path / n).glob("*.tf*")} for n in ("one", "three"))
    assert one.keys() == three.keys()
    assert all(one[name] != three[name] for name in one)


def test_a_group_is_on_one_side(tmp_path: Path) -> None:
    report = _import(tmp_path / "out", OwnVideos(400, groups=30))
    sides: dict[int, set[str]] = {}
    for video, (name, *_) in _read((tmp_path / "out").glob("*.tfrecord"), {}).items():
        sides.setdefault(int(video[1:]) % 30, set()).add(re.match("[a-z]+", name)[0])
    assert len(sides) == 30
    assert all(len(each) == 1 for each in sides.values())
    assert report.description.videos["train"] == pytest.approx(320, abs=30)
    assert report.description.imported.groups == 30


def test_groups_are_in_the_records_and_divide_the_hold_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    description = _import(out, OwnVideos(400, groups=30)).description
    assert description.data.layout.group == "group"
    config = PrepareConfig(
        training=(f"{out}/train*",), validation=(f"{out}/validate*",), holdout_shards=1, spec=description.data
    )
    prepare(config=config, output=tmp_path / "partition.json")
    partition = Partition.load(tmp_path / "partition.json")
    parts: dict[int, set[bool]] = {}
    for batch in read_holdout(partition, 16):
        for video, report in zip(batch["ids"], batch["report"], strict=True):
            parts.setdefault(int(video[1:]) % 30, set()).add(bool(report))
    assert set.union(*parts.values()) == {False, True}
    assert all(len(each) == 1 for each in parts.values())
    assert len(parts) < partition.num_holdout_videos


@pytest.mark.parametrize(
    ("groups", "split", "remedies"),
    [
        (10, None, None),
        (4, None, ["more groups (here: 4)", "--split train=0.8,validate=0.2."]),
        (4, {"train": 0.8, "validate": 0.2}, None),
        (3, {"train": 0.8, "validate": 0.2}, ["more groups (here: 3)"]),
    ],
)
def test_a_validation_side_of_one_group_is_told_with_remedies(tmp_path: Path, groups, split, remedies) -> None:
    source = OwnVideos(20 * groups, groups=groups, labels=lambda number: (f"class {number // groups % 3}",))
    report = _import(tmp_path, source, dry_run=True, split=split)
    told = [each for each in report.warnings() if "are of one group" in each]
    assert report.one_validation_group is bool(told) is bool(remedies)
    for text in told:
        assert text.startswith("All 20 videos for validation are of one group.")
        assert "data.report_share: 0" in text
        assert [each for each in remedies if each not in text] == []
        assert ("--split" in text) is (len(remedies) == 2)


def test_without_groups_nothing_names_one(tmp_path: Path) -> None:
    assert _import(tmp_path / "out").description.data.layout.group == ""


def test_videos_without_labels_are_in_shards_of_their_own(tmp_path: Path) -> None:
    source = OwnVideos(100, labels=lambda number: (number % 3,) if number % 10 else None if number % 20 else ())
    report = _import(tmp_path / "out", source)
    assert report.unlabeled == 10
    unlabeled = _read((tmp_path / "out").glob("unlabeled-test*.tfrecord"), {})
    assert set(unlabeled) == {f"v{number}" for number in range(0, 100, 10)}
    assert sum(report.description.videos.values()) == 100
    # Classes without names are named by their numbers.
    assert (tmp_path / "out" / "vocabulary.csv").read_text() == "Index,Name\n0,0\n1,1\n2,2\n"


def test_without_any_labels_all_videos_are_in_test_shards(tmp_path: Path) -> None:
    source = OwnVideos(10, labels=lambda _: None)
    report = _import(tmp_path / "out", source)
    assert report.description.videos == {"test": 10}
    assert names_in(tmp_path / "out") == ["dataset.json", "test0000.tfrecord", "test0001.tfrecord"]
    assert not [*report.warnings()]
    with pytest.raises(DataError, match="can be predicted, but not trained on"):
        _import(tmp_path / "other", source, split={"train": 0.5, "validate": 0.5})
    empty = _import(tmp_path / "empty", OwnVideos(10, labels=lambda _: ()), dry_run=True)
    assert "All videos have an empty list of labels" in "".join(empty.warnings())


def test_long_videos_are_cut_on_request(tmp_path: Path) -> None:
    source = OwnVideos(40)
    whole, cut = _import(tmp_path / "whole", source), _import(tmp_path / "cut", source, max_frames=2)
    assert (whole.description.data.max_frames, whole.cut) == (4, 0)
    assert (cut.description.data.max_frames, cut.cut) == (2, 20)
    frames = [len(each["rgb"]) for _, _, each in _read((tmp_path / "cut").glob("*.tfrecord"), ["rgb"]).values()]
    assert max(frames) == 2


def test_a_range_can_be_given(tmp_path: Path) -> None:
    report = _import(tmp_path / "out", ranges={"rgb": (-0.5, 0.5)})
    assert report.description.data.range_of("rgb") == (-0.5, 0.5)
    values = np.concatenate([video.features["rgb"].ravel() for video in OwnVideos(60)])
    expected = np.mean((values < -0.5) | (values > 0.5))
    assert report.description.imported.clipped["rgb"] == pytest.approx(expected, abs=0.01)
    with pytest.raises(DataError, match=r"no feature 'rbg'\. Did you mean 'rgb'"):
        _import(tmp_path / "other", ranges={"rbg": (-0.5, 0.5)})


def test_another_data_set_gives_ranges_features_and_classes(tmp_path: Path) -> None:
    first = _import(tmp_path / "first")
    swapped = OwnVideos(30, {"audio/2": 3, "rgb": 6}, labels=lambda _: ("class 3",), shift=2)
    second = _import(tmp_path / "second", swapped, like=str(tmp_path / "first"))
    one, two = first.description.data, second.description.data
    assert list(one.features) == list(two.features)
    assert (one.ranges, one.num_classes) == (two.ranges, two.num_classes)
    assert (tmp_path / "first" / "vocabulary.csv").read_text() == (tmp_path / "second" / "vocabulary.csv").read_text()
    assert all(labels == [3] for _, labels, _ in _read((tmp_path / "second").glob("*.tfrecord"), {}).values())
    assert min(second.description.imported.clipped.values()) > 0.05
    new_class = OwnVideos(30, labels=lambda _: ("class 9",))
    with pytest.raises(DataError, match="unknown label 'class 9'"):
        _import(tmp_path / "third", new_class, like=str(tmp_path / "first" / "dataset.json"))
    with pytest.raises(DataError, match=r"expected the features rgb \(6\), audio/2 \(3\), received rgb \(5\)"):
        _import(tmp_path / "third", OwnVideos(30, {"rgb": 5}), like=str(tmp_path / "first"))
    with pytest.raises(DataError, match=r"has no dataset\.json"):
        _import(tmp_path / "third", like=str(tmp_path))
    with pytest.raises(ConfigError, match="like: gives classes, too"):
        _import(tmp_path / "third", like=str(tmp_path / "first"), classes=3)
    assert names_in(tmp_path) == ["first", "second"]


def test_the_number_of_classes_can_be_given(tmp_path: Path) -> None:
    source = OwnVideos(40, labels=lambda number: (number % 3,))
    assert _import(tmp_path / "three", source).description.data.num_classes == 3
    assert _import(tmp_path / "five", source, classes=5).description.data.num_classes == 5
    from_1 = _import(tmp_path / "from 1", OwnVideos(40, labels=lambda number: (number % 3 + 1,)))
    assert "1 of 4 classes has no video, so that a model cannot learn it. Class numbers count from 0." in [
        *from_1.warnings()
    ]
    with pytest.raises(DataError, match="row 2: labels 2: expected classes from 0 to 1, received 2"):
        _import(tmp_path / "two", source, classes=2)
    with pytest.raises(DataError, match=r"row 0: label -1: expected the number of a class"):
        _import(tmp_path / "two", OwnVideos(40, labels=lambda _: (-1,)))


def test_a_dry_run_writes_nothing_and_tells_the_same(tmp_path: Path) -> None:
    dry = _import(tmp_path / "out", dry_run=True)
    assert names_in(tmp_path) == []
    real = _import(tmp_path / "out")
    assert dry == real
    size = sum(path.stat().st_size for path in (tmp_path / "out").glob("*.tfrecord"))
    assert real.size_bytes == pytest.approx(size, rel=0.01)


def test_a_finished_import_is_not_repeated_and_not_replaced(tmp_path: Path) -> None:
    _import(tmp_path / "out", sources=("one",))
    before = _bytes(tmp_path / "out")
    stamps = [path.stat().st_mtime_ns for path in sorted((tmp_path / "out").iterdir())]
    assert _import(tmp_path / "out", sources=("./one",)).was_complete
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "out").iterdir())] == stamps
    cases: list[tuple[OwnVideos, dict[str, Any], str]] = [
        (OwnVideos(61), {}, "videos"),
        (OwnVideos(60, shift=1e-3), {}, r"ranges\.\w+ \["),
        (OwnVideos(60), {"seed": 1}, "seed 0 instead of 1"),
        (OwnVideos(60, labels=lambda number: (f"class {-number % 7}",)), {}, "content"),
    ]
    for source, options, said in cases:
        with pytest.raises(DataError, match=f"holds another data set: .*{said}"):
            _import(tmp_path / "out", source, **options)
    assert _bytes(tmp_path / "out") == before
    (tmp_path / "out" / "train0001.tfrecord").unlink()
    assert not _import(tmp_path / "out").was_complete
    shards = {name: content for name, content in before.items() if name != "dataset.json"}
    assert {name: content for name, content in _bytes(tmp_path / "out").items() if name != "dataset.json"} == shards


def test_folders_with_other_files_are_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(folder: Path, said: str) -> None:
        with pytest.raises(DataError, match=said):
            _import(folder)

    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    refused(tmp_path / "notes", "holds other files, such as mine.txt")
    refused(tmp_path / "notes" / "mine.txt", "is a file")
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "train0000.tfrecord").write_bytes(b"")
    refused(tmp_path / "shards", "holds other files, such as train0000.tfrecord")
    _import(tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("mine")
    refused(tmp_path / "out", "holds other files, such as mine.txt")
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, "current folder")
    assert (tmp_path / "notes" / "mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    _import(tmp_path / "empty")
    assert (tmp_path / "empty" / "dataset.json").exists()


class _Changing(OwnVideos):
    """Videos of which one changes between two passes."""

    passes = 0

    def __iter__(self) -> Iterator[SourceVideo]:
        self.passes += 1
        for number in range(self.count):
            video = self.video(number)
            yield video._replace(id="other") if self.passes == 2 and number == 30 else video


class _Unread(OwnVideos):
    """Videos that must not be read."""

    def __iter__(self) -> Iterator[SourceVideo]:
        raise AssertionError("the videos were read")


class _Failing(OwnVideos):
    """Videos of which one cannot be used in the second pass."""

    passes = 0

    def __iter__(self) -> Iterator[SourceVideo]:
        self.passes += 1
        for number in range(self.count):
            if self.passes == 2 and number == 30:
                raise DataError("row 30: NaN")
            yield self.video(number)


@pytest.mark.parametrize(("source", "said"), [(_Changing(60), "changed while they were read"), (_Failing(60), "NaN")])
def test_nothing_is_left_of_a_failed_import(tmp_path: Path, source: OwnVideos, said: str) -> None:
    with pytest.raises(DataError, match=said):
        _import(tmp_path / "out", source)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"train": 0.5, "validate": 0.4}, "add up to 1, received 0.9"),
        ({"train": 1.5, "validate": -0.5}, "expected a share above 0"),
        ({"training": 1.0}, "no side 'training'. Did you mean 'train'"),
    ],
)
def test_shares_that_make_no_whole_are_refused(split: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ImportConfig(split=split)


def test_a_range_is_checked_before_the_videos_are_read(tmp_path: Path) -> None:
    for limits in ((1.0, 1.0), (2.0, 1.0), (0.0, 1e300)):
        with pytest.raises(ConfigError, match=r"ranges\.rgb: expected"):
            _import(tmp_path / "out", _Unread(1), ranges={"rgb": limits})


def test_a_missing_vocabulary_is_written_again(tmp_path: Path) -> None:
    _import(tmp_path / "out")
    before = _bytes(tmp_path / "out")
    (tmp_path / "out" / "vocabulary.csv").unlink()
    assert not _import(tmp_path / "out").was_complete
    assert _bytes(tmp_path / "out") == before
    assert _import(tmp_path / "out").was_complete


def test_too_few_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="4 videos are too few"):
        _import(tmp_path / "out", OwnVideos(4))
    with pytest.raises(DataError, match="SOURCE: no video in it"):
        _import(tmp_path / "out", OwnVideos(0))
    assert _import(tmp_path / "out", OwnVideos(5)).description.shards == {"train": 2, "validate": 2, "test": 1}


def test_a_vocabulary_with_fewer_names_than_classes_is_completed(tmp_path: Path) -> None:
    names = "".join(f"class {number}\n" for number in range(7))
    (tmp_path / "names.txt").write_text(names)
    _import(tmp_path / "out", vocabulary=str(tmp_path / "names.txt"), classes=9)
    found = read_vocabulary(str(tmp_path / "out" / "vocabulary.csv"), 9)
    assert [found[number] for number in (0, 6, 7, 8)] == ["class 0", "class 6", "", ""]


def test_a_data_set_of_a_version_that_did_not_count_groups_by_side_is_the_same(tmp_path: Path) -> None:
    source = OwnVideos(100, groups=20)
    made = _import(tmp_path / "out", source).description.imported
    assert made.validation_groups >= 2
    path = tmp_path / "out" / "dataset.json"
    content = json.loads(path.read_text())
    del content["imported"]["validation_groups"]
    path.write_text(json.dumps(content))
    assert _import(tmp_path / "out", source).was_complete
