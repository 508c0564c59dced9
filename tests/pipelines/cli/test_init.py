"""`yt8m init` on small data sets of several shapes; `yt8m plan` loads what it writes."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from pipelines.cli import main
from pipelines.init import doubts, write
from pipelines.init.records import have_one_label
from pipelines.init.shards import find_shards
from pipelines.recipe.load import read_recipe
from pipelines.recipe.schema import Recipe
from tests.support.recipes import load_recipe
from tests.support.videos import Video, video_of, write_shard
from yt8m.data.description import DatasetDescription
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.data.tfrecord import inspect_framing, read_payloads

SIZES = {"rgb": 8, "audio": 4}


def init(folder: Path | str, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["init", str(folder), *map(str, arguments)])


def write_shards(folder: Path, names: Sequence[str], videos: int = 20, classes: int = 3, **sizes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        made = [video_of(videos * number + n, 2 + n % 4, [n % classes], **(sizes or SIZES)) for n in range(videos)]
        write_shard(folder / name, made)


def recipe_of(folder: Path, name: str = "recipe.yaml") -> Recipe:
    """Read a recipe, which `yt8m plan` must accept, too."""
    result = CliRunner().invoke(main, ["plan", str(folder / name)])
    assert result.exit_code == 0, result.output
    return load_recipe(folder / name)


DIVIDED = ["train0.tfrecord", "train1.tfrecord", "train2.tfrecord", "validate0.tfrecord"]


def test_divided_shards_with_two_features(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert "Data: 80 videos; rgb: 8 + audio: 4 values per frame, 3 classes, up to 5 frames" in result.output
    recipe, first = recipe_of(tmp_path / "own"), recipe_of(tmp_path / "own", "first.yaml")
    assert recipe.data == first.data
    assert recipe.data.training == (f"{tmp_path}/data/train*.tfrecord",)
    assert recipe.data.validation == (f"{tmp_path}/data/validate0.tfrecord",)
    assert recipe.data.holdout_shards == 1
    assert recipe.data.resolve_spec() == DataSpec(features=SIZES, num_classes=3, max_frames=5)


def test_the_two_commands_to_go_on_with_are_printed(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    result = init(tmp_path / "my own", "--data", tmp_path / "data")
    commands = [line.strip() for line in result.output.splitlines() if line.startswith("  yt8m")]
    assert commands == [
        f"yt8m run '{tmp_path}/my own/first.yaml' --root '{tmp_path}/my own/first-run'",
        f"yt8m run '{tmp_path}/my own/recipe.yaml' --root '{tmp_path}/my own/run'",
    ]
    assert re.search(r"Start with 80 videos, about \d+ minutes on two cores:", result.output)
    assert re.search(r"Times are computed from .* starts of 8 and 10 steps\.", result.output)


def test_editors_find_the_schema_beside_the_recipes(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    init(tmp_path / "own", "--data", tmp_path / "data")
    for name in ("first.yaml", "recipe.yaml"):
        (line, *_) = (tmp_path / "own" / name).read_text().splitlines()
        schema = json.loads((tmp_path / "own" / line.removeprefix("# yaml-language-server: $schema=")).read_text())
        assert list(Draft202012Validator(schema).iter_errors(read_recipe(tmp_path / "own" / name))) == []


def test_every_number_has_a_comment(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    init(tmp_path / "own", "--data", tmp_path / "data")
    for name in ("first.yaml", "recipe.yaml"):
        lines = (tmp_path / "own" / name).read_text().splitlines()
        for key in ("holdout_shards", "learning_rate_decay", "search"):
            (place,) = [number for number, line in enumerate(lines) if line.strip().startswith(f"{key}:")]
            comment = "".join(each for each in lines[place - 2 : place + 1] if "#" in each)
            assert re.search(r"\d", comment.partition("#")[2]), key


@pytest.mark.parametrize("folder", ["data", "my videos [final]"])
def test_shards_that_are_not_divided_are_held_out_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    write_shards(tmp_path / folder, [f"clips-{number:05}-of-00010.tfrecord" for number in range(10)], clip=6)
    monkeypatch.chdir(tmp_path)
    result = init("own", "--data", f"{folder}/*.tfrecord")
    assert result.exit_code == 0, result.output
    assert "2 of 10, chosen at random, are held out: 40 videos" in result.output
    recipe = recipe_of(tmp_path / "own")
    assert recipe.data.training == ()
    assert recipe.data.validation == (f"{tmp_path}/{folder}/clips-*-of-00010.tfrecord",)
    assert recipe.data.holdout_shards == 2
    assert recipe.data.resolve_spec().features == {"clip": 6}


def test_names_that_the_shell_put_in_place_of_a_pattern(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    result = init(tmp_path / "own", "--data", *sorted((tmp_path / "data").iterdir()))
    assert result.exit_code == 0, result.output
    assert recipe_of(tmp_path / "own").data.training == (f"{tmp_path}/data/train*.tfrecord",)


def test_sides_in_folders_and_a_test_side(tmp_path: Path) -> None:
    names = [f"{side}/0{part}.tfrecord" for side in ("bal_train", "eval", "test") for part in "ab"]
    for name in names:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
    write_shards(tmp_path / "set", names)
    result = init(tmp_path / "own", "--data", tmp_path / "set")
    assert result.exit_code == 0, result.output
    assert "The test shards are for the exported model of the full run" in result.output
    data = recipe_of(tmp_path / "own").data
    assert data.test == (f"{tmp_path}/set/test/*.tfrecord",)
    assert recipe_of(tmp_path / "own", "first.yaml").data.test == ()
    assert data.training == (f"{tmp_path}/set/bal_train/*.tfrecord",)
    assert data.validation == (f"{tmp_path}/set/eval/*.tfrecord",)
    assert data.holdout_shards == 2


def test_test_shards_without_labels_are_not_used(tmp_path: Path) -> None:
    write_shards(tmp_path / "set", DIVIDED)
    write_shard(tmp_path / "set" / "test0.tfrecord", [video_of(900 + n, 3, None, **SIZES) for n in range(5)])
    result = init(tmp_path / "own", "--data", tmp_path / "set")
    assert result.exit_code == 0, result.output
    assert "The test shards are not used, because they have no labels." in result.output
    assert recipe_of(tmp_path / "own").data.test == ()


def test_a_description_decides_and_its_vocabulary_is_exported(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", DIVIDED)
    (tmp_path / "data" / "vocabulary.csv").write_text("Index,Name\n0,cat\n1,dog\n2,owl\n")
    spec = DataSpec(features=SIZES, num_classes=3, max_frames=9, ranges={"rgb": (0.0, 6.0)})
    DatasetDescription(
        data=spec,
        seed=0,
        videos={"train": 60, "validate": 20},
        shards={"train": 3, "validate": 1},
        vocabulary="vocabulary.csv",
    ).save(tmp_path / "data" / "dataset.json")
    assert init(tmp_path / "own", "--data", tmp_path / "data").exit_code == 0
    recipe = recipe_of(tmp_path / "own")
    assert recipe.data.resolve_spec() == spec
    assert recipe.export.vocabulary == f"{tmp_path}/data/vocabulary.csv"


def test_records_of_another_layout(tmp_path: Path) -> None:
    import tensorflow as tf  # noqa: PLC0415 - most tests do without

    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for shard in range(3):
        records = []
        for number in range(20):
            record = tf.train.SequenceExample()
            record.context.feature["clip/data_path"].bytes_list.value.append(b"%d/%d.mp4" % (shard, number))
            record.context.feature["label_vector"].int64_list.value.extend(
                [int(number % 3 == each) for each in range(3)]
            )
            for _ in range(number % 4 + 1):
                values = record.feature_lists.feature_list["RGB/feature/floats"].feature.add().float_list.value
                values.extend(rng.uniform(0, 12, 16))
            records.append(record.SerializeToString())
        write_shard(tmp_path / "data" / f"{shard}.tfrecord", records)
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    spec = recipe_of(tmp_path / "own").data.resolve_spec()
    assert (spec.features, spec.num_classes, spec.max_frames) == ({"RGB/feature/floats": 16}, 3, 4)
    assert spec.layout == RecordLayout(
        id="clip/data_path", labels="label_vector", label_form="multi_hot", frames="floats"
    )
    assert spec.range_of("RGB/feature/floats") == pytest.approx((0, 12), abs=0.1)


def test_ranges_of_features_stored_as_floats_are_measured(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        videos = [
            Video(b"%d-%d" % (number, n), [n % 2], means={"clip": list(rng.uniform(0, 40, 6))}) for n in range(20)
        ]
        write_shard(tmp_path / "data" / f"{number}.tfrecord", videos)
    assert init(tmp_path / "own", "--data", tmp_path / "data").exit_code == 0
    low, high = recipe_of(tmp_path / "own").data.resolve_spec().ranges["clip"]
    assert 0 <= low < 1
    assert 39 < high < 41


def test_video_level_records_get_no_recurrent_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    for number in range(3):
        videos = [Video(b"%d-%d" % (number, n), [n % 2], means={"rgb": [n / 20] * 6}) for n in range(20)]
        write_shard(tmp_path / "data" / f"{number}.tfrecord", videos)
    monkeypatch.setattr("pipelines.init.scale.LEVELS", pretend_many())
    assert init(tmp_path / "own", "--data", tmp_path / "data").exit_code == 0
    recipe = recipe_of(tmp_path / "own")
    assert recipe.data.resolve_spec().max_frames == 1
    assert "rnn" not in recipe.families
    assert "netfv" in recipe.families


def pretend_many() -> tuple[object, ...]:
    """Return levels as if these few videos were as many as the largest level needs."""
    from pipelines.init.scale import LEVELS  # noqa: PLC0415

    return (LEVELS[0], LEVELS[-1]._replace(least_videos=1))


def test_a_large_data_set_gets_a_sample_for_the_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(tmp_path / "data", DIVIDED, videos=40)
    monkeypatch.setattr(write, "_MOST_VIDEOS", 30)
    monkeypatch.setattr(write, "_LEAST_VIDEOS", 10)
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    first = recipe_of(tmp_path / "own", "first.yaml").data
    assert first.training == (f"{tmp_path}/own/sample/train*.tfrecord",)
    copied = list((tmp_path / "own" / "sample").iterdir())
    assert 30 <= sum(inspect_framing(path, verify_payloads=True).records for path in copied) <= 50
    originals = set(records(tmp_path / "data"))
    assert set(records(tmp_path / "own" / "sample")) < originals
    assert recipe_of(tmp_path / "own").data.training == (f"{tmp_path}/data/train*.tfrecord",)


def records(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("*.tfrecord")):
        yield from read_payloads(path, 0, inspect_framing(path, verify_payloads=True).records)


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


def test_endings_of_shards_may_be_written_in_upper_case(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", [name.upper() for name in DIVIDED], videos=4)
    shards = find_shards([str(tmp_path / "data")])
    assert {side: len(found.uris) for side, found in shards.items()} == {"training": 3, "validation": 1}


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


def test_imported_videos_without_labels_are_listed_apart(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", ["train0000.tfrecord", "validate0000.tfrecord", "test0000.tfrecord"])
    write_shard(tmp_path / "data" / "unlabeled-test0000.tfrecord", [video_of(99, labels=None)])
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert f"  test: 20 videos in 1 shard\n    {tmp_path}/data/test0000.tfrecord\n" in result.output
    assert "videos without labels, for `yt8m predict`: 1 video in 1 shard\n" in result.output
    assert recipe_of(tmp_path / "own").data.validation == (f"{tmp_path}/data/validate0000.tfrecord",)


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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_first_run_of_a_small_data_set_is_better_than_label_frequencies(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    looks = rng.normal(size=(6, 24))
    (tmp_path / "data").mkdir()
    for number, name in enumerate([*DIVIDED, "train3.tfrecord"]):
        videos = []
        for each in range(120):
            label = int(rng.integers(6))
            values = looks[label] + rng.normal(size=(8, 24))
            frames = np.clip(values * 32 + 128, 0, 255).astype(np.uint8)
            videos.append(Video(b"%d-%d" % (number, each), [label], {"clip": [row.tobytes() for row in frames]}))
        write_shard(tmp_path / "data" / name, videos)
    assert init(tmp_path / "own", "--data", tmp_path / "data").exit_code == 0
    root = tmp_path / "own" / "first-run"
    result = CliRunner().invoke(main, ["run", str(tmp_path / "own" / "first.yaml"), "--root", str(root)])
    assert result.exit_code == 0, result.output
    final = json.loads((root / "summary.json").read_text())["final"]
    assert final["gap"] > final["baseline_gap"] + 0.2


@pytest.mark.parametrize("described", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("other", "kind"), [([1], "softmax"), ([0, 1], "logistic"), ([], "logistic")])
def test_videos_with_one_label_each_get_softmax_heads(
    tmp_path: Path, described: bool, other: list[int], kind: str
) -> None:
    write_shards(tmp_path / "data", DIVIDED[1:])
    videos = [video_of(1000 + n, 5, other if n == 19 else [n % 3], **SIZES) for n in range(20)]
    write_shard(tmp_path / "data" / DIVIDED[0], videos)
    if described:
        spec = DataSpec(features=SIZES, num_classes=3, max_frames=5)
        DatasetDescription(data=spec, seed=0, videos={}, shards={}).save(tmp_path / "data" / "dataset.json")
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    for name in ("recipe.yaml", "first.yaml"):
        models = recipe_of(tmp_path / "own", name).models().values()
        assert {model.model.head.kind for model in models} == {kind}
        assert ("exactly one label" in (tmp_path / "own" / name).read_text()) == (kind == "softmax")


def test_vectors_of_zeros_and_a_single_one_are_one_label(tmp_path: Path) -> None:
    videos = [
        Video(id=b"%04d" % n, labels=[int(n % 3 == c) for c in range(3)], means={"rgb": [n, 1.0]}) for n in range(9)
    ]
    payloads = [video.serialize() for video in videos]
    layout = RecordLayout(label_form="multi_hot")
    assert have_one_label(payloads, layout)
    assert not have_one_label([*payloads, Video(labels=[1, 1, 0]).serialize()], layout)
    assert not have_one_label([*payloads, Video(labels=None).serialize()], layout)
    assert not have_one_label([], layout)
