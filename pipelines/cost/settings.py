"""The settings of a recipe that depend on its data, with the values that the steps will find."""

from pipelines.recipe.schema import Recipe
from yt8m.training.auto.rules import resolve_training
from yt8m.training.auto.settings import DataCounts
from yt8m.training.config import ResolvedTraining


def resolve_trainings(recipe: Recipe, counts: DataCounts) -> dict[str, ResolvedTraining]:
    """Return the training of every model with all its values.

    Args:
        recipe: The recipe.
        counts: Counts of its data.

    Raises:
        ConfigError: A model has a larger batch size than there are training videos.
    """
    resolved = {}
    for name, model in recipe.models().items():
        # Models of other runs are not trained here, so that their batches need not fit.
        changes = {"batch_size": "auto"} if name in recipe.imported else {}
        resolved[name] = resolve_training(model.training.model_copy(update=changes), counts)[0]
    return resolved
