"""`yt8m evaluate`."""

import json
import tempfile
from pathlib import Path
from typing import Literal

import click

from pipelines.cli.options import Place, input_option, layout_option, on_bad_option
from pipelines.cli.quiet_import import import_quietly
from yt8m.predictions import DEFAULT_TOP_K

# Metrics to print, in this order. The baseline is missing because it needs the training videos.
SHOWN = (
    "gap", "map", "hit_at_1", "perr", "accuracy", "balanced_accuracy", "loss", "videos", "bytes", "seconds",
    "videos_per_second",
)  # fmt: skip


@click.command()
@click.option(
    "--model",
    required=True,
    type=Place(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Model folder of a run: trained, quantized or exported.",
)
@input_option
@click.option("--batch-size", type=int, default=128, show_default=True, metavar="N", help="Videos per batch.")
@on_bad_option
@layout_option
@click.option(
    "--predictions",
    type=Place(dir_okay=False, path_type=Path),
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
    layout: dict[str, str],
    predictions: Path | None,
    top_k: int,
    as_json: bool,
) -> None:
    """Evaluate a trained, quantized or exported model on labeled shards."""
    from yt8m.data.description import spec_of_shards
    from yt8m.data.format import RecordLayout
    from yt8m.data.partition import list_shards
    from yt8m.stages.evaluate import EvaluateConfig, spec_of
    from yt8m.stages.evaluate import evaluate as run_stage

    config = EvaluateConfig.parse({"batch_size": batch_size, "top_k": top_k}, "evaluate")
    given = RecordLayout.parse(layout, "--layout")
    import_quietly("tensorflow")
    from yt8m.data.scan import hold_out_all

    with tempfile.TemporaryDirectory(prefix="yt8m-") as folder:
        partition = Path(folder) / "partition.json"
        shards = list_shards("--input", inputs)
        spec = spec_of_shards(spec_of(model), shards, given, classes=True)
        hold_out_all(shards, spec, on_bad).save(partition)
        metrics = run_stage(partition=partition, model=model, config=config, predictions=predictions).metrics
    if as_json:
        click.echo(json.dumps({name: metrics[name] for name in (*SHOWN, "gap_top_k") if name in metrics}))
        return
    for name in SHOWN:
        if name in metrics:
            value, title = metrics[name], f"gap@{metrics['gap_top_k']:.0f}" if name == "gap" else name
            click.echo(f"{title:18} {value:,.0f}" if value == int(value) and value > 1 else f"{title:18} {value:.5f}")
