"""What a model knows of the hold-out videos of another partition."""

from pathlib import Path

import pytest

from tests.support.trainings import resolved
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, Shard
from yt8m.errors import DataError
from yt8m.holdout import Division
from yt8m.training.provenance import Provenance, SeenVideos, check_seen

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


def write_model(folder: Path, *known: Partition) -> str:
    """Write the record of a model that was trained on these partitions, the last one first."""
    folder.mkdir()
    seen = tuple(map(SeenVideos.of, known))
    Provenance(training=resolved(), label_weight=1.0, examples=1, seen=seen).save(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("training", "holdout", "said"),
    [
        ("abc", "yz", ""),
        ("abcd", "zy", ""),
        ("abc", "xz", "decided about that model"),
        ("abc", "wx", "its predictions are for 2 hold-out shards, 0 of which are among the 2 here"),
        ("abc", "xyz", "its predictions are for 2 hold-out shards, 2 of which are among the 3 here"),
        ("bcz", "ay", "a.tfrecord is a hold-out shard here, and was a training shard of that model"),
    ],
)
@pytest.mark.parametrize("division", [HALVES, Division()])
def test_models_are_taken_if_their_hold_out_is_equal_divided_or_not(
    tmp_path: Path, training: str, holdout: str, division: Division, said: str
) -> None:
    folder = write_model(tmp_path / "model", partition("abc", "yz", division))
    here = partition(training, holdout, division)
    if not said:
        assert len(check_seen(folder, here, starts=False)) == 1
        return
    with pytest.raises(DataError) as told:
        check_seen(folder, here, starts=False)
    assert str(told.value).startswith(f"{folder}: a run with another hold-out cannot take this model: ")
    assert said in str(told.value)
    assert "Give both runs the same data, seed, data.holdout_shards and data.report_share, or" in str(told.value)


def test_trainings_start_from_models_of_other_data_that_runs_cannot_take(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", partition("abc", "yz"))
    assert check_seen(folder, partition("de", "fg"), starts=True)
    with pytest.raises(DataError, match="cannot take this model"):
        check_seen(folder, partition("de", "fg"), starts=False)


def test_what_a_model_learned_before_its_last_training_counts(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", partition("abc", "yz"), partition("yd", "e"))
    for starts in (True, False):
        with pytest.raises(DataError, match=r"y\.tfrecord is a hold-out shard here, and was a training shard"):
            check_seen(folder, partition("abc", "yz"), starts=starts)


def test_a_model_without_a_record_is_taken(tmp_path: Path) -> None:
    assert check_seen(str(tmp_path), partition("abc", "yz"), starts=False) == ()
