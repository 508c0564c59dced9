"""`yt8m evaluate`."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from pipelines.cli.by_class import check_file, rows_of, show_rows, write_rows
from pipelines.cli.format import say, table_console
from pipelines.cli.options import Place, cluster_options, input_option, layout_option, on_bad_option
from pipelines.cli.quiet_import import import_quietly
from pipelines.cli.run_models import EXPORT, Subject, find_in_run
from pipelines.cluster.access import ClusterAccess
from yt8m.errors import ConfigError
from yt8m.predictions import DEFAULT_TOP_K
from yt8m.words import count

if TYPE_CHECKING:
    from yt8m.data.partition import Partition
    from yt8m.training.holdout import PredictedBatch

# Metrics to print, in this order.
SHOWN = (
    "gap", "gap_low", "gap_high", "map", "hit_at_1", "accuracy", "balanced_accuracy", "perr", "loss", "videos",
    "videos_in_training", "videos_in_select",
    "baseline_gap", "bytes", "seconds", "videos_per_second",
)  # fmt: skip
COUNTS = ("videos", "videos_in_training", "videos_in_select", "bytes")


@click.command()
@click.option(
    "--run",
    metavar="RUN",
    help="Run whose model to evaluate: the --root of a `yt8m run` or, with --host, the id of a run in a cluster.",
)
@click.option(
    "--model",
    type=Place(),
    metavar="NAME|DIR",
    help="With --run: `export`, or the name of a model for its final float weights, or the name of a node for the "
    "weights that it wrote: quantize-NAME for quantized ones, of several sizes the first, and quantize-NAME@4 for "
    "those in 4 bits.  [default: export]  Without --run: a model's folder, trained, quantized or exported.",
)
@input_option(required=False)
@click.option("--batch-size", type=int, default=128, show_default=True, metavar="N", help="Videos per batch.")
@on_bad_option
@layout_option
@click.option(
    "--by-class",
    type=Place(written=True, dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="File to write a row per class to: average precision, and precision and recall at the threshold with the best "
    "F1. The thresholds come from the videos that decide in the run, or from the same videos if there are none.",
)
@click.option(
    "--predictions",
    type=Place(written=True, dir_okay=False, path_type=Path),
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
@click.option(
    "--gap-top-k",
    type=int,
    metavar="K",
    help="Number of the most likely classes per video that count in GAP.  [default: as in the run, else 20]",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@cluster_options
def evaluate(  # noqa: PLR0917 click passes them by name
    access: ClusterAccess,
    run: str | None,
    model: str | None,
    inputs: tuple[str, ...],
    batch_size: int,
    on_bad: Literal["skip", "fail"],
    layout: dict[str, str],
    by_class: Path | None,
    predictions: Path | None,
    top_k: int,
    gap_top_k: int | None,
    as_json: bool,
) -> None:
    """Evaluate a model of a run on the videos that no decision of the run read, or any model on labeled shards.

    With --run, the videos are those of the hold-out's part `report`: nothing in the run was chosen by them. A run with
    `data.report_share: 0` has no such part, and its whole hold-out is taken. --input names other shards, of which all
    videos count. Without --run, --input is required.
    """
    from yt8m.data.format import RecordLayout
    from yt8m.report.warnings.sources import beats_baseline
    from yt8m.stages.evaluate import EvaluateConfig
    from yt8m.stages.evaluate import evaluate as run_stage

    _check_options(run, model, inputs)
    check_file(by_class)
    settings = {"batch_size": batch_size, "top_k": top_k}
    config = EvaluateConfig.parse(settings | ({} if gap_top_k is None else {"gap_top_k": gap_top_k}), "evaluate")
    given = RecordLayout.parse(layout, "--layout")
    with tempfile.TemporaryDirectory(prefix="yt8m-") as name:
        folder = Path(name)
        subject = Subject.of_folder(model or "") if run is None else find_in_run(run, model or EXPORT, access, folder)
        if gap_top_k is None:
            config = config.model_copy(update={"gap_top_k": subject.gap_top_k})
        if not inputs:
            subject.check_shards()
        import_quietly("tensorflow")
        measured = _measured(subject, inputs, given, on_bad)
        compared = subject.compare_with_run(measured) if inputs and subject.partition else None
        collected = _Collected(measured, bool(inputs), subject.partition) if by_class else None

        def stage(partition: "Partition", predictions: Path | None, **options: Any) -> Any:
            partition.save(folder / "partition.json")
            return run_stage(
                partition=folder / "partition.json",
                model=subject.model,
                config=config,
                predictions=predictions,
                **options,
            )

        result = stage(measured, predictions, observe=collected.add if collected else None)
        if collected and inputs and subject.partition:
            subject.check_shards()
            stage(subject.partition, None, observe=collected.add_deciding)
        rows = _rows(subject, collected) if collected else []
    found = {
        **subject.names,
        "part": "input" if inputs else result.details["part"],
        "shards": len(measured.holdout),
        **result.metrics,
        **{name: each for name, each in result.details.items() if name != "part"},
    }
    if collected and by_class:
        found |= {"thresholds_from": collected.origin, "classes": rows}
        write_rows(by_class, rows)
    # Figures that need the training videos, or videos that decide.
    unknown = ("baseline_gap", "gain_error") * (not subject.partition) + ("gap_select", "select_videos") * bool(inputs)
    found = {name: each for name, each in found.items() if name not in unknown}
    verdict = beats_baseline({name: each for name, each in found.items() if isinstance(each, float)})
    if verdict is not None:
        found["beats_baseline"] = verdict
    if compared:
        found |= {
            "videos_in_training": compared.in_training,
            "videos_in_select": compared.in_select,
            "warnings": compared.warnings,
        }
    if as_json:
        click.echo(json.dumps(found))
        return
    _show(found, subject, measured)
    if collected and by_class:
        _show_classes(rows, collected, by_class)


def _check_options(run: str | None, model: str | None, inputs: tuple[str, ...]) -> None:
    """Refuse options that do not belong together."""
    if run is None:
        if not model:
            raise ConfigError("--run: missing. Give a run, or the folder of a model with --model and --input.")
        if Path(model).is_file():
            raise ConfigError(f"--model: '{model}' is a file. Give the folder of a model.")
        if not inputs:
            raise ConfigError(
                "--input: missing. A folder does not tell on which videos its model was trained: name labeled shards "
                "that are new to it, or give --run with --model NAME for the videos that the run held out."
            )
    context = click.get_current_context()
    for name in ("layout", "on_bad"):
        if not inputs and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise ConfigError(
                f"--{name.replace('_', '-')}: only with --input. The hold-out of a run is read as the run read it."
            )


def _measured(subject: Subject, inputs: tuple[str, ...], layout: Any, on_bad: Literal["skip", "fail"]) -> "Partition":
    """Return a partition whose hold-out are the videos to measure: those of the run, or all of the given shards."""
    from yt8m.data.description import spec_of_shards
    from yt8m.data.partition import list_shards
    from yt8m.data.scan import hold_out_all
    from yt8m.stages.evaluate import spec_of

    if not inputs:
        assert subject.partition
        return subject.partition
    shards = list_shards("--input", inputs)
    measured = hold_out_all(shards, spec_of_shards(spec_of(subject.model), shards, layout, classes=True), on_bad)
    if not subject.partition:
        return measured
    return measured.model_copy(update={"class_counts": subject.partition.class_counts})


class _Collected:
    """Scores of all classes, of the videos that are measured and of those that decide.

    Args:
        measured: Partition with the videos to measure.
        is_input: Whether they were given by --input, so that none of them decided in the run.
        of_run: Partition of the run. None without a run.
    """

    def __init__(self, measured: "Partition", is_input: bool, of_run: "Partition | None") -> None:
        from yt8m.class_metrics.scores import ClassScores

        self.shards = measured.holdout_uris
        num_classes = measured.spec.num_classes
        self._divided = not is_input and measured.division.part == "report"
        self.measured = ClassScores(num_classes)
        self.origin: Literal["select", "hold-out", "same videos"] = "same videos"
        if of_run and (is_input or self._divided):
            self.origin = "select" if of_run.division.part == "report" else "hold-out"
        self.deciding = self.measured if self.origin == "same videos" else ClassScores(num_classes)

    def add(self, batch: "PredictedBatch") -> None:
        """Add predictions of videos to measure, or of both parts of the hold-out."""
        reported = batch.rows(batch.report) if self._divided else batch
        self.measured.update(reported.probabilities, reported.labels)
        if self._divided:
            self.add_deciding(batch)

    def add_deciding(self, batch: "PredictedBatch") -> None:
        """Add predictions of the videos that decide."""
        chosen = batch.rows(~batch.report)
        self.deciding.update(chosen.probabilities, chosen.labels)


def _rows(subject: Subject, collected: _Collected) -> list[dict[str, Any]]:
    from yt8m.class_metrics.figures import measure_classes

    training = subject.partition.class_counts if subject.partition else None
    return rows_of(
        measure_classes(collected.measured, collected.deciding), subject.class_names(collected.shards), training
    )


def _show(found: dict[str, Any], subject: Subject, measured: "Partition") -> None:
    shards, videos = count(len(measured.holdout), "shard"), f"{found['videos']:,.0f}"
    click.echo(f"{'model':18} {subject.title}")
    where = {
        "report": f"{videos} of {measured.num_holdout_videos:,} hold-out videos of {shards}: the part `report`, by "
        "which nothing in the run was chosen",
        "hold-out": f"all {videos} hold-out videos of {shards}: the run chose by them, too, because it does not divide "
        "them (data.report_share)",
        "input": f"all {videos} videos of {shards} of --input",
    }
    click.echo(f"{'computed on':18} {where[found['part']]}")
    for name in SHOWN:
        if (value := found.get(name)) is not None:
            title = f"gap@{found['gap_top_k']:.0f}" if name == "gap" else name
            click.echo(f"{title:18} {value:,.0f}" if name in COUNTS else f"{title:18} {value:.5f}")
    if (better := found.get("beats_baseline")) is not None:
        worthless = "worthless: gap is not above baseline_gap by more than chance; see rule 2 of docs/warnings.md"
        above = "better than label frequencies alone"
        if found.get("warnings"):
            above += ", but see the warnings of the videos of --input"
        click.echo(f"{'verdict':18} {above if better else worthless}")


def _show_classes(rows: list[dict[str, Any]], collected: _Collected, file: Path) -> None:
    console = table_console()
    click.echo()
    show_rows(console, rows)
    where = {
        "select": f"the part `select` of the run's hold-out ({count(collected.deciding.videos, 'video')})",
        "hold-out": f"the run's hold-out ({count(collected.deciding.videos, 'video')})",
        "same videos": "the same videos, so that precision and recall are higher than on new ones",
    }
    say(console, f"Precision and recall at the threshold with the best F1 on {where[collected.origin]}.")
    say(console, f"All classes: {file}")
