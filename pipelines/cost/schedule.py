"""Schedule of a run: its critical path, and its duration with a given number of GPUs."""

import heapq
from collections.abc import Mapping
from graphlib import TopologicalSorter

from pipelines.graph.plan import Plan, in_order
from pipelines.stages import STAGES


class Schedule:
    """Duration of a run and the GPU time in it.

    Args:
        plan: The nodes.
        seconds: Seconds that each node takes.
        least_seconds: Lower bound of the duration, such as the time in which a shared cache is read; 0 if none.

    Attributes:
        on_gpu: Nodes that need a GPU. Any number of the others run at the same time.
        remaining: Seconds from each node's start to the end of the run if no node waits for a GPU.
    """

    def __init__(self, plan: Plan, seconds: Mapping[str, float], least_seconds: float = 0.0) -> None:
        self.seconds, self.least_seconds = seconds, least_seconds
        self.on_gpu = {node.name for node in plan.nodes.values() if STAGES[node.stage].uses_gpu}
        self._dependencies = pipeline_dependencies(plan)
        self.remaining: dict[str, float] = {}
        for name in reversed(in_order(self._dependencies)):
            after = max((self.remaining[other] for other in self._followers(name)), default=0.0)
            self.remaining[name] = seconds[name] + after

    @property
    def gpu_seconds(self) -> float:
        """Seconds of all GPUs together."""
        return sum(self.seconds[name] for name in self.on_gpu)

    @property
    def critical_path(self) -> list[str]:
        """Nodes that decide the duration of a run with a GPU for every node, in order."""
        path: list[str] = []
        ready = [name for name in self.remaining if not self._dependencies[name]]
        while ready:
            path.append(max(ready, key=self.remaining.__getitem__))
            ready = self._followers(path[-1])
        return path

    def makespan(self, gpus: int) -> float:
        """Return the duration in seconds if a free GPU always goes to the waiting node with the longest path ahead."""
        sorter = TopologicalSorter(self._dependencies)
        sorter.prepare()
        waiting: set[str] = set()
        running: list[tuple[float, str]] = []
        now, free = 0.0, gpus
        while sorter.is_active():
            waiting |= set(sorter.get_ready())
            for name in sorted(waiting, key=lambda name: (-self.remaining[name], name)):
                if free or name not in self.on_gpu:
                    waiting.remove(name)
                    free -= name in self.on_gpu
                    heapq.heappush(running, (now + self.seconds[name], name))
            now, done = heapq.heappop(running)
            free += done in self.on_gpu
            sorter.done(done)
        return max(now, self.least_seconds)

    def _followers(self, name: str) -> list[str]:
        """Return the nodes with a known remaining time that wait for a node."""
        return [other for other in self.remaining if name in self._dependencies[other]]


def pipeline_dependencies(plan: Plan) -> dict[str, frozenset[str]]:
    """Return the names of the nodes that each node waits for in Kubeflow, in the plan's order.

    In Kubeflow a sub-pipeline starts when all its inputs exist, and its outputs exist when all its nodes are done.
    """
    units = plan.units()
    unit_of = {node.name: unit for unit, nodes in units.items() for node in nodes}
    found: dict[str, frozenset[str]] = {}
    for unit, nodes in units.items():
        before = {unit_of[other] for node in nodes for other in node.dependencies} - {unit}
        outside = frozenset(node.name for other in before for node in units[other])
        for node in nodes:
            found[node.name] = outside | {other for other in node.dependencies if unit_of[other] == unit}
    return {name: found[name] for name in plan.nodes}
