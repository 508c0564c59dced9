"""Size and arithmetic of a recipe's models, known before any of them is built."""

from dataclasses import dataclass

from pipelines.recipe.schema import Recipe
from yt8m.models.flops import ModelFlops, count_flops
from yt8m.training.auto.rules import resolve_threshold_elements


@dataclass(frozen=True)
class ModelEstimate:
    """Size and arithmetic of one model.

    Attributes:
        flops: Its weights and floating-point operations.
        quantized_bytes: Its size after quantization with the recipe's settings.
    """

    flops: ModelFlops
    quantized_bytes: int

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
        estimates[name] = ModelEstimate(flops, flops.size.quantized_bytes(quantization.method, threshold))
    return estimates
