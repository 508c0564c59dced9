"""`yt8m plan`."""

from pathlib import Path

import click
from pydantic import ByteSize, TypeAdapter, ValidationError

from pipelines.cli import plan_display, plan_scale
from pipelines.cli.format import table_console
from pipelines.cli.options import cluster_file_option, recipe_argument, settings_option
from pipelines.cli.quiet_import import import_quietly
from pipelines.cost.data import DataFacts
from pipelines.cost.gpus import Gpu, find_gpu
from pipelines.cost.models import estimate
from pipelines.cost.scale import Scale
from pipelines.cost.throughput import Throughput, rates_by_model
from pipelines.recipe.load import read_recipe
from pipelines.recipe.schema import Recipe
from yt8m.errors import ConfigError

GPUS = (1, 8, 32)
CPUS = 8


@click.command()
@recipe_argument
@click.option("--nodes", is_flag=True, help="List all nodes with what they wait for.")
@click.option("--data", metavar="URI", help="The partition that `prepare` wrote: videos and bytes.")
@click.option("--videos", type=click.IntRange(1), metavar="N", help="Training videos, where there is no partition.")
@click.option("--holdout", type=click.IntRange(0), metavar="N", help="Hold-out videos, where there is no partition.")
@click.option("--bytes", "size", metavar="SIZE", help="Of all these, such as 1.5TB; else as if all were the longest.")
@click.option("--gpu", metavar="TYPE", help="Accelerator of a step, such as l4: hours, and how long a run takes.")
@click.option("--gpus", type=click.IntRange(1), multiple=True, help=f"How many there are.  [default: {GPUS}]")
@click.option("--cpus", type=click.IntRange(1), default=CPUS, show_default=True, help="Processors beside each of them.")
@click.option(
    "--videos-per-second",
    "given",
    multiple=True,
    metavar="MODEL=N",
    help="Measured in training, for a model or an architecture; replaces the estimate.",
)
@click.option(
    "--shared-read-rate",
    "shared_rate",
    metavar="RATE",
    help="Of a volume with shards that all steps share, such as 1.2GB/s: no run is faster than it.",
)
@cluster_file_option
@settings_option
def plan(  # noqa: PLR0917 click passes them by name
    recipe: Path,
    nodes: bool,
    data: str | None,
    videos: int | None,
    holdout: int | None,
    size: str | None,
    gpu: str | None,
    gpus: tuple[int, ...],
    cpus: int,
    given: tuple[str, ...],
    shared_rate: str | None,
    cluster_file: Path | None,
    settings: tuple[str, ...],
) -> None:
    """What a recipe comes to: nodes, sizes, budget; with videos storage, network; with a GPU hours. Runs nothing."""
    console = table_console()
    from pipelines.kubeflow.compile import Compilation
    from pipelines.kubeflow.size import measure_pipeline

    compilation = Compilation(read_recipe(recipe, settings), str(recipe), read_data=False)
    loaded, planned = compilation.recipe, compilation.plan
    facts = _facts(loaded, data, videos, holdout, size)
    chosen = find_gpu(gpu) if gpu else None
    rates = _rates(loaded, chosen, given)
    shared = _bytes(shared_rate.removesuffix("/s"), "--shared-read-rate", "1.2GB/s") if shared_rate else None
    if (chosen or rates) and not facts:
        raise ConfigError("--gpu: how many videos are there? Give --data PARTITION, or --videos N and --holdout N.")
    import_quietly("keras")
    estimated = estimate(loaded, facts.training_videos if facts else None)
    plan_display.show_nodes(console, planned, listed=nodes)
    plan_display.show_models(console, estimated)
    plan_display.show_pipeline(console, measure_pipeline(compilation, compilation.resources(cluster_file)))
    if facts:
        works = {model.name: model.work for model in estimated.models}
        scale = Scale(loaded, planned, facts, {name: work.size for name, work in works.items()})
        plan_scale.show_bytes(console, scale)
        if chosen or rates:
            training = {name: model.training for name, model in loaded.models().items()}
            throughput = Throughput(gpu=chosen, cpus=cpus, works=works, training=training, given=rates)
            plan_scale.show_hours(console, scale, estimated, throughput, gpu or "", gpus or GPUS, shared)


def _facts(
    recipe: Recipe, data: str | None, videos: int | None, holdout: int | None, size: str | None
) -> DataFacts | None:
    """What is known of the data, from the partition, from counts, or from what the recipe generates."""
    if data:
        if videos is not None or holdout is not None or size is not None:
            raise ConfigError(
                "--data: the partition tells videos and bytes; leave out --videos, --holdout and --bytes."
            )
        return DataFacts.of_partition(data, recipe)
    if videos is None:
        if holdout is not None or size is not None:
            raise ConfigError("--videos: missing. Give the training videos with --holdout and --bytes, or --data.")
        return DataFacts.of_generated(recipe)
    return DataFacts.of_counts(
        videos, holdout or 0, _bytes(size, "--bytes", "1.5TB") if size else None, recipe.data.resolve_spec()
    )


def _bytes(text: str, option: str, example: str) -> int:
    try:
        size = int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError:
        size = 0
    if size <= 0:
        raise ConfigError(f"{option}: expected a size such as {example}, received '{text}'.")
    return size


def _rates(recipe: Recipe, gpu: Gpu | None, given: tuple[str, ...]) -> dict[str, float]:
    """Given rates by model; empty if none are given."""
    if not given:
        return {}
    architectures = {name: model.model.architecture for name, model in recipe.models().items()}
    return rates_by_model(dict(map(_rate, given)), architectures, gpu)


def _rate(setting: str) -> tuple[str, float]:
    name, separator, text = setting.partition("=")
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not separator or not name or not 0 < rate < float("inf"):
        raise ConfigError(f"--videos-per-second {setting}: expected MODEL=N, for instance netvlad=1800.")
    return name, rate
