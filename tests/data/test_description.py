"""Descriptions of data sets are read in every format that this project wrote, and nothing else is."""

import json

import pytest

from yt8m.data.description import DatasetDescription, complete, contradiction
from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError

DATA = {"features": {"rgb": 4, "audio": 2}, "num_classes": 10, "max_frames": 5}


def write(folder, **content):
    (folder / "dataset.json").write_text(json.dumps(content))


def test_a_description_needs_neither_generation_nor_import(tmp_path):
    write(tmp_path, format=2, data=DATA | {"ranges": {"rgb": [0.0, 6.0]}}, seed=3, videos={"train": 7}, shards={})
    found = DatasetDescription.in_folder(str(tmp_path))
    assert found.data.range_of("rgb") == (0.0, 6.0)
    assert found.data.range_of("audio") == (-2.0, 2.0)
    assert (found.generation, found.imported) == (None, None)
    assert found.class_kinds == {}
    assert found.videos == {"train": 7}


def test_the_first_format_is_read(tmp_path):
    write(
        tmp_path, format=1, data=DATA, seed=3, preset="smoke", missing_share=0.2, means=None, videos={"train": 7},
        shards={"train": 1}, class_kinds={"mean": [1, 2]},
    )  # fmt: skip
    found = DatasetDescription.in_folder(str(tmp_path))
    assert found.class_kinds == {"mean": (1, 2)}
    assert (found.generation.version, found.generation.preset, found.generation.missing_share) == (1, "smoke", 0.2)
    assert found.data.features == DATA["features"]


def test_a_description_is_read_as_it_was_written(tmp_path):
    write(tmp_path, data=DATA, seed=3, videos={}, shards={}, imported={"sources": ["a.npy"], "clipped": {"rgb": 0.1}})
    found = DatasetDescription.in_folder(str(tmp_path))
    found.save(tmp_path / "dataset.json")
    assert DatasetDescription.of_shard(str(tmp_path / "train0000.tfrecord")) == found


def test_a_folder_may_have_no_description(tmp_path):
    assert DatasetDescription.in_folder(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"class_kinds": {"first": [0]}}, "data: required"),
        ({"format": 3, "data": DATA, "seed": 0, "videos": {}, "shards": {}}, "format: .*3"),
        ({"data": DATA, "seed": 0, "videos": {}, "shards": {}, "author": "me"}, "author: unknown key 'author'"),
        ({"data": DATA | {"num_classes": 0}, "seed": 0, "videos": {}, "shards": {}}, "data.num_classes: .*0"),
    ],
)
def test_another_schema_is_refused_with_place_and_remedy(tmp_path, content, said):
    write(tmp_path, **content)
    with pytest.raises(ConfigError, match=rf"(?s)dataset\.json: {said}.*not a description of the shards.*Rename"):
        DatasetDescription.in_folder(str(tmp_path))


def test_kinds_are_of_existing_classes(tmp_path):
    generation = {"version": 1, "preset": "smoke", "missing_share": 0.2, "means": None, "class_kinds": {"first": [10]}}
    write(tmp_path, data=DATA, seed=0, videos={}, shards={}, generation=generation)
    with pytest.raises(ConfigError, match=r"class_kinds\.first: class 10 is not one of 10"):
        DatasetDescription.in_folder(str(tmp_path))


DESCRIBED = DataSpec(features={"inc3": 16, "vggish": 4}, num_classes=5, max_frames=7, ranges={"inc3": (0.0, 6.0)})


@pytest.mark.parametrize(
    ("written", "completed"),
    [
        ({}, DESCRIBED),
        ({"max_frames": 3}, DESCRIBED.model_copy(update={"max_frames": 3})),
        ({"num_classes": None}, DESCRIBED),
        ({"features": {"vggish": 4}}, DataSpec(features={"vggish": 4}, num_classes=5, max_frames=7)),
        (
            {"ranges": {"vggish": [0.0, 1.0]}},
            DESCRIBED.model_copy(update={"ranges": {"inc3": (0.0, 6.0), "vggish": (0.0, 1.0)}}),
        ),
    ],
)
def test_a_specification_is_completed_by_the_description(written, completed):
    assert DataSpec.parse(complete(written, DESCRIBED), "test") == completed


def test_nothing_is_added_where_the_data_are_as_in_youtube_8m():
    assert complete({}, DataSpec()) == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": {"vggish": 4, "inc3": 16}, "max_frames": 100, "layout": {"id": "key"}}, ""),
        ({"features": {"inc3": 16}}, ""),
        ({"features": {"inc3": 8, "vggish": 4}}, "features {'inc3': 8, 'vggish': 4} and {'inc3': 16, 'vggish': 4}"),
        ({"features": {"rgb": 16}, "ranges": {}}, "features {'rgb': 16} and {'inc3': 16, 'vggish': 4}"),
        ({"num_classes": 6}, "num_classes 6 and 5"),
        ({"ranges": {}}, "ranges {'inc3': [-2.0, 2.0], 'vggish': [-2.0, 2.0]} and {'inc3': [0.0, 6.0], 'vggish':"),
    ],
)
def test_contradictions_are_features_sizes_classes_and_ranges(changes, said):
    spec = DataSpec.parse(DESCRIBED.model_dump(mode="json") | changes, "test")
    assert contradiction(spec, DESCRIBED).startswith(said)
    assert bool(contradiction(spec, DESCRIBED)) == bool(said)
