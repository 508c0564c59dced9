"""Size limit of the exported model."""

from collections.abc import Callable, Mapping
from pathlib import Path

from yt8m.errors import BudgetError


def directory_bytes(directory: Path) -> int:
    """Add up the bytes of all files in a folder, including subfolders."""
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def check_budget(
    size_bytes: int, budget_bytes: int, weights: Mapping[str, float], size_of: Callable[[str], int]
) -> None:
    """Raise an error if the model exceeds its budget.

    Args:
        size_bytes: Bytes of the SavedModel.
        budget_bytes: Maximum bytes of the SavedModel.
        weights: Weight of each member in the mean.
        size_of: Returns the bytes of a SavedModel of one member alone. Called only if the budget is exceeded. The sum
            over members is slightly more than the size of their common SavedModel.

    Raises:
        BudgetError: The model exceeds the budget. The message lists the members' sizes, and the subset of members that
            fits and has the most weight.
    """
    if size_bytes <= budget_bytes:
        return
    sizes = {name: size_of(name) for name in weights}
    listed = ", ".join(f"{name} {sizes[name]:,}" for name in sorted(sizes, key=lambda name: -sizes[name]))
    kept = heaviest_subset(sizes, weights, budget_bytes)
    if kept:
        total = sum(sizes[name] for name in kept)
        carried = sum(weights[name] for name in kept)
        remedy = f"The best subset that fits: {', '.join(kept)} (at most {total:,} bytes, {carried:.0%} of the weight)."
    else:
        remedy = "No member fits. Use smaller models or a larger budget_bytes."
    raise BudgetError(
        f"exported model: expected at most {budget_bytes:,} bytes, received {size_bytes:,}. "
        f"Bytes of each member with its graph: {listed}. {remedy}"
    )


def heaviest_subset(sizes: Mapping[str, int], weights: Mapping[str, float], limit_bytes: int) -> list[str]:
    """Find the members with the largest total weight that fit the limit (a knapsack problem, solved exactly).

    Subsets are dropped as soon as a smaller one has at least the same weight. Of equal weights the smaller subset wins.

    Args:
        sizes: Bytes of each member.
        weights: Weight of each member.
        limit_bytes: Maximum total bytes.

    Returns:
        Names of the members in the order of `sizes`.
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
