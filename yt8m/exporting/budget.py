"""The limit on the exported model's size."""

import math
from collections.abc import Mapping
from pathlib import Path

from yt8m.errors import BudgetError


def directory_bytes(directory: Path) -> int:
    """Bytes of all files in a folder and in folders in it."""
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def check_budget(size_bytes: int, budget_bytes: int, parts: Mapping[str, int], weights: Mapping[str, float]) -> None:
    """Fails if the model is over its budget.

    Args:
        size_bytes: Bytes of the whole SavedModel.
        budget_bytes: Bytes that it may have.
        parts: Bytes of every member.
        weights: The members' shares of the mean.

    Raises:
        BudgetError: It is larger; names the parts by size and the members that would fit and carry the most weight.
    """
    if size_bytes <= budget_bytes:
        return
    overhead = max(size_bytes - sum(parts.values()), 0)
    sizes = {**parts, "graph": overhead}
    listed = ", ".join(f"{name} {sizes[name]:,}" for name in sorted(sizes, key=lambda name: -sizes[name]))
    # The graph is the members' graphs and little else.
    with_graph = {name: size + math.ceil(overhead / len(parts)) for name, size in parts.items()}
    kept = heaviest_subset(with_graph, weights, budget_bytes)
    if kept:
        total = sum(with_graph[name] for name in kept)
        carried = sum(weights[name] for name in kept)
        remedy = (
            f"The nearest subset that fits: {', '.join(kept)} (about {total:,} bytes, {carried:.0%} of the weight)."
        )
    else:
        remedy = "No member fits; use smaller models or a larger budget_bytes."
    raise BudgetError(
        f"exported model: expected at most {budget_bytes:,} bytes, received {size_bytes:,}. Parts in bytes: {listed}. "
        f"{remedy}"
    )


def heaviest_subset(sizes: Mapping[str, int], weights: Mapping[str, float], limit_bytes: int) -> list[str]:
    """The members that fit together and carry the most weight, in the given order; of equals the smaller ones.

    Exact: of all subsets only those are followed that no smaller one outweighs.
    """
    best: list[tuple[int, float, list[str]]] = [(0, 0.0, [])]
    for name, size in sizes.items():
        longer = [(used + size, weight + weights[name], [*names, name]) for used, weight, names in best]
        candidates = best + [subset for subset in longer if subset[0] <= limit_bytes]
        best = []
        for subset in sorted(candidates, key=lambda subset: (subset[0], -subset[1])):
            if not best or subset[1] > best[-1][1]:
                best.append(subset)
    return best[-1][2]
