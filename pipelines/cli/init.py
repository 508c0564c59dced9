"""`yt8m init`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli.options import Place
from pipelines.cli.quiet_import import import_quietly
from pipelines.init import FIRST, RECIPE
from pipelines.init.shards import find_shards
from yt8m.errors import ConfigError
from yt8m.words import count

if TYPE_CHECKING:
    from pipelines.init.survey import Survey
    from pipelines.init.write import Recipes

# Patterns of a side to print.
MAX_PATTERNS = 5

_USE_OF_TEST = {
    True: "are for the exported model of the full run, which is measured on them once.",
    False: "are not used, because they have no labels. `yt8m predict` reads them.",
}


@click.command()
@click.argument("folder", type=Place(written=True, path_type=Path), metavar="DIR")
@click.argument("more", nargs=-1, metavar="[GLOB...]")
@click.option(
    "--data",
    "places",
    required=True,
    multiple=True,
    metavar="GLOB...",
    help="Shards: a folder, for instance one that `yt8m data import` wrote, or glob patterns.",
)
@click.option("--overwrite", is_flag=True, help="Replace the recipes that are in DIR.")
def init(folder: Path, more: tuple[str, ...], places: tuple[str, ...], overwrite: bool) -> None:
    """Write recipes for your own shards into DIR.

    Looks at the shards, and writes recipe.yaml, with models and trainings that suit the number of videos and classes,
    and first.yaml, a first run that takes minutes on two cores. Comments in the recipes say why every number is what
    it is. Which shards are for training and which are held out is read from their names (train..., validate...,
    test...); of shards with other names, a fifth is held out.
    """
    _check_folder(folder, overwrite=overwrite)
    shards = find_shards([*places, *more])
    import_quietly("tensorflow")
    import_quietly("keras")
    from pipelines.init.doubts import find_doubts
    from pipelines.init.survey import survey
    from pipelines.init.write import write_recipes

    found = survey(shards)
    doubts = list(find_doubts(found))
    recipes = write_recipes(found, folder)
    _show(found, recipes)
    for doubt in (*doubts, *_doubts_about_division(recipes)):
        click.echo(f"Warning: {doubt}", err=True)


def _doubts_about_division(recipes: "Recipes") -> Iterator[str]:
    """Yield a sentence for the recipes whose hold-out cannot be divided."""
    drafts = [written.draft for written in (recipes.first, recipes.full) if written.draft.indivisible]
    if drafts:
        names = " and ".join(each.path.name for each in drafts)
        yield (
            "The hold-out cannot be divided into videos that decide and videos that give the figures: "
            f"{drafts[-1].indivisible}. So data.report_share is 0 in {names}: the same videos do both, and the figures "
            "are a little too good."
        )


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check that recipes can be written into a folder.

    Raises:
        ConfigError: It is no folder and cannot become one, or it has recipes that may not be replaced.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(
            f"DIR: expected a folder on this machine, received '{folder}', which is a file. Give another folder."
        )
    for path in (folder / RECIPE, folder / FIRST):
        if path.is_dir():
            raise ConfigError(f"{path}: a folder, where a recipe is to be. Give another folder.")
        if path.exists() and not overwrite:
            raise ConfigError(f"{path}: exists already. Give another folder, or --overwrite to replace your recipes.")


def _show(survey: "Survey", recipes: "Recipes") -> None:
    """Print what the shards hold, what was written, and the two commands to go on with."""
    from pipelines.graph.planner import make_plan
    from pipelines.init.duration import describe_time
    from pipelines.init.recipes import describe_data

    click.echo(f"Data: {describe_data(survey)}")
    for name, side in survey.sides.items():
        about = "" if side.counted else "about "
        title = "videos without labels, for `yt8m predict`" if name == "unlabeled" else name
        click.echo(f"  {title}: {about}{count(side.videos, 'video')} in {count(len(side.shards.uris), 'shard')}")
        for pattern in side.shards.patterns[:MAX_PATTERNS]:
            click.echo(f"    {pattern}")
    first, full = recipes.first, recipes.full
    scale = full.draft.scale
    if "training" not in survey.sides:
        click.echo(
            f"  Their names do not divide them into training and validation. {scale.holdout_shards} of "
            f"{full.draft.holdout_of:,}, chosen at random, are held out: {count(scale.holdout_videos, 'video')}."
        )
    if "test" in survey.sides:
        click.echo(f"  The test shards {_USE_OF_TEST[survey.can_test]}")
    for written, what in ((first, "a first run"), (full, "all videos")):
        models = ", ".join(written.recipe.models())
        click.echo(f"Wrote {written.draft.path}: {what}; {models}")
    if first.draft.sampled:
        click.echo(f"Wrote {first.draft.path.parent / 'sample'}: videos of the first run, copied from your shards")
    videos = first.draft.scale.training_videos + first.draft.scale.holdout_videos
    click.echo(f"\nStart with {videos:,} videos, {describe_time(first.seconds)}:\n  {first.draft.command}")
    click.echo(f"Then train everything, {describe_time(full.seconds)}:\n  {full.draft.command}")
    click.echo(
        "Times are computed from the models' arithmetic, rates measured on two cores, and the starts of "
        f"{len(make_plan(first.recipe).nodes)} and {len(make_plan(full.recipe).nodes)} steps."
    )
