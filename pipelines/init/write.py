"""Choice and writing of the two recipes of a data set: the first run, and the whole experiment."""

from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.init import FIRST, RECIPE
from pipelines.init.holdout import explain_indivisible
from pipelines.init.recipes import Draft, WrittenRecipe
from pipelines.init.sample import FOLDER, write_sample
from pipelines.init.scale import Scale
from pipelines.init.shards import UNUSED
from pipelines.init.survey import Survey
from pipelines.recipe.json_schema import SCHEMA_FILE, schema_text
from yt8m import storage
from yt8m.data.partition import split_shards
from yt8m.data.tfrecord import inspect_framing

# Bounds of the first run: estimated seconds, which leave room for slower machines within 15 minutes; training videos;
# bytes of records to copy.
TARGET_SECONDS = 300.0
_MOST_VIDEOS = 3000
_MOST_BYTES = 600 << 20
# Fewest training videos of a sample.
_LEAST_VIDEOS = 200
# A sample of more than this share of the videos is no shorter than all of them.
_NEARLY_ALL = 0.8


@dataclass(frozen=True)
class Recipes:
    """The recipes of a data set.

    Attributes:
        first: The first run.
        full: The experiment with all videos.
    """

    first: WrittenRecipe
    full: WrittenRecipe


def write_recipes(survey: Survey, folder: Path) -> Recipes:
    """Write the recipes of a data set with their schema, and if it is large a sample for the first run.

    Args:
        survey: What the data set holds.
        folder: Folder of the recipes. Recipes and sample of an earlier call are replaced.

    Raises:
        ConfigError: The folder of the sample has other files.
    """
    scale = Scale.of(survey)
    used = [name for name in survey.sides if name not in UNUSED or (name == "test" and survey.can_test)]
    patterns = {name: survey.sides[name].shards.patterns for name in used}
    shards = len(survey.sides["validation"].shards.uris)
    indivisible = _explain_indivisible(survey, scale)
    full = WrittenRecipe(Draft(survey, scale, patterns, shards, folder / RECIPE, indivisible=indivisible))
    first = _first_run(full.draft, folder)
    texts = {written.draft.path: written.text for written in (first, full)}
    texts[folder / SCHEMA_FILE] = schema_text()
    for path, text in texts.items():
        with storage.open_atomic(path, "w") as file:
            file.write(text)
    return Recipes(first, full)


def _first_run(full: Draft, folder: Path) -> WrittenRecipe:
    """Choose the first run: all videos if they are few, otherwise a sample, which is written."""
    survey, scale = full.survey, full.scale
    # A test that is done twice, the second time after changes because of the first, is none.
    patterns = {name: each for name, each in full.patterns.items() if name != "test"}
    whole = replace(full, path=folder / FIRST, first=True, patterns=patterns)
    share = min(1.0, _MOST_VIDEOS / scale.training_videos, _MOST_BYTES / survey.num_bytes)
    trial = WrittenRecipe(replace(whole, scale=scale.first_run(share)))
    if trial.seconds > TARGET_SECONDS:
        share *= max(TARGET_SECONDS - trial.start_seconds, 0) / (trial.seconds - trial.start_seconds)
    if share > _NEARLY_ALL:
        return WrittenRecipe(replace(whole, scale=scale.first_run(1.0)))
    place = folder / FOLDER
    wanted = scale.first_run(max(share, min(_LEAST_VIDEOS / scale.training_videos, 1.0)))
    copied = write_sample(survey, wanted.training_videos, wanted.holdout_videos, place)
    patterns = {
        name: (str(place.absolute() / f"{side}*.tfrecord"),)
        for name, side in (("training", "train"), ("validation", "validate"))
    }
    held_out = {str(path): inspect_framing(path, verify_payloads=False).records for path in place.glob("validate*")}
    shards = len(held_out)
    sizes = replace(wanted, training_videos=copied["train"], holdout_videos=copied["validate"], holdout_shards=shards)
    sample = replace(whole, scale=sizes, patterns=patterns, holdout_of=shards, sampled=True)
    return WrittenRecipe(replace(sample, indivisible=explain_indivisible(held_out, survey.spec)))


def _explain_indivisible(survey: Survey, scale: Scale) -> str:
    """Tell why the videos that `prepare` will hold out cannot be divided, as far as their shards were opened."""
    training, validation = (
        survey.sides[name].shards.uris if name in survey.sides else () for name in ("training", "validation")
    )
    held_out = set(split_shards(training, validation, scale.holdout_shards, 0)[1])
    records = survey.sides["validation"].records
    return explain_indivisible({uri: number for uri, number in records.items() if uri in held_out}, survey.spec)
