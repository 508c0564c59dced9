"""What a model knows of the hold-out videos of another partition."""

import pytest

from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, Shard
from yt8m.holdout import Division
from yt8m.training.provenance import SeenVideos

HALVES = Division(share=0.5, seed=1, threshold=2**63, select_videos=10, report_videos=10)


def shards(*names: str) -> tuple[Shard, ...]:
    """Make shards with the contents of these names."""
    return tuple(Shard(uri=f"{name}.tfrecord", videos=10, size_bytes=100, checksum=name) for name in names)


def partition(training: str, holdout: str, division: Division = HALVES) -> Partition:
    return Partition(
        spec=DataSpec(),
        seed=1,
        training=shards(*training),
        holdout=shards(*holdout),
        class_counts=(1,),
        division=division,
    )


@pytest.mark.parametrize(
    ("training", "holdout", "division"),
    [
        ("abc", "yz", HALVES),
        ("a", "zy", HALVES),  # fewer training shards, another order
        ("de", "fg", Division()),  # other data
        ("abd", "yz", HALVES),  # more training shards
    ],
)
def test_equal_hold_outs_and_other_data_leak_nothing(training: str, holdout: str, division: Division) -> None:
    assert SeenVideos.of(partition("abc", "yz")).leak(partition(training, holdout, division)) == ""


@pytest.mark.parametrize(
    ("holdout", "division", "said"),
    [
        ("cyz", HALVES, "c.tfrecord is a hold-out shard here, and was a training shard of that model"),
        ("yz", Division(), "decided about that model"),
        ("yz", HALVES.model_copy(update={"seed": 2}), "decided about that model"),
        ("y", HALVES, "decided about that model"),
    ],
)
def test_other_hold_outs_of_the_same_data_leak(holdout: str, division: Division, said: str) -> None:
    assert said in SeenVideos.of(partition("abc", "yz")).leak(partition("ab", holdout, division))
