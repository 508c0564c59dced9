import re
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.cost.dataset import DatasetSize
from pipelines.cost.hours import NodeTimes, gpu_by_name, rates_by_model
from pipelines.cost.models import estimate_models
from pipelines.graph.planner import make_plan
from pipelines.recipe.schema import Recipe
from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError
from yt8m.models.flops import ModelFlops
from yt8m.models.sizes import ModelSize
from yt8m.training.config import TrainingConfig
from yt8m.training.throughput import GPUS, Throughput

COMPUTE = ModelFlops(ModelSize((("kernel", (0,)),)), 1_000_000, 0, 0, 0, training_frames=50, inference_frames=100)


def rates(model: ModelFlops, **given: float) -> Throughput:
    training, gpu = TrainingConfig.parse({"batch_size": 20}, ""), GPUS["l4"]
    spread = rates_by_model(given, {"m": "dbof"}, gpu)
    return Throughput(gpu=gpu, cpus=1000, flops={"m": model}, training={"m": training}, given=spread)


@pytest.mark.parametrize("name", ["m", "dbof"])
def test_a_given_rate_replaces_the_estimate_for_a_model_or_an_architecture(name: str) -> None:
    values: dict[str, Any] = {name: 70.0}
    given = rates(COMPUTE, **values)
    assert (given.training("m").videos_per_second, given.training("m").limit) == (70, "given")
    assert given.inference(["m"], 20).videos_per_second == pytest.approx(3 * 70)


def test_a_model_s_own_rate_overrides_its_architecture_s() -> None:
    assert rates(COMPUTE, dbof=70.0, m=80.0).training("m").videos_per_second == 80


def test_rates_of_unknown_models_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=re.escape("no model or architecture 'dof'. Did you mean 'dbof'? Known: dbof, m.")
    ):
        rates(COMPUTE, dof=1.0)


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


def test_models_predict_the_holdout_where_they_are_made(small: Callable[..., Recipe]) -> None:
    recipe = small()
    models = recipe.models()
    throughput = Throughput(
        gpu=None,
        cpus=1000,
        flops={name: estimate.flops for name, estimate in estimate_models(recipe).items()},
        training={name: model.training for name, model in models.items()},
        given=dict.fromkeys(models, 100.0),
    )
    found = NodeTimes(recipe, make_plan(recipe), DatasetSize(1000, 300, 0, 0, DataSpec()), throughput).seconds
    # Models predict three times as fast as they train: 300 hold-out videos take a second.
    assert found["train-dbof-a"] == pytest.approx(2 * 1000 / 100 + 1)
    assert found["average-dbof-a"] == pytest.approx(recipe.averaging.epochs * 1000 / 100 + 3)
    assert found["quantize-dbof-s"] == pytest.approx(1)
    assert found["export"] == pytest.approx(2)  # dbof-s and vlad-2
    assert found["select-dbof"] == found["report"] == 0
