"""Estimate of how long a recipe runs on two cores."""

from pipelines.cost.dataset import DatasetSize
from pipelines.cost.hours import NodeTimes
from pipelines.cost.models import ModelEstimate
from pipelines.cost.settings import resolve_trainings
from pipelines.cost.throughput import BANDWIDTH_SHARE, COMPUTE_SHARE, Gpu, Throughput
from pipelines.graph.planner import make_plan
from pipelines.recipe.schema import Recipe

CORES = 2
# FLOP/s and bytes/s that small models reach on two cores of an AMD EPYC (docs/results.md).
FLOP_RATE, BYTE_RATE = 30e9, 2.5e9
# Seconds that a node takes besides its work: start, imports, and TensorFlow's compilation.
_START_SECONDS = {"train": 10.0, "average": 12.0, "soft_targets": 8.0}
_OTHER_START_SECONDS = 4.0
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def seconds_on_two_cores(recipe: Recipe, estimates: dict[str, ModelEstimate], training: int, holdout: int) -> float:
    """Estimate how long a recipe runs, all nodes one after the other.

    Args:
        recipe: The recipe.
        estimates: Sizes and arithmetic of its models.
        training: Number of training videos.
        holdout: Number of hold-out videos.
    """
    plan = make_plan(recipe)
    dataset = DatasetSize.of_counts(training, holdout, None, recipe.data.resolve_spec())
    throughput = Throughput(
        # The rates of the data sheet, of which `Throughput` assumes these shares.
        gpu=Gpu(FLOP_RATE / COMPUTE_SHARE, FLOP_RATE / COMPUTE_SHARE, BYTE_RATE / BANDWIDTH_SHARE, 0, ""),
        cpus=CORES,
        flops={name: estimate.flops for name, estimate in estimates.items()},
        training=resolve_trainings(recipe, dataset.counts),
        given={},
    )
    work = sum(NodeTimes(recipe, plan, dataset, throughput).seconds.values())
    return work + start_seconds(recipe)


def start_seconds(recipe: Recipe) -> float:
    """Return the part of the time that does not depend on the number of videos."""
    return sum(_START_SECONDS.get(node.stage, _OTHER_START_SECONDS) for node in make_plan(recipe).nodes.values())


def describe_time(seconds: float) -> str:
    """Describe an estimated time on two cores: `about 12 minutes on two cores`."""
    for size, unit, limit in ((_MINUTE, "minutes", 120), (_HOUR, "hours", 72)):
        if seconds < limit * size:
            return f"about {max(round(seconds / size), 2)} {unit} on two cores"
    return f"about {seconds / _DAY:,.0f} days on two cores, so use GPUs: `yt8m plan` computes their hours"
