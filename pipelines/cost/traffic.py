"""Bytes that each node of a plan reads and writes, and their sums over the run."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pipelines.cost.dataset import DatasetSize
from pipelines.cost.models import ModelEstimate
from pipelines.cost.settings import resolve_trainings
from pipelines.graph.plan import Node, Plan
from pipelines.recipe.schema import Recipe
from yt8m import storage
from yt8m.models.sizes import FLOAT_BYTES
from yt8m.training.steps import SAMPLED_VIDEOS, STATISTICS_VIDEOS

# Copies of the weights in a checkpoint: the weights and Adam's two moments; in averaging also the averages. Weights
# that are kept apart from those in training are one more.
_CHECKPOINT_COPIES, _AVERAGING_COPIES = 3, 4
# A prediction is a class and a score; each video adds its id, an offset and three labels.
_PREDICTION_BYTES, _PREDICTED_VIDEO_BYTES = 6, 20
# TensorBoard logs loss and GAP, 71 bytes each, every 50 steps.
_LOG_BYTES_PER_STEP = 2 * 71 / 50


@dataclass(frozen=True)
class NodeBytes:
    """Bytes that one node reads and writes.

    Attributes:
        distinct: Size of the shards and soft targets that it reads.
        read: Bytes of them that it reads in all passes.
        written: Bytes that it writes under the run's root, by kind of file.
        artifacts: Bytes of its output artifacts, by output; Kubeflow stores these.
        fetched: Bytes of input artifacts that Kubeflow copies to the node before it starts.
    """

    distinct: int = 0
    read: int = 0
    written: Mapping[str, int] = field(default_factory=dict)
    artifacts: Mapping[str, int] = field(default_factory=dict)
    fetched: int = 0

    @property
    def stored(self) -> dict[str, int]:
        """Bytes that the node leaves behind, by kind of file or output."""
        return {**self.written, **self.artifacts}


class Traffic:
    """Bytes that the nodes of a plan read and write. Small JSON files and pages are not counted.

    A stage without a method here reads and writes nothing that counts. Models and predictions of members are artifacts
    of their own, so that the search fetches no models and the export no predictions.

    Attributes:
        nodes: Bytes by node, in the plan's order.
    """

    def __init__(
        self, recipe: Recipe, plan: Plan, dataset: DatasetSize, estimates: Mapping[str, ModelEstimate]
    ) -> None:
        self.dataset = dataset
        self.nodes: dict[str, NodeBytes] = {}
        self._recipe, self._plan, self._estimates = recipe, plan, estimates
        self._trainings = resolve_trainings(recipe, dataset.counts)
        classes = recipe.data.resolve_spec().num_classes
        self._soft_target_bytes = dataset.training_videos * recipe.soft_targets.encoding.record_bytes(classes)
        self._prediction_bytes = dataset.holdout_videos * (
            min(recipe.evaluation.top_k, classes) * _PREDICTION_BYTES + _PREDICTED_VIDEO_BYTES
        )
        for name, node in plan.nodes.items():
            of_stage: Callable[[Node], NodeBytes] = getattr(self, f"_{node.stage}", lambda _: NodeBytes())
            fetched = sum(self.nodes[ref.node].artifacts.get(ref.output, 0) for ref in node.references())
            self.nodes[name] = replace(of_stage(node), fetched=fetched)

    @property
    def read(self) -> int:
        """Bytes of shards and soft targets read if no node caches them."""
        return sum(each.read for each in self.nodes.values())

    @property
    def read_once(self) -> int:
        """Bytes of shards and soft targets read if every node caches what it reads."""
        return sum(each.distinct for each in self.nodes.values())

    @property
    def read_shared(self) -> int:
        """Bytes read from a cache that all nodes share: every pass, and one more in which each node verifies it."""
        return self.read + self.read_once

    @property
    def fetched(self) -> int:
        """Bytes of models and predictions that Kubeflow copies to nodes."""
        return sum(each.fetched for each in self.nodes.values())

    def stored(self) -> dict[str, int]:
        """Return the bytes that a run leaves behind, by kind of file or output."""
        total: Counter[str] = Counter()
        for each in self.nodes.values():
            total.update(each.stored)
        return total

    def stages(self) -> dict[str, list[str]]:
        """Return the names of each stage's nodes, for the stages that read or write something."""
        stages: dict[str, list[str]] = {}
        for node in self._plan.nodes.values():
            stages.setdefault(node.stage, []).append(node.name)
        nothing = NodeBytes()
        return {stage: names for stage, names in stages.items() if any(self.nodes[name] != nothing for name in names)}

    def _prepare(self, _: Node) -> NodeBytes:
        return self._reading(self.dataset.total_bytes)

    def _train(self, node: Node) -> NodeBytes:
        """Count a pass over the hold-out set for the saved model, and what is read to measure epochs."""
        training = self._trainings[node.model]
        copies = _CHECKPOINT_COPIES + (training.keep == "best" or training.batch_norm_momentum is None)
        made = self._training(node, "model", training.epochs, copies=copies, holdout_passes=1)
        # Weights that are not kept from an epoch get their batch statistics at the end.
        times = training.epochs + (training.keep == "last")
        return replace(made, read=made.read + self._sample_bytes(training.epochs) + self._statistics_bytes(node, times))

    def _average(self, node: Node) -> NodeBytes:
        """Count three passes over the hold-out set: before and after averaging, and from the saved model."""
        epochs = self._recipe.averaging.epochs
        copies = _AVERAGING_COPIES + (self._trainings[node.model].batch_norm_momentum is None)
        made = self._training(node, "averaged", epochs, copies=copies, holdout_passes=3)
        return replace(made, read=made.read + self._statistics_bytes(node, 1))

    def _soft_targets(self, node: Node) -> NodeBytes:
        """Count the share of one of several workers."""
        workers = int(node.arguments["workers"])
        written = {"soft targets": self._soft_target_bytes // workers}
        return replace(self._reading(self.dataset.training_bytes // workers), written=written)

    def _quantize(self, node: Node) -> NodeBytes:
        """Count the model in every size, its predictions in each, and those of the float model."""
        sizes = self._estimates[node.model].size_bytes
        artifacts = {"member": sum(sizes.values()), "offers": (1 + len(sizes)) * self._prediction_bytes}
        passes = len(sizes) + ("auto" in sizes)
        size = self.dataset.holdout_bytes
        return replace(NodeBytes(distinct=size, read=size * passes), artifacts=artifacts)

    def _export(self, _: Node) -> NodeBytes:
        """Count the test: its shards are checked, measured and compared with all others."""
        members = sum(self._estimates[name].quantized_bytes for name in self._recipe.members())
        exported = min(members, self._recipe.ensemble.search.budget_bytes)
        test = self._test_bytes()
        once = self.dataset.holdout_bytes + test + (self.dataset.training_bytes if self._recipe.data.test else 0)
        again = 2 * test + (self.dataset.holdout_bytes if self._recipe.data.test else 0)
        return NodeBytes(distinct=once, read=once + again, artifacts={"exported": exported})

    def _reading(self, size: int) -> NodeBytes:
        return NodeBytes(distinct=size, read=size)

    def _training(self, node: Node, output: str, epochs: int, *, copies: int, holdout_passes: int) -> NodeBytes:
        """Count a training and the measurements of its model, which is the output of this name."""
        size = self._shard_bytes(node)
        holdout = self.dataset.holdout_bytes
        return NodeBytes(
            distinct=size + holdout,
            read=size * self._passes(node, epochs) + holdout * holdout_passes,
            written=self._training_files(node, copies, epochs),
            artifacts={
                output: self._estimates[node.model].flops.size.float_bytes,
                "predictions": self._prediction_bytes,
            },
        )

    def _passes(self, node: Node, epochs: int) -> int:
        """Return 1 for a training set that is held in memory, otherwise the number of epochs."""
        return 1 if self._is_in_memory(node) else epochs

    def _is_in_memory(self, node: Node) -> bool:
        return self.held_bytes(node) > 0

    def held_bytes(self, node: Node) -> int:
        """Return the bytes of the videos that a training keeps in memory; 0 if it reads them in every epoch."""
        from yt8m.data.reading import VideosInMemory  # noqa: PLC0415 - TensorFlow takes seconds to import

        videos, spec = self.dataset.training_videos, self._recipe.data.resolve_spec()
        size = VideosInMemory.size_bytes(videos, spec, with_soft_targets=_has_soft_targets(node))
        return size if size <= self._trainings[node.model].memory_bytes else 0

    def _statistics_bytes(self, node: Node, times: int) -> int:
        """Return the bytes of the training shards that are read to measure batch statistics a number of times."""
        from yt8m.data.reading import SHARDS_PER_GROUP, SHUFFLE_BUFFER_VIDEOS  # noqa: PLC0415 - TensorFlow

        if self._trainings[node.model].batch_norm_momentum is not None or self._is_in_memory(node):
            return 0
        # A group of shards, and as many groups as hold these videos and those of the buffer.
        share = (STATISTICS_VIDEOS + SHUFFLE_BUFFER_VIDEOS) / max(self.dataset.training_videos, 1)
        if self.dataset.shards:
            share = max(share, SHARDS_PER_GROUP / self.dataset.shards)
        return round(times * min(share, 1.0) * self._shard_bytes(node))

    def _shard_bytes(self, node: Node) -> int:
        """Return the size of the training shards and of the soft targets that a training reads."""
        return self.dataset.training_bytes + (self._soft_target_bytes if _has_soft_targets(node) else 0)

    def _test_bytes(self) -> int:
        """Return the size of the local test shards; others are not counted."""
        local = [pattern for pattern in self._recipe.data.test if not storage.is_remote(pattern)]
        return sum(storage.stat(uri).size for pattern in local for uri in storage.find_files(pattern).uris)

    def _sample_bytes(self, epochs: int) -> int:
        """Return the bytes of the shards that are read for the sample of the hold-out."""
        from yt8m.training.epoch_end.holdout_sample import HoldoutSample  # noqa: PLC0415 - TensorFlow takes seconds to import

        videos = self.dataset.holdout_videos
        passes = 1 if HoldoutSample.fits_in_memory(videos, self._recipe.data.resolve_spec()) else epochs
        return passes * self.dataset.holdout_bytes * min(videos, SAMPLED_VIDEOS) // max(videos, 1)

    def _training_files(self, node: Node, copies: int, epochs: int) -> dict[str, int]:
        batch_size = self._trainings[node.model].batch_size
        steps = epochs * self.dataset.training_videos // batch_size
        return {
            "checkpoints": copies * FLOAT_BYTES * self._estimates[node.model].parameters,
            "TensorBoard's logs": round(_LOG_BYTES_PER_STEP * steps),
        }


def _has_soft_targets(node: Node) -> bool:
    return "soft_targets" in node.fan_in
