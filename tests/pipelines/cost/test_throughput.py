"""Throughput against sums by hand, on a GPU with round numbers."""

import re
from typing import Any

import pytest

from pipelines.cost.throughput import GPUS, Gpu, Throughput, gpu_by_name, rates_by_model
from tests.support.trainings import resolved
from yt8m.errors import ConfigError
from yt8m.models.flops import ModelFlops
from yt8m.models.sizes import ModelSize

# 40% and 60% of these are 4e9 operations and 6e9 bytes a second.
ROUND = Gpu(float32=1e10, bfloat16=4e10, bandwidth=1e10, memory_bytes=10**9, source="")


def flops(*, per_frame: int = 0, parameters: int = 0, values: int = 0, cells: int = 0) -> ModelFlops:
    size = ModelSize((("kernel", (parameters,)),))
    return ModelFlops(size, per_frame, 0, values, cells, training_frames=50, inference_frames=100)


COMPUTE = flops(per_frame=1_000_000)
MEMORY = flops(parameters=3_000_000, values=1000)
RECURRENT = flops(per_frame=1_000_000, cells=3)


def rates(model: ModelFlops, *, cpus: int = 1000, precision: str = "float32") -> Throughput:
    training = resolved(batch_size=20, precision=precision)
    return Throughput(gpu=ROUND, cpus=cpus, flops={"m": model}, training={"m": training}, given={})


def test_arithmetic_limits_a_model_of_large_products() -> None:
    # 3 passes x 2 operations x 1e6 x 50 frames a video, at 4e9 a second.
    assert rates(COMPUTE).training("m").videos_per_second == pytest.approx(4e9 / (3 * 2 * 1e6 * 50))
    assert rates(COMPUTE).training("m").limit == "compute"
    assert rates(COMPUTE).inference(["m"], 20).videos_per_second == pytest.approx(4e9 / (2 * 1e6 * 100))


def test_memory_limits_a_model_of_many_weights_and_values() -> None:
    # 20 videos x 50 frames x 1000 values x 12 touches x 4 bytes, and 44 bytes a weight, at 6e9 a second.
    seconds = (20 * 50 * 1000 * 12 * 4 + 44 * 3_000_000) / 6e9
    assert rates(MEMORY).training("m").videos_per_second == pytest.approx(20 / seconds)
    assert rates(MEMORY).training("m").limit == "memory"
    seconds = (20 * 100 * 1000 * 4 * 4 + 4 * 3_000_000) / 6e9
    assert rates(MEMORY).inference(["m"], 20).videos_per_second == pytest.approx(20 / seconds)


def test_steps_of_cells_come_on_top() -> None:
    seconds = 20 * 3 * 2 * 1e6 * 50 / 4e9 + 3 * 3 * 50 * 30e-6
    assert rates(RECURRENT).training("m").videos_per_second == pytest.approx(20 / seconds)


def test_bfloat16_computes_faster_and_carries_half_of_the_values() -> None:
    assert rates(COMPUTE, precision="mixed_bfloat16").training("m").videos_per_second == pytest.approx(
        4 * rates(COMPUTE).training("m").videos_per_second
    )
    seconds = (20 * 50 * 1000 * 12 * 2 + 44 * 3_000_000) / 6e9
    assert rates(MEMORY, precision="mixed_bfloat16").training("m").videos_per_second == pytest.approx(20 / seconds)


def test_no_model_is_faster_than_its_videos_are_read() -> None:
    small = rates(flops(per_frame=1), cpus=2)
    assert small.training("m") == small.inference(["m"], 20)
    assert (small.training("m").videos_per_second, small.training("m").limit) == (3800, "reading")


def test_several_models_predict_one_after_the_other() -> None:
    one = rates(COMPUTE).inference(["m"], 20).videos_per_second
    assert rates(COMPUTE).inference(["m", "m"], 20).videos_per_second == pytest.approx(one / 2)


def given_rates(**given: float) -> Throughput:
    training, gpu = resolved(batch_size=20), GPUS["l4"]
    spread = rates_by_model(given, {"m": "dbof"}, gpu)
    return Throughput(gpu=gpu, cpus=1000, flops={"m": COMPUTE}, training={"m": training}, given=spread)


@pytest.mark.parametrize("name", ["m", "dbof"])
def test_a_given_rate_replaces_the_estimate_for_a_model_or_an_architecture(name: str) -> None:
    values: dict[str, Any] = {name: 70.0}
    given = given_rates(**values)
    assert (given.training("m").videos_per_second, given.training("m").limit) == (70, "given")
    assert given.inference(["m"], 20).videos_per_second == pytest.approx(3 * 70)


def test_a_model_s_own_rate_overrides_its_architecture_s() -> None:
    assert given_rates(dbof=70.0, m=80.0).training("m").videos_per_second == 80


def test_rates_of_unknown_models_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=re.escape("no model or architecture 'dof'. Did you mean 'dbof'? Known: dbof, m.")
    ):
        given_rates(dof=1.0)


def test_without_gpu_all_rates_must_be_given() -> None:
    architectures = {"m": "dbof", "n": "rnn"}
    with pytest.raises(ConfigError, match=r"no rate for n\. Give them, or a --gpu"):
        rates_by_model({"m": 1.0}, architectures, None)
    assert rates_by_model({"m": 1.0, "rnn": 2.0}, architectures, None) == {"m": 1.0, "n": 2.0}
    assert rates_by_model({"m": 1.0}, architectures, GPUS["l4"]) == {"m": 1.0}


@pytest.mark.parametrize("label", ["l4", "nvidia-l4", "NVIDIA-L4"])
def test_labels_of_nodes_name_a_gpu(label: str) -> None:
    assert gpu_by_name(label) is GPUS["l4"]


def test_an_unknown_gpu_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown GPU 'h10'\. Did you mean 'h100'"):
        gpu_by_name("h10")
