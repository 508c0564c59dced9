"""`yt8m data import`: your own videos as shards in YouTube-8M's format."""

import json
import shlex
import signal
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from pipelines.cli.format import say
from pipelines.cli.options import Place
from yt8m.errors import DataError
from yt8m.storage.local import local_path

if TYPE_CHECKING:
    from yt8m.data.importing.report import ImportReport

# Options that name columns which a file of labels may have instead of the source.
_PER_VIDEO = ("--group-column", "--weight-column")
EPILOG = """\b
Examples:
  One array (frames, size) per video, in two folders; labels as names:
    yt8m data import rgb=features/rgb audio=features/audio --labels labels.csv --out shards
  One array (videos, size) or (videos, frames, size), with the ids in another file:
    yt8m data import rgb=all_videos.npy --ids ids.txt --labels labels.csv --out shards
  Archives .npz with an array per feature:
    yt8m data import "videos/*.npz" --labels labels.json --out shards
  Parquet or CSV, a row per video or (with a column of frame numbers) per frame:
    yt8m data import videos.parquet --labels-column tags --group-column channel --out shards
    yt8m data import frames.csv --id-column clip --frame-column t --labels labels.csv --out shards
  HDF5, a group per video or stacked data sets:
    yt8m data import features.h5 --labels labels.csv --out shards
  New videos for a model that was trained on an imported data set:
    yt8m data import "new/*.npy" --like shards --out new-shards
"""


class _Shares(click.ParamType[dict[str, float]]):
    """Shares of sides, `NAME=SHARE,...`, as a dictionary."""

    name = "NAME=SHARE,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, float]:
        """Split a text at its commas."""
        if isinstance(value, dict):
            return value
        shares: dict[str, float] = {}
        for part in str(value).split(","):
            name, _, text = part.partition("=")
            try:
                share = float(text)
            except ValueError:
                self.fail(
                    f"'{part}' is not NAME=SHARE. Write for instance train=0.8,validate=0.1,test=0.1.", param, ctx
                )
            if (side := name.strip()) in shares:
                self.fail(f"'{side}' is given twice, with {shares[side]:g} and {share:g}. Give it once.", param, ctx)
            shares[side] = share
        return shares


class _Range(click.ParamType[tuple[str, float, float]]):
    """The range of a feature, `NAME=LOW,HIGH`, as a tuple."""

    name = "NAME=LOW,HIGH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float, float]:
        """Split a text at its last equals sign, because names may have more."""
        if isinstance(value, tuple):
            return value
        name, _, limits = str(value).rpartition("=")
        low, _, high = limits.partition(",")
        try:
            return name, float(low), float(high)
        except ValueError:
            self.fail(f"'{value}' is not NAME=LOW,HIGH. Write for instance rgb=-2,2.", param, ctx)


def _source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how to read the files, as in `SourceOptions`."""
    column = "Column, array or data set"
    options = (
        click.option(
            "--layout",
            type=click.Choice(["auto", "file", "row", "frame"]),
            default="auto",
            show_default=True,
            help="What is one video: a file (or group of HDF5), a row, or consecutive rows of frames.",
        ),
        click.option(
            "--feature",
            "features",
            multiple=True,
            metavar="NAME",
            help="Feature to import; may be repeated, in the order to keep.  [default: all]",
        ),
        click.option(
            "--id-column",
            metavar="NAME",
            help=f"{column} with the ids, in SOURCE and --labels.  [default: id, video_id, ...]",
        ),
        click.option(
            "--ids",
            type=Place(remote=True),
            metavar="FILE",
            help="Ids of the rows of stacked arrays: a text file, or .npy.",
        ),
        click.option("--frame-column", metavar="NAME", help="Column with the number or time of a frame."),
        click.option("--labels-column", metavar="NAME", help=f"{column} with the labels, in SOURCE or --labels."),
        click.option(
            "--group-column",
            metavar="NAME",
            help=f"{column} with a group that stays on one side, in SOURCE or --labels.  [default: group]",
        ),
        click.option(
            "--weight-column",
            metavar="NAME",
            help=f"{column} with the factor of a video's loss in training, in SOURCE or --labels.  [default: none]",
        ),
        click.option(
            "--label-form",
            type=click.Choice(["auto", "numbers", "names", "multi_hot"]),
            default="auto",
            show_default=True,
            help="Form of labels: class numbers, names, or a 0 or 1 per class.",
        ),
        click.option("--label-separator", metavar="TEXT", help="Text between the labels of a cell.  [default: | or ;]"),
        click.option(
            "--uint8",
            type=click.Choice(["refuse", "quantized", "values"]),
            default="refuse",
            show_default=True,
            help="Meaning of features stored as bytes: YouTube-8M's quantized values, or numbers from 0 to 255.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("import", epilog=EPILOG)
@click.argument("paths", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--out", required=True, type=Place(remote=True), metavar="DIR", help="New folder or URI for the shards.")
@click.option(
    "--labels",
    type=Place(remote=True),
    metavar="FILE",
    help="CSV, Parquet or JSON file with id and labels, names or numbers.",
)
@click.option(
    "--vocabulary",
    type=Place(remote=True),
    metavar="FILE",
    help="Names of the classes: CSV, or one per line.  [default: from labels]",
)
@click.option("--classes", type=int, metavar="N", help="Number of classes.  [default: from labels or vocabulary]")
@click.option(
    "--like",
    type=Place(remote=True),
    metavar="DIR",
    help="Use features, ranges, classes and vocabulary of another imported data set.",
)
@click.option(
    "--split",
    type=_Shares(),
    help="Shares of the sides.  [default: train=0.8,validate=0.1,test=0.1; test=1 without labels]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the split and of the order.")
@click.option(
    "--range",
    "ranges",
    type=_Range(),
    multiple=True,
    help="Range that the bytes of a feature cover; may be repeated.  [default: between percentiles 0.05 and 99.95]",
)
@click.option("--max-frames", type=int, metavar="N", help="Cut videos after N frames.  [default: longest video]")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@_source_options
def import_command(
    paths: tuple[str, ...],
    out: str,
    labels: str | None,
    ranges: tuple[tuple[str, float, float], ...],
    *,
    dry_run: bool,
    **options: Any,
) -> None:
    """Write your own videos as shards for training.

    SOURCE are files, folders or patterns of .npy, .npz, Parquet, CSV or HDF5 files. NAME=SOURCE gives the files of one
    feature. Floats are quantized to bytes within a range per feature, which dataset.json keeps. The videos are divided
    by labels, or by group, into train, validate and test shards; the same seed gives the same bytes. If some videos
    have no label, they are in unlabeled-test shards: for predictions (yt8m predict), not for training. DIR appears with
    all its files or not at all.
    """
    from yt8m.data.importing.dataset import import_dataset
    from yt8m.data.importing.labels import read_label_file
    from yt8m.data.importing.options import MissingColumnError
    from yt8m.data.importing.readers.csv_header import some
    from yt8m.data.importing.source import SourceOptions, open_source
    from yt8m.data.importing.target import ImportConfig, Target

    given = {name: value for name, value in options.items() if value is not None}
    reading = {name: given.pop(name) for name in SourceOptions.model_fields if name in given}
    folder = out if "://" in out else str(local_path(out))
    limits: dict[str, tuple[float, float]] = {}
    for name, low, high in ranges:
        if name in limits:
            raise DataError(f"--range: '{name}' is given twice, with {limits[name]} and {(low, high)}. Give it once.")
        limits[name] = (low, high)
    config = ImportConfig.parse(given | {"sources": paths, "ranges": limits}, "data import")
    target = Target.of(config)
    tables = read_label_file(labels, reading, target.vocabulary) if labels else None
    columns = tables.columns if tables else ()
    source_options = SourceOptions.parse(reading, "data import")
    try:
        source = open_source(paths, source_options, target.vocabulary)
    except DataError as error:
        if isinstance(error, MissingColumnError) and error.option in _PER_VIDEO and columns:
            raise DataError(f"{error} {labels} has none of this name, either, but: {some(columns)}.") from None
        if source_options.id_column not in columns:
            raise
        # The column may be one of the labels' file alone.
        source_options = source_options.model_copy(update={"id_column": ""})
        source = open_source(paths, source_options, target.vocabulary)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing is left
    try:
        report = import_dataset(
            source,
            tables.labels if tables else None,
            config,
            folder,
            dry_run=dry_run,
            target=target,
            groups=tables.groups if tables else None,
            weights=tables.weights if tables else None,
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    _show(report, folder, dry_run=dry_run)


def _show(report: "ImportReport", folder: str, *, dry_run: bool) -> None:
    console = Console()
    lines = list(report.summary())
    width = max(len(name) for name, _ in lines)
    say(console, f"{folder}:")
    for name, text in lines:
        say(console, f"  {name:{width}}  {text}")
    for line in report.warnings():
        say(console, f"Warning: {line}")
    if report.was_complete:
        say(console, "already complete: nothing was written")
    if dry_run:
        say(console, "dry run: nothing was written")
        return
    for line in _next_steps(report, folder):
        say(console, line)


def _next_steps(report: "ImportReport", folder: str) -> Iterable[str]:
    """Yield the commands to go on with, and the section of the recipe."""
    from yt8m.yaml_files import dump_line

    description = report.description
    shards = shlex.quote(f"{folder}/*.tfrecord")
    yield f"\nyt8m data check {shards}"
    if not {"train", "validate"} & description.videos.keys():
        yield f"yt8m predict --model MODEL --input {shards} --output predictions.parquet"
        return
    if not {"train", "validate"} <= description.videos.keys():
        return
    yield f"yt8m init EXPERIMENT --data {shards}"
    spec = description.data.model_dump(mode="json", exclude={"layout"})
    yield "\ndata:"
    for side, split in (("training", "train"), ("validation", "validate")):
        yield f"  {side}: {json.dumps([f'{folder}/{split}*.tfrecord'], ensure_ascii=False)}"
    yield f"  holdout_shards: {description.shards['validate']}"
    if report.one_validation_group:
        yield "  report_share: 0"
    yield f"  spec: {dump_line(spec)}"
