from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, Shard, list_shards, split_shards
from yt8m.errors import ConfigError, DataError

TRAINING = ["/t/0", "/t/1"]
VALIDATION = ["/v/0", "/v/1", "/v/2", "/v/3"]


def partition(**changes):
    shards = [Shard(uri=f"/d/{n}", videos=10 + n, size_bytes=100, checksum=f"{n:08x}") for n in range(3)]
    values: dict[str, Any] = {
        "spec": DataSpec(num_classes=2),
        "seed": 1,
        "training": tuple(shards[:2]),
        "holdout": tuple(shards[2:]),
        "class_counts": (15, 6),
    }
    return Partition(**values | changes)


@given(held_out=st.integers(0, 4), seed=st.integers(0, 2**32))
def test_every_shard_is_on_exactly_one_side(held_out, seed):
    training, holdout = split_shards(TRAINING, VALIDATION, held_out, seed)

    assert training[:2] == TRAINING
    assert len(holdout) == held_out
    assert set(holdout) <= set(VALIDATION)
    assert sorted(training + holdout) == sorted(TRAINING + VALIDATION)


def test_the_seed_chooses_the_holdout():
    splits = {tuple(split_shards(TRAINING, VALIDATION, 2, seed)[1]) for seed in range(30)}

    assert len(splits) == 6
    assert split_shards(TRAINING, VALIDATION, 2, 7) == split_shards(TRAINING, VALIDATION, 2, 7)


def test_impossible_divisions_are_refused():
    with pytest.raises(DataError, match="/v/1: both a training and a validation shard"):
        split_shards([*TRAINING, "/v/1"], VALIDATION, 1, 0)
    with pytest.raises(DataError, match="5 shards to hold out, but there are 4"):
        split_shards(TRAINING, VALIDATION, 5, 0)
    with pytest.raises(DataError, match="none is left to train on"):
        split_shards([], VALIDATION, 4, 0)


def test_a_saved_partition_is_loaded_unchanged(tmp_path):
    saved = partition()
    saved.save(tmp_path / "partition.json")
    loaded = Partition.load(tmp_path / "partition.json")

    assert loaded == saved
    assert loaded.digest == saved.digest
    assert loaded.training_uris == ["/d/0", "/d/1"]
    assert (loaded.num_training_videos, loaded.num_holdout_videos) == (21, 12)


def test_the_digest_depends_on_the_content_of_shards_and_the_specification():
    shard = partition().training[0]
    changed = shard.model_copy(update={"checksum": "ffffffff"})
    variants = [
        partition(),
        partition(seed=2),
        partition(training=(changed, partition().training[1])),
        partition(training=partition().training[:1]),
        partition(spec=DataSpec(num_classes=2, max_frames=10)),
    ]
    assert len({variant.digest for variant in variants}) == len(variants)
    assert partition().digest == partition().digest


def test_a_file_with_another_content_is_reported(tmp_path):
    (tmp_path / "other.json").write_text('{"seed": 1}')
    with pytest.raises(ConfigError, match=r"other\.json: training: required, but missing"):
        Partition.load(tmp_path / "other.json")


def test_other_names_of_a_listed_shard_are_told_and_other_spellings_are_not(tmp_path, caplog):
    (tmp_path / "train0").write_bytes(b"one")
    pattern = f"{tmp_path}/*"
    assert list_shards("GLOB", [pattern, f"{tmp_path}/../{tmp_path.name}/train0"]) == [f"{tmp_path}/train0"]
    assert not caplog.messages
    (tmp_path / "validate0").hardlink_to(tmp_path / "train0")
    assert list_shards("GLOB", [pattern]) == [f"{tmp_path}/train0"]
    said = (
        f"GLOB: {tmp_path}/validate0 is another name of the file {tmp_path}/train0, which is used once (1 such name)."
    )
    assert caplog.messages == [said]
