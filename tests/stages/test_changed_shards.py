"""Shards that change after `prepare` stop the stages that read them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from yt8m.data.partition import Partition
from yt8m.errors import DataError
from yt8m.stages.evaluate import EvaluateConfig, evaluate
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.stages.soft_targets import SoftTargetsConfig, soft_targets
from yt8m.stages.train import TrainConfig, train

from .conftest import MODEL, TRAINING

Write = Callable[[str, int], None]


@pytest.fixture
def write(tmp_path: Path, shards: SimpleNamespace) -> Write:
    """Return a function that writes a shard with a number of videos."""

    def write_shard(name: str, count: int) -> None:
        first = 100 * (sum(name.encode()) % 90)
        shards.write(tmp_path / name, [shards.video_of(first + n, labels=[n % 10]) for n in range(count)])

    return write_shard


@pytest.fixture
def partition(tmp_path: Path, shards: SimpleNamespace, write: Write) -> Path:
    for name in ("train0", "train1", "validate0"):
        write(name, 10)
    config = PrepareConfig(
        training=(f"{tmp_path}/train*",),
        validation=(f"{tmp_path}/validate*",),
        holdout_shards=1,
        spec=shards.spec,
        on_bad="fail",
    )
    prepare(config=config, output=tmp_path / "partition.json")
    return tmp_path / "partition.json"


def run_train(partition: Path, folder: Path, **training: int) -> None:
    config = TrainConfig.parse({"model": MODEL, "training": TRAINING | training}, "test")
    train(
        partition=partition,
        config=config,
        output=folder / "model",
        predictions=folder / "predictions",
        checkpoint_uri=str(folder / "checkpoints"),
    )


def run_evaluate(partition: Path, model: Path, folder: Path) -> None:
    evaluate(partition=partition, model=model, config=EvaluateConfig(), predictions=folder / "predictions")


def run_soft_targets(partition: Path, model: Path, folder: Path) -> None:
    soft_targets(
        partition=partition,
        models={"one": model},
        selection=None,
        config=SoftTargetsConfig(batch_size=4),
        output_uri=str(folder / "sidecars"),
        output=folder / "manifest.json",
    )


@pytest.mark.slow
@pytest.mark.parametrize("videos", [8, 12])
def test_evaluation_stops_if_the_hold_out_changed(
    partition: Path, trained: Path, tmp_path: Path, write: Write, videos: int
) -> None:
    run_evaluate(partition, trained, tmp_path)
    write("validate0", videos)
    with pytest.raises(DataError, match=r"validate0: the shard has changed since .* Run `prepare` again"):
        run_evaluate(partition, trained, tmp_path)


def test_evaluation_stops_if_the_partition_lists_other_videos(partition: Path, trained: Path, tmp_path: Path) -> None:
    loaded = Partition.load(partition)
    grown = loaded.holdout[0].model_copy(update={"videos": 50})
    loaded.model_copy(update={"holdout": (grown,)}).save(partition)
    with pytest.raises(DataError, match="10 videos, but the partition promises 50"):
        run_evaluate(partition, trained, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("change", [("train0", 8), ("train1", 8), ("train1", 12)])
def test_soft_targets_stop_if_the_training_shards_changed(
    partition: Path, trained: Path, tmp_path: Path, write: Write, change: tuple[str, int]
) -> None:
    write(*change)
    with pytest.raises(DataError, match=f"{change[0]}: the shard has changed since `prepare` read it"):
        run_soft_targets(partition, trained, tmp_path)
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
def test_training_stops_in_its_first_epoch_if_the_training_shards_changed(
    partition: Path, tmp_path: Path, write: Write, memory_bytes: int
) -> None:
    write("train0", 4)
    with pytest.raises(DataError, match="train0: the shard has changed since `prepare` read it"):
        run_train(partition, tmp_path, memory_bytes=memory_bytes, epochs=3)
    assert not list(tmp_path.glob("checkpoints/*"))


def test_the_policy_for_bad_records_holds_after_prepare(
    partition: Path, trained: Path, tmp_path: Path, shards: SimpleNamespace
) -> None:
    shards.write(tmp_path / "validate0", [shards.video_of(0), shards.Video(id=b"bad!")])
    with pytest.raises(DataError, match=r"record 1 \(id bad!\): no frames.*set on_bad to 'skip'"):
        run_evaluate(partition, trained, tmp_path)
