"""The order of what depends on each other."""

from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter


def in_order(needs: Mapping[str, Collection[str]]) -> list[str]:
    """Every name after those it needs; where that leaves a choice, in the mapping's order.

    Args:
        needs: What each name needs; all of it are names of the mapping.

    Raises:
        graphlib.CycleError: Some need each other.
    """
    place = {name: number for number, name in enumerate(needs)}
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    ordered: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=place.__getitem__)
        sorter.done(*ready)
        ordered += ready
    return ordered
