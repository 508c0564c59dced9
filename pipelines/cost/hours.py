"""Time that each node of a plan takes, from the throughput of the models."""

from pipelines.cost.dataset import DatasetSize
from pipelines.cost.settings import resolve_trainings
from pipelines.cost.throughput import Throughput
from pipelines.graph.plan import Node, Plan
from pipelines.recipe.schema import Recipe
from yt8m.training.auto.rules import resolve_ensemble_size
from yt8m.training.steps import SAMPLE_VIDEOS, STATISTICS_VIDEOS


class NodeTimes:
    """Time that each node of a plan takes, without the start of its container.

    A stage without a method here takes no time that counts: the stages that need no GPU take minutes, except `prepare`,
    which reads all shards.

    Attributes:
        seconds: Seconds by node, in the plan's order.
    """

    def __init__(self, recipe: Recipe, plan: Plan, dataset: DatasetSize, throughput: Throughput) -> None:
        self._recipe, self._dataset, self._throughput = recipe, dataset, throughput
        self._trainings = resolve_trainings(recipe, dataset.counts)
        self.seconds: dict[str, float] = {}
        for name, node in plan.nodes.items():
            of_stage = getattr(self, f"_{node.stage}", None)
            self.seconds[name] = of_stage(node) if of_stage else 0.0

    def _prepare(self, _: Node) -> float:
        return (self._dataset.training_videos + self._dataset.holdout_videos) / self._throughput.reading

    def _train(self, node: Node) -> float:
        """Add what is predicted after every epoch: a sample of the hold-out, and videos for batch statistics."""
        training = self._trainings[node.model]
        videos = min(SAMPLE_VIDEOS, self._dataset.holdout_videos)
        if training.batch_norm_momentum is None:
            videos += min(STATISTICS_VIDEOS, self._dataset.training_videos)
        measured = training.epochs * self._inference([node.model], self._recipe.evaluation.batch_size, videos)
        return self._training(node, training.epochs) + measured + self._evaluation([node.model])

    def _average(self, node: Node) -> float:
        """Add the predictions of the hold-out set before and after averaging to the training."""
        averaging = self._recipe.averaging
        predictions = self._inference([node.model], averaging.batch_size, 2 * self._dataset.holdout_videos)
        return self._training(node, averaging.epochs) + predictions + self._evaluation([node.model])

    def _quantize(self, node: Node) -> float:
        """Count the predictions in every size, and a tenth of the training where bits are chosen."""
        sizes = self._recipe.quantization.sizes
        choice = self._training(node, self._trainings[node.model].epochs) / 10 if "auto" in sizes else 0.0
        return len(sizes) * self._evaluation([node.model]) + choice

    def _export(self, node: Node) -> float:
        """Add the reading of all shards, with whose videos those of a test are compared."""
        compared = self._prepare(node) if self._recipe.data.test else 0.0
        return self._evaluation(list(self._recipe.members())) + compared

    def _soft_targets(self, node: Node) -> float:
        """Assume the slowest candidates as teachers, since the selection is not known yet."""
        batch_size = self._recipe.soft_targets.batch_size
        family = self._recipe.families.get(node.family)
        names: list[str] = [*(family.candidates if family else self._recipe.teacher_groups[node.family])]
        if family:
            names.sort(key=lambda name: self._inference([name], batch_size, 1), reverse=True)
            names = names[: resolve_ensemble_size(family.ensemble_size, len(names)).value]
        return self._inference(names, batch_size, self._dataset.training_videos / int(node.arguments["workers"]))

    def _training(self, node: Node, epochs: int) -> float:
        return epochs * self._dataset.training_videos / self._throughput.training(node.model).videos_per_second

    def _evaluation(self, names: list[str]) -> float:
        return self._inference(names, self._recipe.evaluation.batch_size, self._dataset.holdout_videos)

    def _inference(self, names: list[str], batch_size: int, videos: float) -> float:
        return videos / self._throughput.inference(names, batch_size).videos_per_second
