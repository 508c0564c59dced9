"""Schedule of a run: its critical path, and its duration with a given number of GPUs."""

import heapq
from collections.abc import Collection, Mapping
from functools import cached_property

from pipelines.graph.plan import Plan, in_order
from pipelines.stages import STAGES

Dependencies = Mapping[str, Collection[str]]


class Schedule:
    """Duration of a run and the GPU time in it.

    Args:
        plan: The nodes.
        seconds: Seconds that each node takes.
        least_seconds: Lower bound of the duration, such as the time in which a shared cache is read; 0 if none.
    """

    def __init__(self, plan: Plan, seconds: Mapping[str, float], least_seconds: float = 0.0) -> None:
        self.seconds, self.least_seconds = seconds, least_seconds
        self.on_gpu = {node.name for node in plan.nodes.values() if STAGES[node.stage].uses_gpu}
        self._dependencies = pipeline_dependencies(plan)

    @property
    def gpu_seconds(self) -> float:
        """Seconds of all GPUs together."""
        return sum(self.seconds[name] for name in self.on_gpu)

    @cached_property
    def critical_path(self) -> list[str]:
        """Nodes of the critical path, without those that take no time."""
        return [name for name in critical_path(self._dependencies, self.seconds) if self.seconds[name]]

    def makespan(self, gpus: int) -> float:
        """Return the duration of the run in seconds with a number of GPUs."""
        return max(makespan(self._dependencies, self.seconds, self.on_gpu, gpus), self.least_seconds)


def pipeline_dependencies(plan: Plan) -> dict[str, frozenset[str]]:
    """Return the nodes that each node waits for in Kubeflow.

    In Kubeflow a sub-pipeline starts when all its inputs exist, and its outputs exist when all its nodes are done.

    Args:
        plan: The nodes.

    Returns:
        Names of the nodes that must have finished, by node in the plan's order.
    """
    units: dict[str, list[str]] = {}
    unit_of = {name: node.group or name for name, node in plan.nodes.items()}
    for name, unit in unit_of.items():
        units.setdefault(unit, []).append(name)
    given = {
        unit: {other for name in names for other in plan.nodes[name].dependencies if unit_of[other] != unit}
        for unit, names in units.items()
    }
    return {
        name: frozenset(
            {other for other in node.dependencies if unit_of[other] == unit_of[name]}.union(
                *(units[unit_of[other]] for other in given[unit_of[name]])
            )
        )
        for name, node in plan.nodes.items()
    }


def remaining(dependencies: Dependencies, seconds: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds from each node's start to the end of the run if no node waits for a GPU.

    Args:
        dependencies: Nodes that each node waits for, without cycles, in any order.
        seconds: Seconds that each node takes.
    """
    followers = _followers(dependencies)
    found: dict[str, float] = {}
    for name in reversed(in_order(dependencies)):
        found[name] = seconds[name] + max((found[other] for other in followers[name]), default=0.0)
    return found


def critical_path(dependencies: Dependencies, seconds: Mapping[str, float]) -> list[str]:
    """Return the nodes that decide the duration of a run with a GPU for every node, in order."""
    left = remaining(dependencies, seconds)
    path: list[str] = []
    ready = [name for name in left if not dependencies[name]]
    while ready:
        path.append(max(ready, key=lambda name: left[name]))
        ready = [name for name in left if path[-1] in dependencies[name]]
    return path


def makespan(dependencies: Dependencies, seconds: Mapping[str, float], on_gpu: Collection[str], gpus: int) -> float:
    """Simulate a run in which a free GPU always goes to the waiting node with the longest remaining path.

    Args:
        dependencies: Nodes that each node waits for.
        seconds: Seconds that each node takes.
        on_gpu: Nodes that need a GPU; any number of the others run at the same time.
        gpus: Number of GPUs.

    Returns:
        The duration of the run in seconds.
    """
    priority = remaining(dependencies, seconds)
    followers = _followers(dependencies)
    missing = {name: len(before) for name, before in dependencies.items()}
    queue = [(-priority[name], name) for name, count in missing.items() if not count]
    heapq.heapify(queue)
    running: list[tuple[float, str]] = []
    now, free = 0.0, gpus
    while queue or running:
        later = []
        while queue:
            entry = heapq.heappop(queue)
            if entry[1] in on_gpu and not free:
                later.append(entry)
                continue
            free -= entry[1] in on_gpu
            heapq.heappush(running, (now + seconds[entry[1]], entry[1]))
        queue = later
        now, done = heapq.heappop(running)
        free += done in on_gpu
        for other in followers[done]:
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(queue, (-priority[other], other))
    return now


def _followers(dependencies: Dependencies) -> dict[str, list[str]]:
    """Return the nodes that wait for each node."""
    followers: dict[str, list[str]] = {name: [] for name in dependencies}
    for name, before in dependencies.items():
        for other in before:
            followers[other].append(name)
    return followers
