from collections.abc import Callable

import pytest

from pipelines.cost.dataset import DatasetSize
from pipelines.cost.hours import NodeTimes
from pipelines.cost.models import estimate_models
from pipelines.cost.settings import resolve_trainings
from pipelines.cost.throughput import Throughput
from pipelines.graph.planner import make_plan
from pipelines.recipe.schema import Recipe
from yt8m.data.format import DataSpec


def test_models_predict_the_holdout_where_they_are_made(small: Callable[..., Recipe]) -> None:
    recipe = small(lambda _: None, "quantization.bits=auto")
    models, dataset = recipe.models(), DatasetSize(1000, 300, 0, 0, DataSpec())
    throughput = Throughput(
        gpu=None,
        cpus=1000,
        flops={name: estimate.flops for name, estimate in estimate_models(recipe).items()},
        training=resolve_trainings(recipe, dataset.counts),
        given=dict.fromkeys(models, 100.0),
    )
    found = NodeTimes(recipe, make_plan(recipe), dataset, throughput).seconds
    # Models predict three times as fast as they train: 300 hold-out videos take a second.
    # After each of the two epochs, they predict the 300 videos, and 1000 training videos for the batch statistics.
    assert found["train-dbof-a"] == pytest.approx(2 * (1000 / 100 + 1300 / 300) + 1)
    assert found["average-dbof-a"] == pytest.approx(recipe.averaging.epochs * 1000 / 100 + 3)
    # And a tenth of the training, to choose bits.
    assert found["quantize-dbof-s"] == pytest.approx(1 + 2 * 1000 / 100 / 10)
    assert found["export"] == pytest.approx(2)  # dbof-s and vlad-2
    assert found["select-dbof"] == found["report"] == 0
