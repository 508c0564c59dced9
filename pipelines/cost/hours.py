"""How long each node of a plan takes."""

from pipelines.cost.data import DataFacts
from pipelines.cost.throughput import Throughput
from pipelines.graph.plan import Node, Plan
from pipelines.recipe.schema import Recipe

GPU_STAGES = ("train", "average", "evaluate", "soft_targets")
"""Stages that take an accelerator: those of a cluster's sections `training` and `inference`."""


class _Times:
    def __init__(self, recipe: Recipe, data: DataFacts, throughput: Throughput) -> None:
        self.recipe, self.data, self.throughput = recipe, data, throughput
        self.stages = {
            "prepare": self._prepare,
            "train": self._train,
            "average": self._average,
            "evaluate": self._evaluate,
            "soft_targets": self._soft_targets,
        }

    def seconds(self, node: Node) -> float:
        return self.stages[node.stage](node) if node.stage in self.stages else 0.0

    def _prepare(self, node: Node) -> float:
        del node
        return (self.data.training_videos + self.data.holdout_videos) / self.throughput.reading

    def _train(self, node: Node) -> float:
        epochs = self.recipe.models()[node.model].training.epochs
        return epochs * self.data.training_videos / self.throughput.training(node.model).videos_per_second

    def _average(self, node: Node) -> float:
        """Train, and predicts the hold-out before and afterwards."""
        averaging = self.recipe.averaging
        predictions = self._inference([node.model], averaging.batch_size, 2 * self.data.holdout_videos)
        training = averaging.epochs * self.data.training_videos
        return training / self.throughput.training(node.model).videos_per_second + predictions

    def _evaluate(self, node: Node) -> float:
        names = [node.model] if node.model else list(self.recipe.members())
        return self._inference(names, self.recipe.evaluation.batch_size, self.data.holdout_videos)

    def _soft_targets(self, node: Node) -> float:
        """Which candidates teach is not known before; the slowest are taken."""
        batch_size = self.recipe.soft_targets.batch_size
        names = sorted(node.fan_in["model"], key=lambda name: self._inference([name], batch_size, 1), reverse=True)
        if "selection" in node.inputs:
            names = names[: self.recipe.families[node.group].ensemble_size]
        return self._inference(names, batch_size, self.data.training_videos / int(node.arguments["workers"]))

    def _inference(self, names: list[str], batch_size: int, videos: float) -> float:
        return videos / self.throughput.inference(names, batch_size).videos_per_second


def node_times(recipe: Recipe, plan: Plan, data: DataFacts, throughput: Throughput) -> dict[str, float]:
    """Seconds of each node, without those in which it is started.

    Steps that take no accelerator count as nothing, `prepare` excepted, which reads all shards: they take minutes.

    Args:
        recipe: The recipe.
        plan: Its plan.
        data: Videos and bytes.
        throughput: Rates of the models.
    """
    times = _Times(recipe, data, throughput)
    return {node.name: times.seconds(node) for node in plan.nodes.values()}
