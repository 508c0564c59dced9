"""`yt8m data`: generation, checks and division of shards."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.cli.data_import import import_command
from pipelines.cli.options import Place, layout_option
from pipelines.cli.quiet_import import import_quietly
from yt8m import storage
from yt8m.errors import DataError
from yt8m.words import count

if TYPE_CHECKING:
    from yt8m.data.checking.report import CheckReport
    from yt8m.data.format import DataSpec
    from yt8m.data.vocabulary.names import ClassNames

MAX_SHOWN = 20
# Shards of videos with the same id.
MAX_SHOWN_SHARDS = 3


@click.group()
def data() -> None:
    """Import, generate, check or divide shards."""


data.add_command(import_command)


@data.command()
@click.option(
    "--out",
    required=True,
    type=Place(remote=True, written=True, file_okay=False),
    metavar="DIR",
    help="Folder or URI for the shards. An interrupted data set is completed.",
)
@click.option(
    "--preset",
    type=click.Choice(["smoke", "demo", "yt8m"]),
    help="Sizes: smoke for tests, demo for minutes of training, yt8m as the original.  "
    "[default: yt8m with --means, else demo]",
)
@click.option("--videos", type=int, metavar="N", help="Total number of videos.  [default: the preset's]")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed; the same seed gives the same bytes.")
@click.option("--means", metavar="FILE.npz", help="Build frames around the means, labels and lengths of real videos.")
@click.option(
    "--max-frames", type=int, metavar="N", help="Maximum number of frames per video.  [default: the preset's]"
)
def generate(out: str, **options: str | int | None) -> None:
    """Generate videos in YouTube-8M's format.

    The videos are synthetic, with a signal for every model architecture to learn, or built around the means of real
    videos (--means).
    """
    from yt8m.stages.generate import GenerateConfig, generate, globs

    given = {name: value for name, value in options.items() if value is not None}
    folder = out if "://" in out else str(Path(out).absolute())
    result = generate(config=GenerateConfig.parse(given, "data generate"), output_uri=folder)
    dataset = result.details["dataset"]
    spec, videos, shards = dataset["data"], dataset["videos"], dataset["shards"]
    sizes = " + ".join(f"{name}: {size:,}" for name, size in spec["features"].items())
    classes, frames = count(spec["num_classes"], "class", "classes"), count(spec["max_frames"], "frame")
    click.echo(f"{folder}: {sizes} values per frame, {classes}, up to {frames}")
    for split in videos:
        click.echo(f"  {split}: {count(videos[split], 'video')} in {count(shards[split], 'shard')}")
    if result.metrics["videos_made_before"] == result.metrics["videos"]:
        click.echo("  already complete: nothing was written")
    for split, pattern in zip(("training", "validation"), globs(folder), strict=True):
        click.echo(f"{split}: {pattern}")


@data.command()
@click.argument("patterns", nargs=-1, required=True, metavar="GLOB...")
@click.option("--features", metavar="NAME=SIZE,...", help="Expected frame features, for instance rgb=1024,audio=128.")
@click.option("--classes", type=int, metavar="N", help="Expected number of classes.")
@click.option(
    "--max-frames", type=int, metavar="N", help="Maximum number of frames per video; longer videos are truncated."
)
@layout_option
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def check(patterns: tuple[str, ...], as_json: bool, **options: str | int | dict[str, str] | None) -> None:
    """Check shards and list every damaged shard and bad record.

    The report counts the videos, frames, labels and bytes of all shards that match GLOB. The expected features and
    classes are those of YouTube-8M, or those that dataset.json beside the shards describes, unless the
    options say otherwise. Exit code 1 means that damaged shards, bad records or ids of several videos were found.

    GLOB is a path, or a pattern in quotes: "videos/*.tfrecord". A path that exists is taken as it is, and leading
    folders that exist are names, even with brackets. In the rest, [[] stands for a [.
    """
    from yt8m.data.partition import list_shards

    uris = list_shards("GLOB", patterns)
    spec = _expected_spec(uris, options)
    import_quietly("tensorflow")
    from yt8m.data.checking.check import check_shards
    from yt8m.data.vocabulary.names import ClassNames

    report = check_shards(uris, spec)
    if as_json:
        click.echo(report.model_dump_json(indent=1))
    else:
        _show(report, ClassNames.of_shards(uris, spec.num_classes), Console())
    sys.exit(0 if report.healthy and not report.num_duplicate_ids else 1)


@data.command()
@click.argument("patterns", nargs=-1, required=True, metavar="GLOB...")
@click.option(
    "--out",
    required=True,
    type=Place(remote=True, written=True, file_okay=False),
    metavar="DIR",
    help="Folder or URI for the new shards, without shards yet.",
)
@click.option(
    "--shards",
    type=int,
    metavar="N",
    help="Number of shards to write.  [default: 10, or one per video if fewer]",
)
def split(patterns: tuple[str, ...], out: str, shards: int | None) -> None:
    """Divide the videos of shards among N shards of equal size, so that some of them can be held out.

    The hold-out of a recipe consists of whole shards. This command makes several of one, with the same records.
    """
    from yt8m.data.division import divide_shards
    from yt8m.data.partition import list_shards

    folder = out if "://" in out else str(Path(out).absolute())
    uris = list_shards("GLOB", patterns)
    import_quietly("tensorflow")
    done = divide_shards(uris, folder, shards)
    click.echo(f"{done.pattern}: {count(done.videos, 'video')} in {count(done.shards, 'shard')}")
    for doubt in done.doubts:
        click.echo(f"Warning: {doubt}", err=True)
    listed = json.dumps([done.pattern], ensure_ascii=False)
    click.echo(f"In a recipe: data: {{validation: {listed}, holdout_shards: {max(1, done.shards // 5)}}}")


def _expected_spec(uris: Sequence[str], options: dict[str, Any]) -> "DataSpec":
    """Return the features and classes to expect of all shards: from their data set's description and the options."""
    from yt8m.data.description import DatasetDescription, complete
    from yt8m.data.format import DataSpec

    given = {"num_classes": options["classes"], "max_frames": options["max_frames"]}
    if options["features"]:
        given["features"] = _parse_features(options["features"])
    if options["layout"]:
        given["layout"] = options["layout"]
    changes = {name: value for name, value in given.items() if value is not None}
    specs = {}
    for folder in dict.fromkeys(map(storage.folder_of, uris)):
        description = DatasetDescription.in_folder(folder)
        expected = complete(changes, description.data) if description else changes
        specs[folder] = DataSpec.parse(expected, "data check")
    (first, spec), *others = specs.items()
    for folder, other in others:
        if other != spec:
            one, two = spec.model_dump(), other.model_dump()
            difference = "; ".join(f"{name} {one[name]} and {two[name]}" for name in one if one[name] != two[name])
            raise DataError(
                f"GLOB: {first} and {folder} hold different data ({difference}). Check them separately, or give what "
                "to expect of both: --features, --classes, --max-frames and --layout."
            )
    return spec


def _parse_features(text: str) -> dict[str, int]:
    features: dict[str, int] = {}
    for part in text.split(","):
        name, _, size = part.rpartition("=")
        if not name or not size.isdecimal():
            raise DataError(f"--features: '{part}' is not NAME=SIZE. Write for instance rgb=1024,audio=128.")
        if name in features:
            raise DataError(f"--features: '{name}' is given twice, with {features[name]} and {size}. Give it once.")
        features[name] = int(size)
    return features


def _show(report: "CheckReport", names: "ClassNames", console: Console) -> None:
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in report.summary(names):
        table.add_row(escape(name), escape(value))
    console.print(table)
    _list(console, "Damaged shards", [str(shard) for shard in report.damaged_shards], len(report.damaged_shards))
    _list(console, "Bad records", [str(record) for record in report.bad_records], report.num_bad_records)
    if report.diagnosis:
        console.print(f"\n{escape(report.diagnosis)}", soft_wrap=True, highlight=False)
    for doubt in report.doubts:
        console.print(f"\nWarning: {escape(doubt)}", soft_wrap=True, highlight=False)
    duplicates = [f"{each.id}: {_shorten(each.shards)}" for each in report.duplicate_ids]
    _list(console, "Duplicate ids", duplicates, report.num_duplicate_ids)
    usable = "Every record of every shard is a usable video"
    if report.healthy and report.num_duplicate_ids:
        console.print(
            f"[yellow]{usable}, but several videos have the same id (such ids: {report.num_duplicate_ids:,}): a copy "
            "in the training shards makes a hold-out video worthless. Remove the copies. If these are different "
            "videos, give each an id of its own.[/]"
        )
    elif report.healthy and not report.labels:
        console.print(f"[yellow]{usable}, but none has a label: they serve for predictions, not for training.[/]")
    elif report.healthy and (report.doubts or report.diagnosis):
        console.print(f"[yellow]{usable}, but see the warnings.[/]")
    elif report.healthy:
        console.print(f"[green]{usable}.[/]")


def _shorten(shards: Sequence[str]) -> str:
    """List the shards of videos with the same id, the first of them with their number of videos."""
    counts = Counter(shards)
    listed = [f"{uri} ({count:,} videos)" if count > 1 else uri for uri, count in counts.items()]
    more = f" and {len(listed) - MAX_SHOWN_SHARDS:,} more" if len(listed) > MAX_SHOWN_SHARDS else ""
    return f"{', '.join(listed[:MAX_SHOWN_SHARDS])}{more}"


def _list(console: Console, title: str, lines: list[str], total: int) -> None:
    if not lines:
        return
    console.print(f"\n[bold]{title}[/] ({total:,})")
    for line in lines[:MAX_SHOWN]:
        console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
    if total > MAX_SHOWN:
        console.print(f"  ... and {total - MAX_SHOWN:,} more")
