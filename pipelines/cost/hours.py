"""Throughput per model and the time that each node takes.

Throughput is measured where given, otherwise estimated from the GPU's data sheet. A batch takes as long as the slower
of two: its matrix products, or the transfers between chip and memory (frame values, weights, the optimizer's moments).
The steps of recurrent cells are added, since each waits for the one before. No model is faster than its input is read.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pipelines.cost.dataset import DatasetSize
from pipelines.cost.gpus import Gpu
from pipelines.graph.plan import Node, Plan
from pipelines.recipe.schema import Recipe
from yt8m.errors import ConfigError, suggest
from yt8m.models.flops import TRAINING_PASSES, ModelFlops
from yt8m.training.config import TrainingConfig

# Assumed, not measured: shares of the data sheet's rates that such models reach.
COMPUTE_SHARE = 0.4
BANDWIDTH_SHARE = 0.6
# Assumed: one step of one recurrent cell, which launches several small kernels.
CELL_STEP_SECONDS = 30e-6
# How often every value of a frame is written or read: forward, the product's result, statistics, normalization,
# activation, next product; backward twice as often.
FORWARD_TOUCHES = 4
TRAINING_TOUCHES = TRAINING_PASSES * FORWARD_TOUCHES
# Transfers of each float32 weight in a step: read forward and backward; gradient written, read for its norm, read by
# Adam; weight and two moments read and written.
BYTES_PER_WEIGHT_AND_STEP = 4 * (2 + 3 + 6)
FLOAT_BYTES = 4
# `benchmarks/read_videos.py`: videos of 272 kB per second and CPU, rounded down.
READ_PER_CPU = 1900.0

WEIGHT_COPIES = 4
"""During training the GPU's memory holds weights, gradients and two moments."""


@dataclass(frozen=True)
class Rate:
    """Throughput of a model.

    Attributes:
        videos_per_second: Videos per second.
        limit: The bottleneck: `compute`, `memory`, `recurrence`, `reading`, or `given` for a measured rate.
    """

    videos_per_second: float
    limit: str


def rates_by_model(given: Mapping[str, float], architectures: Mapping[str, str], gpu: Gpu | None) -> dict[str, float]:
    """Resolve given rates, by model or architecture, to rates by model.

    Args:
        given: Videos per second by model or architecture. A model's own rate overrides its architecture's.
        architectures: Architecture of each model.
        gpu: GPU for which the other models are estimated. None requires a rate for every model.

    Raises:
        ConfigError: A name is unknown, or a rate is missing.
    """
    known = {*architectures, *architectures.values()}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ConfigError(f"--videos-per-second: no model or architecture '{unknown[0]}'. {suggest(unknown[0], known)}")
    missing = [name for name, kind in architectures.items() if name not in given and kind not in given]
    if gpu is None and missing:
        raise ConfigError(f"--videos-per-second: no rate for {', '.join(missing)}. Give them, or a --gpu.")
    return {name: given.get(name, given.get(kind, 0.0)) for name, kind in architectures.items() if name not in missing}


class Throughput:
    """Throughput of all models of a recipe.

    Args:
        gpu: The GPU of each step. None if all rates are given.
        cpus: Number of CPUs that read videos for each GPU.
        works: Weights and floating-point operations of each model.
        training: Training configuration of each model; batch size and precision count.
        given: Measured videos per second in training by model, which replace the estimates; see `rates_by_model`.
    """

    def __init__(
        self,
        *,
        gpu: Gpu | None,
        cpus: int,
        works: Mapping[str, ModelFlops],
        training: Mapping[str, TrainingConfig],
        given: Mapping[str, float],
    ) -> None:
        self.gpu, self._works, self._training, self._given = gpu, works, training, given
        self.reading = cpus * READ_PER_CPU

    def training(self, name: str) -> Rate:
        """Return the rate of a model in training. A given rate is not limited by reading."""
        given = self._given.get(name)
        if given is not None:
            return Rate(given, "given")
        work, config = self._works[name], self._training[name]
        frames = config.batch_size * work.training_frames
        return self._limit_by_reading(
            config.batch_size,
            self._batch_seconds(
                config,
                flops=TRAINING_PASSES * config.batch_size * work.training_flops,
                touches=TRAINING_TOUCHES * frames * work.values_per_frame,
                weight_bytes=BYTES_PER_WEIGHT_AND_STEP * work.size.parameters,
                cell_steps=TRAINING_PASSES * work.cell_steps_per_frame * work.training_frames,
            ),
        )

    def inference(self, names: Iterable[str], batch_size: int) -> Rate:
        """Return the rate of models that predict the same videos one after the other.

        Where a training rate is given, a prediction takes a third of a training step.
        """
        seconds: dict[str, float] = {}
        for name in names:
            given = self._given.get(name)
            work, config = self._works[name], self._training[name]
            if given is not None:
                parts = {"given": batch_size / (TRAINING_PASSES * given)}
            else:
                parts = self._batch_seconds(
                    config,
                    flops=batch_size * work.inference_flops,
                    touches=FORWARD_TOUCHES * batch_size * work.inference_frames * work.values_per_frame,
                    weight_bytes=FLOAT_BYTES * work.size.parameters,
                    cell_steps=work.cell_steps_per_frame * work.inference_frames,
                )
            for limit, part in parts.items():
                seconds[limit] = seconds.get(limit, 0.0) + part
        return self._limit_by_reading(batch_size, seconds)

    def _batch_seconds(
        self, config: TrainingConfig, *, flops: float, touches: float, weight_bytes: float, cell_steps: int
    ) -> dict[str, float]:
        """Return the seconds that a batch takes, by bottleneck."""
        assert self.gpu
        half = config.precision == "mixed_bfloat16"
        compute = flops / (COMPUTE_SHARE * (self.gpu.bfloat16 if half else self.gpu.float32))
        carried = touches * (FLOAT_BYTES / 2 if half else FLOAT_BYTES) + weight_bytes
        memory = carried / (BANDWIDTH_SHARE * self.gpu.bandwidth)
        slower = {"compute": compute} if compute > memory else {"memory": memory}
        return slower | ({"recurrence": cell_steps * CELL_STEP_SECONDS} if cell_steps else {})

    def _limit_by_reading(self, videos: int, seconds: Mapping[str, float]) -> Rate:
        rate = videos / sum(seconds.values())
        if rate > self.reading:
            return Rate(self.reading, "reading")
        return Rate(rate, max(seconds, key=lambda limit: seconds[limit]))


class NodeTimes:
    """Time that each node of a plan takes, without the start of its container.

    A stage without a method here takes no time that counts: the stages that need no GPU take minutes, except `prepare`,
    which reads all shards.

    Args:
        recipe: The recipe.
        plan: Its plan.
        dataset: Videos and bytes of the data set.
        throughput: Throughput of the models.

    Attributes:
        seconds: Seconds by node, in the plan's order.
    """

    def __init__(self, recipe: Recipe, plan: Plan, dataset: DatasetSize, throughput: Throughput) -> None:
        self._recipe, self._dataset, self._throughput = recipe, dataset, throughput
        self.seconds: dict[str, float] = {}
        for name, node in plan.nodes.items():
            of_stage: Callable[[Node], float] = getattr(self, f"_{node.stage}", lambda _: 0.0)
            self.seconds[name] = of_stage(node)

    def _prepare(self, _: Node) -> float:
        return (self._dataset.training_videos + self._dataset.holdout_videos) / self._throughput.reading

    def _train(self, node: Node) -> float:
        return self._training(node, self._recipe.models()[node.model].training.epochs)

    def _average(self, node: Node) -> float:
        """Add the predictions of the hold-out set before and after averaging to the training."""
        averaging = self._recipe.averaging
        predictions = self._inference([node.model], averaging.batch_size, 2 * self._dataset.holdout_videos)
        return self._training(node, averaging.epochs) + predictions

    def _evaluate(self, node: Node) -> float:
        names = [node.model] if node.model else list(self._recipe.members())
        return self._inference(names, self._recipe.evaluation.batch_size, self._dataset.holdout_videos)

    def _soft_targets(self, node: Node) -> float:
        """Assume the slowest candidates as teachers, since the selection is not known yet."""
        batch_size = self._recipe.soft_targets.batch_size
        names = sorted(node.fan_in["model"], key=lambda name: self._inference([name], batch_size, 1), reverse=True)
        if "selection" in node.inputs:
            names = names[: self._recipe.families[node.group].ensemble_size]
        return self._inference(names, batch_size, self._dataset.training_videos / int(node.arguments["workers"]))

    def _training(self, node: Node, epochs: int) -> float:
        return epochs * self._dataset.training_videos / self._throughput.training(node.model).videos_per_second

    def _inference(self, names: list[str], batch_size: int, videos: float) -> float:
        return videos / self._throughput.inference(names, batch_size).videos_per_second
