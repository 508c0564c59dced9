"""The limit on the exported model's size."""

from collections.abc import Callable, Mapping
from pathlib import Path

from yt8m.errors import BudgetError


def directory_bytes(directory: Path) -> int:
    """Bytes of all files in a folder and in folders in it."""
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def check_budget(
    size_bytes: int, budget_bytes: int, weights: Mapping[str, float], size_of: Callable[[str], int]
) -> None:
    """Fail if the model is over its budget.

    Args:
        size_bytes: Bytes of the whole SavedModel.
        budget_bytes: Bytes that it may have.
        weights: The members' shares of the mean.
        size_of: Bytes of the SavedModel of one member alone, weights and graph; asked only over the budget. Together
            members take hardly less.

    Raises:
        BudgetError: It is larger; names the parts by size and the members that fit and carry the most weight.
    """
    if size_bytes <= budget_bytes:
        return
    sizes = {name: size_of(name) for name in weights}
    listed = ", ".join(f"{name} {sizes[name]:,}" for name in sorted(sizes, key=lambda name: -sizes[name]))
    kept = heaviest_subset(sizes, weights, budget_bytes)
    if kept:
        total = sum(sizes[name] for name in kept)
        carried = sum(weights[name] for name in kept)
        remedy = (
            f"The nearest subset that fits: {', '.join(kept)} (at most {total:,} bytes, {carried:.0%} of the weight)."
        )
    else:
        remedy = "No member fits; use smaller models or a larger budget_bytes."
    raise BudgetError(
        f"exported model: expected at most {budget_bytes:,} bytes, received {size_bytes:,}. "
        f"Parts in bytes, weights and graph: {listed}. {remedy}"
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
