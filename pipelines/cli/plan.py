"""`yt8m plan`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import ByteSize, TypeAdapter, ValidationError

from pipelines.cli import plan_report as report
from pipelines.cli.format import describe_bytes, say, table_console
from pipelines.cli.options import cluster_file_option, offloaded_option, recipe_argument, settings_option
from pipelines.cli.quiet_import import import_quietly
from pipelines.cost.dataset import DatasetSize
from pipelines.cost.hours import NodeTimes
from pipelines.cost.models import estimate_models
from pipelines.cost.schedule import Schedule
from pipelines.cost.settings import resolve_trainings
from pipelines.cost.throughput import Throughput, gpu_by_name, rates_by_model
from pipelines.cost.traffic import Traffic
from pipelines.graph.plan import Plan
from pipelines.recipe.cluster import ClusterConfig
from pipelines.recipe.load import read_recipe
from pipelines.recipe.schema import Recipe
from yt8m.errors import ConfigError
from yt8m.stages.named_files import VOCABULARY_KEY
from yt8m.words import count

if TYPE_CHECKING:
    from pipelines.kubeflow.compile import Compilation

# Numbers of GPUs for which the duration of the run is computed by default.
GPU_COUNTS = (1, 8, 32)


def _size(example: str) -> Callable[..., int | None]:
    """Make the callback that parses an option such as `1.5TB`; `/s` in the example may end a value, too."""

    def parse(_: click.Context, option: click.Parameter, text: str | None) -> int | None:
        if text is None:
            return None
        try:
            size = int(TypeAdapter(ByteSize).validate_python(text.removesuffix(f"/{example.partition('/')[2]}")))
        except ValidationError:
            size = 0
        if size <= 0:
            raise ConfigError(f"{option.opts[0]}: expected a size such as {example}, received '{text}'.")
        return size

    return parse


@click.command()
@recipe_argument
@click.option("--nodes", is_flag=True, help="List all nodes with their dependencies.")
@click.option("--data", metavar="URI", help="Partition written by `prepare`, from which videos and bytes are read.")
@click.option("--videos", type=click.IntRange(1), metavar="N", help="Number of training videos, without a partition.")
@click.option("--holdout", type=click.IntRange(0), metavar="N", help="Number of hold-out videos, without a partition.")
@click.option(
    "--bytes",
    "size",
    callback=_size("1.5TB"),
    metavar="SIZE",
    help="Size of all these videos, such as 1.5TB.  [default: all videos have the maximum length]",
)
@click.option("--gpu", metavar="TYPE", help="GPU type of each step, such as l4. Adds GPU hours and the run's duration.")
@click.option(
    "--gpus",
    type=click.IntRange(1),
    multiple=True,
    metavar="N",
    help=f"Number of GPUs; may be repeated.  [default: {', '.join(map(str, GPU_COUNTS))}]",
)
@click.option("--cpus", type=click.IntRange(1), default=8, show_default=True, metavar="N", help="CPUs per GPU.")
@click.option(
    "--videos-per-second",
    "rates",
    multiple=True,
    metavar="MODEL=N",
    help="Measured training throughput of a model or an architecture, instead of the estimate; may be repeated.",
)
@click.option(
    "--shared-read-rate",
    "shared_rate",
    callback=_size("1.2GB/s"),
    metavar="RATE",
    help="Read throughput of a cache volume that all steps share, such as 1.2GB/s. The run lasts at least as long as "
    "its reads.",
)
@cluster_file_option
@offloaded_option
@settings_option
def plan(  # noqa: PLR0917 click passes them by name
    recipe: Path,
    nodes: bool,
    data: str | None,
    videos: int | None,
    holdout: int | None,
    size: int | None,
    gpu: str | None,
    gpus: tuple[int, ...],
    cpus: int,
    rates: tuple[str, ...],
    shared_rate: int | None,
    cluster_file: Path | None,
    offloaded: bool,
    settings: tuple[str, ...],
) -> None:
    """Show the nodes, model sizes and size budget of RECIPE without running anything.

    With a known number of videos, storage and network traffic are added; with --gpu or --videos-per-second, GPU hours
    and the duration of the run.
    """
    console = table_console()
    from pipelines.kubeflow.compile import Compilation
    from pipelines.kubeflow.component import PROCESS_IMAGE
    from pipelines.kubeflow.size import compiled_bytes, run_size

    compilation = Compilation(read_recipe(recipe, settings), str(recipe), read_data=False)
    loaded, planned = compilation.recipe, compilation.plan
    resources = compilation.resources(cluster_file)
    unread, notes = _look_at_files(compilation, is_for_cluster=resources is not None)
    dataset = _dataset_size(loaded, data, videos, holdout, size)
    chosen = gpu_by_name(gpu) if gpu else None
    architectures = {name: model.model.architecture for name, model in loaded.models().items()}
    given = rates_by_model(dict(map(_parse_rate, rates)), architectures, chosen) if rates else {}
    if (chosen or given) and not dataset:
        raise ConfigError(
            "--gpu: the number of videos is unknown. Give --data PARTITION, or --videos N and --holdout N."
        )
    import_quietly("keras")
    estimates = estimate_models(loaded)
    report.show_nodes(console, planned, listed=nodes)
    report.show_classes(console, loaded, read=VOCABULARY_KEY not in unread)
    report.show_models(console, loaded, estimates, dataset)
    compiled = compilation.build(PROCESS_IMAGE, resources)
    run = run_size(*compiled.specs)
    report.show_pipeline(console, planned, compiled_bytes(compiled), run)
    report.show_retries(console, planned, resources)
    run.check(planned.name, offloaded=offloaded)
    report.show_settings(console, loaded, dataset)
    for note in notes:
        say(console, note)
    if not dataset:
        return
    traffic = Traffic(loaded, planned, dataset, estimates)
    report.show_traffic(console, traffic, loaded.data.resolve_spec().max_frames)
    if resources and (told := _too_little_memory(traffic, planned, resources)):
        say(console, told)
    if chosen or given:
        training = resolve_trainings(loaded, dataset.counts)
        flops = {name: estimate.flops for name, estimate in estimates.items()}
        throughput = Throughput(gpu=chosen, cpus=cpus, flops=flops, training=training, given=given)
        seconds = NodeTimes(loaded, planned, dataset, throughput).seconds
        shared_seconds = traffic.read_shared / shared_rate if shared_rate else 0.0
        schedule = Schedule(planned, seconds, shared_seconds)
        report.show_rates(console, dataset, estimates, throughput, seconds)
        report.show_hours(console, traffic, schedule, gpus or GPU_COUNTS, shared_rate)
        report.show_assumptions(console, throughput, gpu or "", estimates)


def _too_little_memory(traffic: Traffic, plan: Plan, cluster: ClusterConfig) -> str:
    """Say which training keeps more bytes of videos in memory than the cluster gives it; empty if none does."""
    nodes = [node for node in plan.nodes.values() if node.stage == "train"]
    found = {
        node.name: (held, given.memory)
        for node in nodes
        if 0 < (given := cluster.step(node.stage, node.model)).memory_bytes < (held := traffic.held_bytes(node))
    }
    if not found:
        return ""
    worst, (held, memory) = max(found.items(), key=lambda each: each[1][0])
    return (
        f"Memory: TOO LITTLE for {count(len(found), 'training')}. {worst} keeps {describe_bytes(held)} of videos in "
        f"memory, and the cluster gives it {memory}. Raise `memory` of the class `training` or in one of `overrides`, "
        f"or set `training.memory_bytes` of the model below {held:,}, which reads the videos in every epoch."
    )


def _look_at_files(compilation: "Compilation", *, is_for_cluster: bool) -> tuple[Mapping[str, str], list[str]]:
    """Look at the files that the run would read.

    Returns:
        URIs of those that were not looked at, by key of the recipe, and what is missing or out of reach, in lines.

    Raises:
        ConfigError: A file of the recipe cannot be used.
    """
    from pipelines.graph.fingerprints import missing_files
    from pipelines.graph.named_files import look_at_named_files

    recipe, source = compilation.recipe, compilation.source
    here = not is_for_cluster
    named = look_at_named_files(recipe, compilation.plan, source, "if possible", steps_are_here=here)
    notes = [f"{key}: {uri} was not looked at." for key, uri in named.unread.items()]
    missing = missing_files(recipe.data, source) if here else ""
    return named.unread, [*notes, f"Missing for a run on this machine: {missing}"] if missing else notes


def _dataset_size(
    recipe: Recipe, data: str | None, videos: int | None, holdout: int | None, size: int | None
) -> DatasetSize | None:
    """Determine the size of the data set from a partition, from counts, or from what is known of the recipe's data."""
    if data:
        if videos is not None or holdout is not None or size is not None:
            raise ConfigError(
                "--data: videos and bytes are read from the partition; leave out --videos, --holdout and --bytes."
            )
        return DatasetSize.of_partition(data, recipe)
    if videos is not None:
        return DatasetSize.of_counts(videos, holdout or 0, size, recipe.data.resolve_spec())
    if holdout is not None or size is not None:
        raise ConfigError("--videos: missing. Give the training videos with --holdout and --bytes, or --data.")
    return DatasetSize.known(recipe)


def _parse_rate(setting: str) -> tuple[str, float]:
    name, separator, text = setting.partition("=")
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not separator or not name or not 0 < rate < float("inf"):
        raise ConfigError(f"--videos-per-second {setting}: expected MODEL=N, for instance netvlad=1800.")
    return name, rate
