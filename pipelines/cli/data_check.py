"""`yt8m data check`."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.cli.quiet_import import import_quietly
from yt8m.data.format import DataSpec
from yt8m.data.partition import list_shards
from yt8m.data.synthetic.description import DatasetDescription
from yt8m.errors import DataError

if TYPE_CHECKING:
    from yt8m.data.check_report import CheckReport, Distribution

MAX_SHOWN = 20


@click.command()
@click.argument("globs", nargs=-1, required=True, metavar="GLOB...")
@click.option("--features", metavar="NAME=SIZE,...", help="Frame features, for instance rgb=1024,audio=128.")
@click.option("--classes", type=int, metavar="N", help="Number of classes.")
@click.option("--max-frames", type=int, metavar="N", help="Frames that are used of a video.")
@click.option("--json", "as_json", is_flag=True, help="Everything, for programs.")
def check(globs: tuple[str, ...], as_json: bool, **options: str | int | None) -> None:
    """Tell what is in the shards that match GLOB...: videos, frames, labels, bytes, and what is wrong with them.

    What is expected is YouTube-8M, or what a generated data set says of itself (dataset.json beside its
    shards), unless options say otherwise. Exit code 1: damaged shards or bad records were found.
    """
    uris = list_shards("GLOB", globs)
    spec = _spec(uris, options)
    import_quietly("tensorflow")
    from yt8m.data.check import check_shards

    report = check_shards(uris, spec)
    if as_json:
        click.echo(report.model_dump_json(indent=1))
    else:
        _show(report, Console())
    sys.exit(0 if report.healthy else 1)


def _spec(uris: list[str], options: dict[str, Any]) -> DataSpec:
    """What is expected of all shards: one description of data, or options that say it."""
    given = {"num_classes": options["classes"], "max_frames": options["max_frames"]}
    if options["features"]:
        given["features"] = _features(options["features"])
    changes = {name: value for name, value in given.items() if value is not None}
    folders = {uri.rpartition("/")[0]: uri for uri in uris}
    specs = {folder: DataSpec.parse(_described(uri) | changes, "data check") for folder, uri in folders.items()}
    (first, spec), *others = specs.items()
    for folder, other in others:
        if other != spec:
            raise DataError(
                f"GLOB: {first} and {folder} hold different data ({_difference(spec, other)}). Check one after the "
                "other, or say with --features, --classes and --max-frames what to expect of both."
            )
    return spec


def _difference(first: DataSpec, second: DataSpec) -> str:
    one, other = first.model_dump(), second.model_dump()
    return "; ".join(f"{name} {one[name]} and {other[name]}" for name in one if one[name] != other[name])


def _described(uri: str) -> dict[str, Any]:
    """What a generated data set says of its videos; nothing about others."""
    description = DatasetDescription.of_shard(uri)
    return description.data.model_dump() if description else {}


def _features(text: str) -> dict[str, int]:
    features = {}
    for part in text.split(","):
        name, _, size = part.partition("=")
        if not name or not size.isdecimal():
            raise DataError(f"--features: '{part}' is not NAME=SIZE. Write for instance rgb=1024,audio=128.")
        features[name] = int(size)
    return features


def _show(report: "CheckReport", console: Console) -> None:
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in _rows(report):
        table.add_row(name, escape(value))
    console.print(table)
    _list(console, "Damaged shards", [str(shard) for shard in report.damaged_shards], len(report.damaged_shards))
    _list(console, "Bad records", [str(record) for record in report.bad_records], report.num_bad_records)
    duplicates = [f"{each.id}: {', '.join(each.shards)}" for each in report.duplicate_ids]
    _list(console, "Duplicate ids", duplicates, report.num_duplicate_ids)
    if report.healthy:
        console.print("[green]Every record of every shard is a usable video.[/]")


def _rows(report: "CheckReport") -> list[tuple[str, str]]:
    unseen = report.unseen_classes
    classes = report.spec.num_classes
    few = f": {', '.join(map(str, unseen))}" if 0 < len(unseen) <= MAX_SHOWN else ""
    labels = f"{report.labels:,}"
    if report.labels:
        labels += f", from {report.smallest_label} to {report.largest_label}"
    rows = [
        ("shards", f"{report.shards:,} ({report.size_bytes:,} bytes), {len(report.damaged_shards)} damaged"),
        ("videos", f"{report.videos:,}, besides {report.num_bad_records:,} bad records"),
        *_distribution("frames per video", report.frames),
        ("videos to be cut", f"{report.videos_to_be_cut:,} with more than {report.spec.max_frames} frames"),
        ("labels", labels),
        *_distribution("labels per video", report.labels_per_video),
        ("unlabelled videos", f"{report.unlabelled_videos:,}"),
        ("classes never seen", f"{len(unseen):,} of {classes:,}{few}"),
        ("duplicate ids", f"{report.num_duplicate_ids:,}"),
    ]
    for name, found in report.features.items():
        text = "no bytes"
        if found:
            text = (
                f"{found.minimum} to {found.maximum}, mean {found.mean:.1f}, sd {found.standard_deviation:.1f}, "
                f"{found.saturated_share:.1%} saturated; mean value {found.value_mean:.3f}"
            )
        rows.append((f"bytes of {name}", text))
    return rows


def _distribution(name: str, found: "Distribution | None") -> Iterator[tuple[str, str]]:
    if not found:
        yield name, "none"
        return
    yield name, f"{found.minimum} to {found.maximum}, mean {found.mean:.1f}"
    yield f"  percentiles {'/'.join(found.percentiles)}", "/".join(f"{value:g}" for value in found.percentiles.values())


def _list(console: Console, title: str, lines: list[str], total: int) -> None:
    if not lines:
        return
    console.print(f"\n[bold]{title}[/] ({total:,})")
    for line in lines[:MAX_SHOWN]:
        console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
    if total > MAX_SHOWN:
        console.print(f"  ... and {total - MAX_SHOWN:,} more")
