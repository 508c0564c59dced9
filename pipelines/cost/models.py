"""Size and arithmetic of a recipe's models, known before any of them is built."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.recipe.schema import Recipe
from yt8m.models.flops import ModelFlops, count_flops
from yt8m.training.auto.rules import resolve_threshold_elements

# Bits of a weight that are assumed where they are chosen for each variable.
AUTO_BITS = 4
# Bits in which models are compared, whether a recipe offers them or not: the paper's, and what suffices for most.
COMPARED_BITS = (8, 4)


@dataclass(frozen=True)
class ModelEstimate:
    """Size and arithmetic of one model.

    Attributes:
        flops: Its weights and floating-point operations.
        size_bytes: Its bytes in each size in which the recipe offers it. Those of `auto` are unknown before the
            training; it is counted as if it had 4 bits.
        compared_bytes: Its bytes in each of `COMPARED_BITS`, by the name of the size.
    """

    flops: ModelFlops
    size_bytes: Mapping[str, int]
    compared_bytes: Mapping[str, int]

    @property
    def quantized_bytes(self) -> int:
        """Its bytes in the largest size."""
        return max(self.size_bytes.values())

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return self.flops.size.parameters


def estimate_models(recipe: Recipe) -> dict[str, ModelEstimate]:
    """Estimate all models of a recipe, by name, without creating their weights."""
    spec, models, quantization = recipe.data.resolve_spec(), recipe.models(), recipe.quantization
    threshold = resolve_threshold_elements(quantization.threshold_elements, spec).value
    # Most students share a candidate's configuration, so each distinct one is counted only once.
    configs = {model.model.model_dump_json(): model.model for model in models.values()}
    counted = {key: count_flops(config, spec) for key, config in configs.items()}
    estimates = {}
    for name, model in models.items():
        flops = counted[model.model.model_dump_json()]
        sizes = {
            size: flops.size.quantized_bytes(AUTO_BITS if bits == "auto" else bits, threshold)
            for size, bits in quantization.sizes.items()
        }
        compared = {str(bits): flops.size.quantized_bytes(bits, threshold) for bits in COMPARED_BITS}
        estimates[name] = ModelEstimate(flops, sizes, compared)
    return estimates
