"""Bytes that nodes read and write, against sums by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.cost.dataset import DatasetSize
from pipelines.cost.models import AUTO_BITS, estimate_models
from pipelines.cost.traffic import NodeBytes, Traffic
from pipelines.graph.planner import make_plan
from pipelines.recipe.schema import Recipe
from yt8m.data.format import DataSpec

DATASET = DatasetSize(1000, 100, 50_000, 5000, DataSpec())
STREAMED = ("training.memory_bytes=0", "training.batch_norm_momentum=0.9")
# The smoke preset has 24 classes, dense: 48 bytes, and 62 bytes of overhead per record.
SOFT_TARGETS = 1000 * (2 * 24 + 62)
# 100 videos with 24 classes and scores, an id, an offset and three labels each.
PREDICTIONS = 100 * (24 * 6 + 20)


def traffic_of(recipe: Recipe) -> Traffic:
    return Traffic(recipe, make_plan(recipe), DATASET, estimate_models(recipe))


def bytes_of(recipe: Recipe) -> dict[str, NodeBytes]:
    return traffic_of(recipe).nodes


def parameters(recipe: Recipe, name: str) -> int:
    return estimate_models(recipe)[name].parameters


def test_training_reads_its_shards_in_every_epoch_and_students_also_read_soft_targets(
    small: Callable[..., Recipe],
) -> None:
    found = bytes_of(small(lambda _: None, *STREAMED))
    # The hold-out is read for the sample on which epochs are measured, and for the saved model.
    assert found["train-dbof-a"].read == 2 * 50_000 + 2 * 5000
    assert found["train-vlad-a"].read == 3 * 50_000 + 2 * 5000
    assert found["train-dbof-s"].read == 2 * (50_000 + SOFT_TARGETS) + 2 * 5000
    assert found["prepare"].read == 55_000


def test_models_are_measured_where_they_are_made(small: Callable[..., Recipe]) -> None:
    found = bytes_of(small(lambda _: None, *STREAMED, "averaging.epochs=2", "quantization.bits=auto"))
    assert found["average-dbof-a"].read == 2 * 50_000 + 3 * 5000
    assert found["average-dbof-a"].distinct == 55_000
    assert found["export"].read == 5000
    # Once to choose the bits, and once to predict.
    assert (found["quantize-dbof-s"].read, found["quantize-dbof-s"].distinct) == (2 * 5000, 5000)
    assert found["select-dbof"].fetched == 2 * PREDICTIONS


@pytest.mark.parametrize(
    ("videos", "shards", "share"),
    # 3,024 videos, of which 1,024 fill the buffer, but whole groups of 8 shards.
    [(1000, 0, 1.0), (30_240, 0, 0.1), (30_240, 10, 0.8), (30_240, 4, 1.0)],
)
def test_batch_statistics_are_read_again_after_every_epoch_without_memory(
    small: Callable[..., Recipe], videos: int, shards: int, share: float
) -> None:
    dataset = DatasetSize(videos, 100, 50_000, 5000, DataSpec(), shards)

    def read(*settings: str) -> dict[str, int]:
        recipe = small(lambda _: None, "training.batch_size=8", *settings)
        nodes = Traffic(recipe, make_plan(recipe), dataset, estimate_models(recipe)).nodes
        return {name: nodes[name].read for name in ("train-dbof-a", "average-dbof-a")}

    moving, measured = read(*STREAMED), read("training.memory_bytes=0")
    assert measured["train-dbof-a"] - moving["train-dbof-a"] == pytest.approx(2 * share * 50_000)
    assert measured["average-dbof-a"] - moving["average-dbof-a"] == pytest.approx(share * 50_000)
    last = read("training.memory_bytes=0", "training.keep=last")
    assert last["train-dbof-a"] - moving["train-dbof-a"] == pytest.approx(3 * share * 50_000)
    assert read("training.memory_bytes=2000000000") == read("training.memory_bytes=2000000000", STREAMED[1])


def test_a_test_is_read_three_times_and_compared_with_all_shards(small: Callable[..., Recipe], tmp_path: Path) -> None:
    (tmp_path / "test0.tfrecord").write_bytes(b"x" * 700)
    patterns = {"training": ["train*"], "validation": ["validate*"], "test": [f"{tmp_path}/test*.tfrecord"]}
    spec = {"features": {"rgb": 4}, "num_classes": 24, "max_frames": 5}

    def own(raw: dict[str, Any]) -> None:
        raw["data"] = {**patterns, "holdout_shards": 1, "spec": spec}

    found = bytes_of(small(own))["export"]
    assert (found.read, found.distinct) == (3 * 700 + 50_000 + 2 * 5000, 700 + 55_000)


def test_a_training_set_in_memory_is_read_once(small: Callable[..., Recipe]) -> None:
    assert bytes_of(small())["train-vlad-a"].read == 60_000


@pytest.mark.parametrize(("memory", "passes"), [(1 << 30, 1), (0, 3)])
def test_the_sample_of_a_large_holdout_is_read_from_some_shards_and_again_without_memory(
    small: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch, memory: int, passes: int
) -> None:
    monkeypatch.setattr("yt8m.training.epoch_end.holdout_sample._MEMORY_BYTES", memory)
    recipe, dataset = small(), DatasetSize(1000, 50_000, 50_000, 500_000, DataSpec())
    found = Traffic(recipe, make_plan(recipe), dataset, estimate_models(recipe)).nodes["train-vlad-a"]
    # 10,000 of the 50,000 videos, and all of them for the saved model.
    assert found.read == 50_000 + passes * 100_000 + 500_000


def test_checkpoints_of_training_hold_moments_and_those_of_averaging_also_averages(
    small: Callable[..., Recipe],
) -> None:
    recipe = small()
    found, count = bytes_of(recipe), parameters(recipe, "dbof-a")
    assert found["train-dbof-a"].artifacts == {"model": 4 * count, "predictions": PREDICTIONS}
    # The kept weights are one more copy.
    assert found["train-dbof-a"].written["checkpoints"] == 16 * count
    assert found["average-dbof-a"].written["checkpoints"] == 20 * count
    paper = bytes_of(small(lambda _: None, "training.keep=last", "training.batch_norm_momentum=0.9"))
    assert paper["train-dbof-a"].written["checkpoints"] == 12 * count
    assert paper["average-dbof-a"].written["checkpoints"] == 16 * count
    measured = bytes_of(small(lambda _: None, "training.keep=last"))
    assert measured["train-dbof-a"].written["checkpoints"] == 16 * count
    assert found["average-dbof-a"].fetched == 4 * count


def test_models_are_quantized_as_the_recipe_says(small: Callable[..., Recipe]) -> None:
    recipe = small(lambda _: None, "quantization.bits=[8, auto]", "quantization.threshold_elements=0")
    model = estimate_models(recipe)["dbof-s"]
    size = model.flops.size
    assert bytes_of(recipe)["quantize-dbof-s"].artifacts == {
        "member": sum(model.size_bytes.values()),
        "offers": 3 * PREDICTIONS,
    }
    assert bytes_of(recipe)["search-weights"].fetched == 2 * 3 * PREDICTIONS
    assert model.size_bytes == {"8": size.quantized_bytes(8, 0), "auto": size.quantized_bytes(4, 0)}
    assert model.quantized_bytes == model.size_bytes["8"]


def test_workers_share_the_soft_targets(small: Callable[..., Recipe]) -> None:
    found = bytes_of(small(lambda _: None, "soft_targets.workers=4"))
    parts = [each for name, each in found.items() if name.startswith("soft-targets-dbof-part-")]
    assert [part.written for part in parts] == [{"soft targets": SOFT_TARGETS // 4}] * 4
    assert sum(part.read for part in parts) == 50_000
    assert bytes_of(small())["soft-targets-dbof"].written == {"soft targets": SOFT_TARGETS}


def test_totals_are_the_sums_over_nodes(small: Callable[..., Recipe]) -> None:
    recipe = small(lambda _: None, "training.memory_bytes=0")
    traffic, estimates = traffic_of(recipe), estimate_models(recipe)
    assert traffic.read == sum(each.read for each in bytes_of(recipe).values())
    assert traffic.read_once < traffic.read
    assert traffic.stored()["soft targets"] == 2 * SOFT_TARGETS
    members = (estimates[name].flops.size for name in ("dbof-s", "vlad-2"))
    assert traffic.stored()["exported"] == sum(size.quantized_bytes(AUTO_BITS, 1000) for size in members)


def test_a_shared_cache_is_read_in_every_pass_and_once_more_by_every_node(small: Callable[..., Recipe]) -> None:
    recipe = small(lambda _: None, "training.memory_bytes=0")
    traffic = traffic_of(recipe)
    assert traffic.read_shared == sum(each.read + each.distinct for each in traffic.nodes.values())
