"""What each node of a plan reads and writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipelines.cost.data import DataFacts
from pipelines.graph.plan import Node, Plan, Ref
from pipelines.recipe.schema import Recipe
from yt8m.data.soft_target_manifest import SoftTargetEncoding
from yt8m.models.sizes import FLOAT_BYTES, ModelSize

# In a checkpoint: weights and Adam's two moments; in averaging also the averages.
_CHECKPOINT_COPIES, _AVERAGING_COPIES = 3, 4
# Of a record of soft targets: TFRecord's frame, the Example's tags, an id of four letters; in the top-K form also the
# probability of all other classes.
_DENSE_RECORD_BYTES, _TOP_K_RECORD_BYTES = 62, 99
_PROBABILITY_BYTES, _CLASS_BYTES = 2, 2
# Of a prediction: class and score; and id, offset and three labels of the video.
_PREDICTION_BYTES, _PREDICTED_VIDEO_BYTES = 6, 20
# Of TensorBoard's logs: loss and GAP, 71 bytes each, every 50 steps.
_LOG_BYTES_PER_STEP = 2 * 71 / 50


def soft_target_bytes(encoding: SoftTargetEncoding, num_classes: int) -> int:
    """Bytes of a video's soft targets in their file, whose first record, of 80 bytes, is of no video."""
    if encoding.top_k is None or encoding.top_k >= num_classes:
        return num_classes * _PROBABILITY_BYTES + _DENSE_RECORD_BYTES
    return encoding.top_k * (_PROBABILITY_BYTES + _CLASS_BYTES) + _TOP_K_RECORD_BYTES


@dataclass(frozen=True)
class NodeBytes:
    """What a node reads and writes.

    Attributes:
        pass_bytes: Shards and soft targets that it reads in one go through them.
        passes: How often it goes through them.
        written: What it writes under the run's root, by kind.
        artifacts: What it hands to other nodes, by output's name; Kubeflow keeps these.
        fetched: Other nodes' artifacts that Kubeflow copies to it before it starts.
    """

    pass_bytes: int = 0
    passes: int = 0
    written: Mapping[str, int] = field(default_factory=dict)
    artifacts: Mapping[str, int] = field(default_factory=dict)
    fetched: int = 0

    @property
    def left(self) -> dict[str, int]:
        """All that it leaves, by kind or output."""
        return {**self.written, **self.artifacts}

    @property
    def read(self) -> int:
        """Shards and soft targets in all."""
        return self.pass_bytes * self.passes


def node_bytes(recipe: Recipe, plan: Plan, data: DataFacts, sizes: Mapping[str, ModelSize]) -> dict[str, NodeBytes]:
    """What the nodes of a plan read and write; of small JSON files and pages nothing is counted.

    Args:
        recipe: The recipe.
        plan: Its plan.
        data: Videos and bytes.
        sizes: Each model's size.
    """
    return _Accounts(recipe, data, sizes).of(plan)


class _Accounts:
    def __init__(self, recipe: Recipe, data: DataFacts, sizes: Mapping[str, ModelSize]) -> None:
        self.recipe, self.data, self.sizes = recipe, data, sizes
        self.models = recipe.models()
        encoding, classes = recipe.soft_targets.encoding, recipe.data.resolve_spec().num_classes
        self.soft_targets = data.training_videos * soft_target_bytes(encoding, classes)
        self.predictions = data.holdout_videos * (
            min(recipe.evaluation.top_k, classes) * _PREDICTION_BYTES + _PREDICTED_VIDEO_BYTES
        )
        self.stages: dict[str, Callable[[Node], NodeBytes]] = {
            "prepare": lambda _: NodeBytes(data.total_bytes, 1),
            "train": self._train,
            "average": self._average,
            "evaluate": self._evaluate,
            "soft_targets": self._soft_targets,
            "join_soft_targets": lambda _: NodeBytes(self.soft_targets, 1),
            "quantize": lambda node: NodeBytes(artifacts={"quantized": self._quantized_bytes(node.model)}),
            "export": self._export,
        }

    def of(self, plan: Plan) -> dict[str, NodeBytes]:
        found: dict[str, NodeBytes] = {}
        for node in plan.nodes.values():
            own = self.stages[node.stage](node) if node.stage in self.stages else NodeBytes()
            fetched = sum(_artifact(found, reference) for reference in node.references())
            found[node.name] = NodeBytes(own.pass_bytes, own.passes, own.written, own.artifacts, fetched)
        return found

    def _train(self, node: Node) -> NodeBytes:
        training = self.models[node.model].training
        written = self._training_files(node, _CHECKPOINT_COPIES, training.epochs)
        artifacts = {"model": self.sizes[node.model].float_bytes}
        return NodeBytes(self._training_set(node), self._passes(node, training.epochs), written, artifacts)

    def _average(self, node: Node) -> NodeBytes:
        """Besides its training it goes through the hold-out twice."""
        epochs = self.recipe.averaging.epochs
        written = self._training_files(node, _AVERAGING_COPIES, epochs)
        artifacts = {"averaged": self.sizes[node.model].float_bytes}
        passes = self._passes(node, epochs)
        pass_bytes = self._training_set(node) + 2 * self.data.holdout_bytes // passes
        return NodeBytes(pass_bytes, passes, written, artifacts)

    def _training_set(self, node: Node) -> int:
        return self.data.training_bytes + (self.soft_targets if "soft_targets" in node.inputs else 0)

    def _passes(self, node: Node, epochs: int) -> int:
        """Once, where the training set is held in memory."""
        from yt8m.data.reading import VideosInMemory  # noqa: PLC0415 - TensorFlow takes seconds to import

        videos, spec = self.data.training_videos, self.recipe.data.resolve_spec()
        size = VideosInMemory.size_bytes(videos, spec, with_soft_targets="soft_targets" in node.inputs)
        return 1 if size <= self.models[node.model].training.memory_bytes else epochs

    def _training_files(self, node: Node, copies: int, epochs: int) -> dict[str, int]:
        steps = epochs * self.data.training_videos // self.models[node.model].training.batch_size
        return {
            "checkpoints": copies * FLOAT_BYTES * self.sizes[node.model].parameters,
            "TensorBoard's logs": round(_LOG_BYTES_PER_STEP * steps),
        }

    def _evaluate(self, node: Node) -> NodeBytes:
        del node
        return NodeBytes(self.data.holdout_bytes, 1, artifacts={"predictions": self.predictions})

    def _soft_targets(self, node: Node) -> NodeBytes:
        """One of several workers reads and writes its share."""
        workers = int(node.arguments["workers"])
        return NodeBytes(self.data.training_bytes // workers, 1, {"soft targets": self.soft_targets // workers})

    def _quantized_bytes(self, model: str) -> int:
        return self.sizes[model].quantized_bytes(**dict(self.recipe.quantization))

    def _export(self, node: Node) -> NodeBytes:
        del node
        members = sum(map(self._quantized_bytes, self.recipe.members()))
        return NodeBytes(artifacts={"exported": min(members, self.recipe.ensemble.search.budget_bytes)})


def _artifact(found: Mapping[str, NodeBytes], reference: Ref) -> int:
    return found[reference.node].artifacts.get(reference.output, 0)
