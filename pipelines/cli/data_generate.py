"""`yt8m data generate`."""

from pathlib import Path

import click


@click.command()
@click.option("--out", required=True, metavar="DIR", help="Folder for the shards; continued if it was interrupted.")
@click.option(
    "--preset",
    type=click.Choice(["smoke", "demo", "yt8m"]),
    help="smoke: tests; demo: minutes of training; yt8m: the original.  [default: yt8m with --means, else demo]",
)
@click.option("--videos", type=int, metavar="N", help="Videos in all.  [default: the preset's]")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option("--means", metavar="FILE.npz", help="Build frames around the means, labels and lengths of real videos.")
@click.option("--max-frames", type=int, metavar="N", help="Longest video in frames.  [default: the preset's]")
@click.option(
    "--missing-share", type=float, metavar="SHARE", help="Labels of made-up videos that are forgotten.  [default: 0.2]"
)
@click.option("--validation-share", type=float, metavar="SHARE", help="Videos for validation.  [default: 0.2]")
@click.option("--test-share", type=float, metavar="SHARE", help="Videos in shards without labels.  [default: 0.05]")
@click.option("--videos-per-shard", type=int, metavar="N", help="Videos in a training shard.  [default: the preset's]")
@click.option("--threads", type=int, metavar="N", help="Shards written at a time.  [default: one per core]")
def generate(out: str, **options: str | float | None) -> None:
    """Make videos in YouTube-8M's format.

    Made up, with something to find for every family of models, or around the means of real videos (--means).
    """
    from yt8m.stages.generate import GenerateConfig, generate, globs

    given = {name: value for name, value in options.items() if value is not None}
    folder = out if "://" in out else str(Path(out).absolute())
    result = generate(config=GenerateConfig.parse(given, "data generate"), output_uri=folder)
    dataset = result.details["dataset"]
    spec, videos, shards = dataset["data"], dataset["videos"], dataset["shards"]
    features = " + ".join(f"{name} {size}" for name, size in spec["features"].items())
    click.echo(f"{folder}: {features} features, {spec['num_classes']} classes, up to {spec['max_frames']} frames")
    for split in videos:
        click.echo(f"  {split}: {videos[split]} videos in {shards[split]} shards")
    if result.metrics["videos_made_before"] == result.metrics["videos"]:
        click.echo("  already complete: nothing was done")
    for split, pattern in zip(("training", "validation"), globs(folder), strict=True):
        click.echo(f"{split}: {pattern}")
