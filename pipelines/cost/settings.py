"""The settings of a recipe that depend on its data, with the values that the steps will find."""

from collections.abc import Iterator

from pipelines.cost.dataset import DatasetSize
from pipelines.recipe.schema import Recipe
from yt8m.ensembling.budget import resolve_size_margin
from yt8m.errors import ConfigError
from yt8m.records.settings import Setting, SharedSetting, group_settings
from yt8m.training.auto.counts import DataCounts
from yt8m.training.auto.rules import (
    resolve_averaged_steps,
    resolve_ensemble_size,
    resolve_threshold_elements,
    resolve_training,
)
from yt8m.training.config import ResolvedTraining
from yt8m.training.steps import Steps


def resolve_trainings(recipe: Recipe, counts: DataCounts) -> dict[str, ResolvedTraining]:
    """Return the training of every model with all its values.

    Args:
        recipe: The recipe.
        counts: Counts of its data.

    Raises:
        ConfigError: A model has a larger batch size than there are training videos.
    """
    return {name: training for name, (training, _) in _trainings(recipe, counts).items()}


def check_trainings(recipe: Recipe, source: str) -> None:
    """Check that no batch is larger than the training set, if the number of videos is known before the run.

    Raises:
        ConfigError: A batch is larger.
    """
    if dataset := DatasetSize.known(recipe):
        try:
            resolve_trainings(recipe, dataset.counts)
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None


def known_settings(recipe: Recipe, dataset: DatasetSize | None) -> list[SharedSetting]:
    """Return the settings that can be `auto`, with their values as far as they are known before the run.

    Args:
        recipe: The recipe.
        dataset: Its data. None leaves out what depends on the number of videos.

    Returns:
        The settings with their places in the recipe, such as `training.epochs`, and the models or families that have
        them.
    """
    rows = group_settings([*(_of_videos(recipe, dataset) if dataset else ()), *_of_recipe(recipe)])
    order = list(dict.fromkeys(row.key for row in rows))
    return sorted(rows, key=lambda row: order.index(row.key))


def unknown_settings(recipe: Recipe) -> list[str]:
    """Return the settings that are `auto` and depend on the number of videos."""
    keys = [
        f"training.{key}"
        for model in recipe.models().values()
        for key, value in model.training
        if value == "auto" and key != "jit_compile"
    ]
    if recipe.averaging.averaged_steps == "auto" and {*recipe.averages().values()} != {"never"}:
        keys.append("averaging.averaged_steps")
    return list(dict.fromkeys(keys))


def _trainings(recipe: Recipe, counts: DataCounts) -> dict[str, tuple[ResolvedTraining, dict[str, Setting]]]:
    resolved = {}
    for name, model in recipe.models().items():
        # Models of other runs are not trained here, so that their batches need not fit.
        changes = {"batch_size": "auto"} if name in recipe.imported else {}
        try:
            training = model.training.model_copy(update=changes)
            resolved[name] = resolve_training(training, counts, is_warm=name in recipe.starts)
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from None
    return resolved


def _of_videos(recipe: Recipe, dataset: DatasetSize) -> Iterator[tuple[str, Setting, str]]:
    trained = {name: each for name, each in _trainings(recipe, dataset.counts).items() if name not in recipe.imported}
    for name, (_, settings) in trained.items():
        yield from ((f"training.{key}", setting, name) for key, setting in settings.items())
    for name, (training, _) in trained.items():
        if recipe.averages()[name] != "never":
            per_epoch = Steps.of(dataset.training_videos, 1, training.batch_size).steps_per_epoch
            steps = resolve_averaged_steps(recipe.averaging.averaged_steps, per_epoch)
            yield "averaging.averaged_steps", steps, name


def _of_recipe(recipe: Recipe) -> Iterator[tuple[str, Setting, str]]:
    teachers = {student.learn_from for student in recipe.students.values()}
    for name, family in recipe.families.items():
        if name in teachers:
            yield "families.ensemble_size", resolve_ensemble_size(family.ensemble_size, len(family.candidates)), name
    threshold = resolve_threshold_elements(recipe.quantization.threshold_elements, recipe.data.resolve_spec())
    yield "quantization.threshold_elements", threshold, ""
    yield "ensemble.search.size_margin", resolve_size_margin(recipe.ensemble.search.size_margin), ""
