"""When nodes run: the critical path, and how long a graph takes on so many accelerators."""

import heapq
from collections.abc import Collection, Mapping

from pipelines.graph.order import in_order
from pipelines.graph.plan import Plan

Dependencies = Mapping[str, Collection[str]]


def pipeline_dependencies(plan: Plan) -> dict[str, frozenset[str]]:
    """What each node waits for in Kubeflow, where a sub-pipeline starts when all it is given is there, and ends whole.

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
    """Seconds from each node's start to the end of the run if it never waits for an accelerator.

    Args:
        dependencies: What each node waits for; nodes in any order that is not circular.
        seconds: What each node takes.
    """
    followers = _followers(dependencies)
    found: dict[str, float] = {}
    for name in reversed(in_order(dependencies)):
        found[name] = seconds[name] + max((found[other] for other in followers[name]), default=0.0)
    return found


def critical_path(dependencies: Dependencies, seconds: Mapping[str, float]) -> list[str]:
    """The nodes that decide how long the run takes where there are accelerators for all, in order."""
    left = remaining(dependencies, seconds)
    path = [max((name for name in left if not dependencies[name]), key=lambda name: left[name])]
    while True:
        next_ones = [name for name in left if path[-1] in dependencies[name]]
        if not next_ones:
            return path
        path.append(max(next_ones, key=lambda name: left[name]))


def makespan(dependencies: Dependencies, seconds: Mapping[str, float], on_gpu: Collection[str], gpus: int) -> float:
    """How long a run takes: whenever an accelerator is free, the waiting node with the longest way to go gets it.

    Args:
        dependencies: What each node waits for.
        seconds: What each node takes.
        on_gpu: The nodes that take an accelerator; of others any number run side by side.
        gpus: Accelerators.

    Returns:
        Seconds.
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
    """The nodes that wait for each node."""
    followers: dict[str, list[str]] = {name: [] for name in dependencies}
    for name, before in dependencies.items():
        for other in before:
            followers[other].append(name)
    return followers
