"""`yt8m evaluate`."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pipelines.cli.options import input_option, on_bad_option
from pipelines.cli.quiet_import import import_quietly
from yt8m.errors import DataError
from yt8m.predictions import DEFAULT_TOP_K

if TYPE_CHECKING:
    from yt8m.data.format import DataSpec
    from yt8m.data.partition import Partition

# Metrics to print, in this order. The baseline is missing because it needs the training videos.
SHOWN = ("gap", "map", "hit_at_1", "perr", "loss", "videos", "bytes", "seconds", "videos_per_second")


@click.command()
@click.option(
    "--model",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Model folder of a run: trained, quantized or exported.",
)
@input_option
@click.option("--batch-size", type=int, default=128, show_default=True, metavar="N", help="Videos per batch.")
@on_bad_option
@click.option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File to write the predictions to.",
)
@click.option(
    "--top-k",
    type=int,
    default=DEFAULT_TOP_K,
    show_default=True,
    metavar="K",
    help="Number of classes per video in the predictions.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON.")
def evaluate(  # noqa: PLR0917 click passes them by name
    model: Path,
    inputs: tuple[str, ...],
    batch_size: int,
    on_bad: Literal["skip", "fail"],
    predictions: Path | None,
    top_k: int,
    as_json: bool,
) -> None:
    """Evaluate a trained, quantized or exported model on labeled shards."""
    from yt8m.stages.evaluate import EvaluateConfig
    from yt8m.stages.evaluate import evaluate as run_stage

    config = EvaluateConfig.parse({"batch_size": batch_size, "top_k": top_k}, "evaluate")
    import_quietly("tensorflow")
    with tempfile.TemporaryDirectory(prefix="yt8m-") as folder:
        partition = Path(folder) / "partition.json"
        _all_held_out(inputs, _spec_of(model), on_bad).save(partition)
        found = predictions or Path(folder) / "predictions"
        metrics = run_stage(partition=partition, model=model, config=config, predictions=found).metrics
    if as_json:
        click.echo(json.dumps({name: metrics[name] for name in SHOWN}))
        return
    for name in SHOWN:
        value = metrics[name]
        click.echo(f"{name:18} {value:,.0f}" if value == int(value) and value > 1 else f"{name:18} {value:.5f}")


def _spec_of(model: Path) -> "DataSpec":
    from yt8m.export.description import ExportDescription, is_exported
    from yt8m.models.files import read_description

    return ExportDescription.load(model).data if is_exported(model) else read_description(model).data


def _all_held_out(patterns: tuple[str, ...], spec: "DataSpec", on_bad: Literal["skip", "fail"]) -> "Partition":
    """Return a partition that holds out all shards."""
    from yt8m.data.partition import Partition, list_shards
    from yt8m.data.read_report import ReadReport
    from yt8m.data.scan import scan_shards

    uris = list_shards("--input", patterns)
    scan = scan_shards(uris, spec, on_bad, ReadReport(), "shards")
    if not scan.class_counts.any():
        raise DataError(f"--input: no labeled video in {len(uris)} shards. Give labeled shards, or use `yt8m predict`.")
    counts = tuple(scan.class_counts.tolist())
    return Partition(spec=spec, seed=0, training=(), holdout=scan.shards, class_counts=counts, on_bad=on_bad)
