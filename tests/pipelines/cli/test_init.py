"""`yt8m init` on small data sets of several shapes; `yt8m plan` loads what it writes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from pipelines.cli import main
from pipelines.init import write
from pipelines.init.records import have_one_label
from pipelines.init.shards import find_shards
from pipelines.recipe.load import read_recipe
from tests.support.init_command import DIVIDED, SIZES, init, recipe_of, records, write_shards
from tests.support.videos import Video, video_of, write_shard
from yt8m.data.description import DatasetDescription
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.data.tfrecord import inspect_framing


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


@pytest.mark.slow
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


def test_endings_of_shards_may_be_written_in_upper_case(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", [name.upper() for name in DIVIDED], videos=4)
    shards = find_shards([str(tmp_path / "data")])
    assert {side: len(found.uris) for side, found in shards.items()} == {"training": 3, "validation": 1}


def test_imported_videos_without_labels_are_listed_apart(tmp_path: Path) -> None:
    write_shards(tmp_path / "data", ["train0000.tfrecord", "validate0000.tfrecord", "test0000.tfrecord"])
    write_shard(tmp_path / "data" / "unlabeled-test0000.tfrecord", [video_of(99, labels=None)])
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert f"  test: 20 videos in 1 shard\n    {tmp_path}/data/test0000.tfrecord\n" in result.output
    assert "videos without labels, for `yt8m predict`: 1 video in 1 shard\n" in result.output
    assert recipe_of(tmp_path / "own").data.validation == (f"{tmp_path}/data/validate0000.tfrecord",)


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
