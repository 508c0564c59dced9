from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.cost.dataset import DatasetSize
from pipelines.recipe.schema import Recipe
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, Shard
from yt8m.errors import ConfigError


def partition(folder: Path, spec: DataSpec) -> str:
    shard = Shard(uri="a", videos=10, size_bytes=10 * 4 * (32 + 9 + 8 + 9), checksum="c")
    held_out = shard.model_copy(update={"uri": "b", "videos": 5, "size_bytes": 5 * 7 * (32 + 9 + 8 + 9)})
    path = folder / "partition.json"
    Partition(spec=spec, seed=0, training=(shard,), holdout=(held_out,), class_counts=()).save(path)
    return str(path)


def test_videos_bytes_and_frames_are_read_from_a_partition(small: Callable[..., Recipe], tmp_path: Path) -> None:
    size = DatasetSize.of_partition(partition(tmp_path, small().data.resolve_spec()), small())
    assert (size.training_videos, size.holdout_videos, size.shards) == (10, 5, 2)
    assert size.training_bytes == 10 * 4 * 58
    assert size.mean_frames == pytest.approx((10 * 4 + 5 * 7) / 15)


def test_a_partition_of_other_data_is_refused(small: Callable[..., Recipe], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="num_classes 3862 and 24"):
        DatasetSize.of_partition(partition(tmp_path, DataSpec()), small())


def test_without_bytes_all_videos_have_the_maximum_length() -> None:
    size = DatasetSize.of_counts(30, 10, None, DataSpec(features={"rgb": 91}, max_frames=20))
    assert (size.training_bytes, size.holdout_bytes, size.mean_frames) == (30 * 20 * 100, 10 * 20 * 100, 20)
