"""What the members of a recipe's ensemble come to in each size, and how many of them its budget holds."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.cost.models import AUTO_BITS, COMPARED_BITS, ModelEstimate
from pipelines.recipe.schema import Recipe
from yt8m.ensembling.budget import Budget


@dataclass(frozen=True)
class EnsembleSize:
    """All possible members in one size.

    Attributes:
        size: Text of the size: a number of bits, or `auto`.
        offered: Whether the recipe offers the members in it.
        size_bytes: Bytes of all of them together.
        fitting: Number of members of their mean size that the budget holds with their graphs.
    """

    size: str
    offered: bool
    size_bytes: int
    fitting: int


def ensemble_sizes(recipe: Recipe, estimates: Mapping[str, ModelEstimate]) -> list[EnsembleSize]:
    """Add up the members in each size that the recipe offers, and in the paper's 8 bits and the 4 that mostly suffice.

    Members of other runs are counted as if they were offered in the sizes of this recipe.
    """
    members, offered = recipe.members(), recipe.quantization.sizes
    # What `auto` comes to is counted as 4 bits already.
    compared = [str(bits) for bits in COMPARED_BITS if bits != AUTO_BITS or "auto" not in offered]
    found = []
    for size in dict.fromkeys([*offered, *compared]):
        sizes = [{**estimates[name].compared_bytes, **estimates[name].size_bytes}[size] for name in members]
        search = recipe.ensemble.search
        budget = Budget.of(sizes, search.budget_bytes, search.size_margin)
        each = sum(sizes) / len(sizes) + budget.graph_bytes
        found.append(EnsembleSize(size, size in offered, sum(sizes), max(int(budget.limit_bytes / each), 0)))
    return found
