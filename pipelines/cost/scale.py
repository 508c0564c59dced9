"""What a run takes in all: storage, network, hours of accelerators, days."""

from collections.abc import Mapping
from functools import cached_property

from pipelines.cost.data import DataFacts
from pipelines.cost.hours import GPU_STAGES, node_times
from pipelines.cost.schedule import critical_path, makespan, pipeline_dependencies
from pipelines.cost.throughput import WEIGHT_COPIES, Throughput
from pipelines.cost.traffic import NodeBytes, node_bytes
from pipelines.graph.plan import Plan
from pipelines.recipe.schema import Recipe
from yt8m.models.sizes import FLOAT_BYTES, ModelSize


class Scale:
    """Sums over the nodes of a plan.

    Args:
        recipe: The recipe.
        plan: Its plan.
        data: Videos and bytes.
        sizes: Each model's size.
    """

    def __init__(self, recipe: Recipe, plan: Plan, data: DataFacts, sizes: Mapping[str, ModelSize]) -> None:
        self.recipe, self.plan, self.data = recipe, plan, data
        self.bytes: dict[str, NodeBytes] = node_bytes(recipe, plan, data, sizes)
        self.largest_training_bytes = WEIGHT_COPIES * FLOAT_BYTES * max(size.parameters for size in sizes.values())

    def stages(self) -> dict[str, list[str]]:
        """Names of the nodes of each stage that reads, writes or fetches something, in order."""
        found: dict[str, list[str]] = {}
        for node in self.plan.nodes.values():
            found.setdefault(node.stage, []).append(node.name)
        return {stage: names for stage, names in found.items() if any(self._moves(name) for name in names)}

    def _moves(self, name: str) -> bool:
        each = self.bytes[name]
        return bool(each.read or each.left or each.fetched)

    def stored(self) -> dict[str, int]:
        """Bytes that a run leaves, by kind."""
        found: dict[str, int] = {}
        for each in self.bytes.values():
            for kind, size in each.left.items():
                found[kind] = found.get(kind, 0) + size
        return found

    @property
    def read(self) -> int:
        """Shards and soft targets read in all if no node keeps a copy."""
        return sum(each.read for each in self.bytes.values())

    @property
    def read_once(self) -> int:
        """The same if every node keeps a copy of all it reads."""
        return sum(each.pass_bytes for each in self.bytes.values() if each.passes)

    @property
    def read_shared(self) -> int:
        """Read of copies that all nodes share: every pass, and a first one in which a node verifies their checksums."""
        return self.read + self.read_once

    @property
    def fetched(self) -> int:
        """Models and predictions that Kubeflow copies to nodes."""
        return sum(each.fetched for each in self.bytes.values())


class Schedule:
    """When the nodes of a plan run.

    Args:
        scale: The plan and its data.
        throughput: Rates of the models.
        shared_read_rate: Bytes a second that all nodes together read of copies they share; None: as many as they want.
    """

    def __init__(self, scale: Scale, throughput: Throughput, shared_read_rate: int | None = None) -> None:
        self.seconds = node_times(scale.recipe, scale.plan, scale.data, throughput)
        self.on_gpu = {node.name for node in scale.plan.nodes.values() if node.stage in GPU_STAGES}
        self.shared_seconds = scale.read_shared / shared_read_rate if shared_read_rate else 0.0
        self._dependencies = pipeline_dependencies(scale.plan)

    @cached_property
    def gpu_seconds(self) -> float:
        """Of all accelerators together."""
        return sum(self.seconds[name] for name in self.on_gpu)

    @cached_property
    def critical_path(self) -> list[str]:
        """The nodes that decide how long the run takes at least."""
        return [name for name in critical_path(self._dependencies, self.seconds) if self.seconds[name]]

    @property
    def least_seconds(self) -> float:
        """With accelerators for all."""
        return sum(self.seconds[name] for name in self.critical_path)

    def makespan(self, gpus: int) -> float:
        """Seconds with so many accelerators; at least what the shared copies take to be read."""
        return max(makespan(self._dependencies, self.seconds, self.on_gpu, gpus), self.shared_seconds)
