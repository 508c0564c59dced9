"""`yt8m predict`."""

from pathlib import Path

import click

from pipelines.cli.options import Place, input_option, layout_option, on_bad_option
from pipelines.cli.quiet_import import import_quietly
from yt8m.errors import ConfigError
from yt8m.words import count


@click.command()
@click.option(
    "--model", required=True, type=Place(), metavar="DIR", help="Exported model: the folder export/ of a run."
)
@input_option()
@click.option(
    "--output",
    required=True,
    type=Place(remote=True),
    metavar="FILE",
    help="Submission file (.csv), or table with class names (.parquet).",
)
@click.option(
    "--vocabulary",
    type=Place(remote=True),
    metavar="FILE",
    help="Class names for a .parquet file: CSV with columns Index and Name, or a name per line.  "
    "[default: the model's own]",
)
@click.option("--batch-size", type=int, metavar="N", help="Videos per batch.  [default: 128]")
@click.option("--workers", type=int, metavar="N", help="Number of processes on this machine.  [default: 1]")
@click.option(
    "--shard-range",
    metavar="FIRST:LAST",
    help="Predict only shards FIRST (from 0) to LAST (excluded). A final call without this option joins the parts.",
)
@on_bad_option
@layout_option
def predict(
    model: str, inputs: tuple[str, ...], output: str, shard_range: str | None, **options: str | int | dict[str, str]
) -> None:
    """Predict any number of shards: write the challenge's submission file, or a table with class names.

    Call the command again to continue after an interruption.
    """
    from yt8m.stages.predict import PredictConfig, predict

    given: dict[str, object] = {name: value for name, value in options.items() if value is not None}
    if shard_range:
        given["shard_range"] = _range(shard_range)
    import_quietly("tensorflow")
    result = predict(model=Path(model), inputs=inputs, output=output, config=PredictConfig.parse(given, "predict"))
    metrics = {name: int(value) for name, value in result.metrics.items()}
    done = "parts of " if shard_range else ""
    skipped = f"{metrics['bad_records']:,} bad records skipped"
    if metrics["damaged_shards"]:
        missing = f"about {metrics['missing_videos']:,} videos or more are missing after the damage"
        skipped += f"; {metrics['damaged_shards']:,} damaged shards: {missing}"
    videos, shards = count(metrics["videos"], "video"), count(metrics["shards"], "shard")
    before = f"{metrics['resumed_shards']:,} of the shards were complete before"
    click.echo(f"{done}{output}: {videos} of {shards} in {metrics['seconds']} s; {before}; {skipped}")


def _range(text: str) -> list[int]:
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal()):
        raise ConfigError(f"--shard-range: expected FIRST:LAST, for instance 0:100, received '{text}'.")
    return [int(first), int(last)]
