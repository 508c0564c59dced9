"""Tables and lines that `yt8m plan` prints."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console

from pipelines.cli.format import describe_bytes, list_names, make_table, say
from pipelines.cost import throughput as assumed
from pipelines.cost.dataset import DatasetSize
from pipelines.cost.ensemble import ensemble_sizes
from pipelines.cost.models import ModelEstimate
from pipelines.cost.schedule import Schedule
from pipelines.cost.settings import known_settings, unknown_settings
from pipelines.cost.throughput import GPUS, Gpu, Throughput
from pipelines.cost.traffic import Traffic
from pipelines.graph.plan import Plan
from pipelines.kubeflow.size import MAX_COMPILED_BYTES, RunSize
from pipelines.recipe.cluster import ClusterConfig
from pipelines.recipe.models import CandidateConfig, ImportedModel, StudentConfig
from pipelines.recipe.reference import in_yaml
from pipelines.recipe.schema import Recipe
from yt8m.data.vocabulary.names import ClassNames
from yt8m.ensembling.budget import Budget
from yt8m.models.flops import TRAINING_PASSES
from yt8m.models.sizes import FLOAT_BYTES
from yt8m.words import count

_HOUR = 3600.0
# KFP's setting for Argo: what surrounds a step (its own DAG, its group, the root, the entry point) is tried three times
# after errors, and so is a pod without retries of its own.
TRIES_AROUND_STEPS = 3
# Nodes below this share of the critical path are not listed.
_MIN_LISTED_SHARE = 0.01
_LISTED_CLASSES = 5

Estimates = Mapping[str, ModelEstimate]


def show_nodes(console: Console, plan: Plan, *, listed: bool) -> None:
    """Print the number of nodes per stage, and if `listed` every node with its dependencies."""
    stages = Counter(node.stage for node in plan.nodes.values())
    counted = ", ".join(f"{number} {stage}" for stage, number in stages.items())
    nodes, groups = count(len(plan.nodes), "node"), count(len(plan.groups), "group")
    say(console, f"{plan.name}: {nodes} in {groups}: {counted}")
    if listed:
        for node in plan.nodes.values():
            needs = f"  after {', '.join(sorted(node.dependencies))}" if node.dependencies else ""
            say(console, f"  {node.name}{needs}")


def show_classes(console: Console, recipe: Recipe, *, read: bool) -> None:
    """Print the number of classes and the first of their names.

    Args:
        console: Console to print to.
        recipe: The recipe.
        read: Whether the file with the names can be read from here.
    """
    classes, uri = recipe.data.resolve_spec().num_classes, recipe.export.vocabulary
    counted = count(classes, "class", "classes")
    if not uri:
        say(console, f"{counted} without names. export.vocabulary names them.")
    elif not read:
        say(console, f"{counted}, named by {uri}")
    else:
        names = ClassNames.read(uri, classes)
        say(console, f"{counted}, named by {uri}: {names.labels(range(classes), _LISTED_CLASSES)}")


def show_models(console: Console, recipe: Recipe, estimates: Estimates, dataset: DatasetSize | None) -> None:
    """Print the size of every model, of the ensemble's members and of the soft targets."""
    members, averages = recipe.members(), recipe.averages()
    rows = (
        (
            name,
            model.model.architecture,
            _teacher(model),
            averages[name],
            "yes" if name in members else "",
            f"{estimates[name].parameters:,}",
            describe_bytes(estimates[name].flops.size.float_bytes),
            describe_bytes(estimates[name].quantized_bytes),
        )
        for name, model in recipe.models().items()
    )
    names = ("model", "architecture", "learns from", "averaged", "member")
    console.print(make_table(names, ("parameters", "float", "quantized"), rows))
    trained = [estimate for name, estimate in estimates.items() if name not in recipe.imported]
    parameters = sum(estimate.parameters for estimate in trained)
    say(console, f"Training: {count(len(trained), 'model')}, {parameters:,} parameters.")
    _show_ensemble(console, recipe, estimates)
    sets = len({student.learn_from for student in recipe.students.values()})
    if sets:
        size = recipe.soft_targets.encoding.record_bytes(recipe.data.resolve_spec().num_classes)
        total = "give --data or --videos for the total"
        if dataset:
            videos = dataset.training_videos
            total = f"{describe_bytes(sets * size * videos)} for {videos:,} training videos"
        say(console, f"Soft targets: {sets} x {size} bytes per video: {total}.")


def show_settings(console: Console, recipe: Recipe, dataset: DatasetSize | None) -> None:
    """Print the settings that can be `auto`, with the values that the steps will find and their reasons."""
    rows = (
        (
            row.key,
            in_yaml(row.setting.value),
            f"auto: {row.setting.reason}" if row.setting.automatic else row.setting.reason,
            _names(row.names, recipe),
        )
        for row in known_settings(recipe, dataset)
    )
    table = make_table(("setting", "value", "why", "of"), (), rows)
    for column in table.columns[2:]:
        column.no_wrap = False
    console.print(table)
    if dataset is None and (unknown := unknown_settings(recipe)):
        say(
            console,
            f"Unknown here, because they follow from the number of training videos: {', '.join(unknown)}. Give --data "
            "PARTITION or --videos N; the steps choose them from what `prepare` counts.",
        )


def _names(names: Sequence[str], recipe: Recipe) -> str:
    """Describe models or families that share a value."""
    trained = recipe.models().keys() - recipe.imported.keys()
    if not names or {*names} == trained:
        return "all"
    return list_names(names)


def _teacher(model: CandidateConfig | StudentConfig) -> str:
    if isinstance(model, ImportedModel):
        return "another run"
    return model.learn_from if isinstance(model, StudentConfig) else "labels"


def _show_ensemble(console: Console, recipe: Recipe, estimates: Estimates) -> None:
    search, members = recipe.ensemble.search, recipe.members()
    smallest = [min(estimates[name].size_bytes.values()) for name in members]
    budget = Budget.of(smallest, search.budget_bytes, search.size_margin)
    limit = max(budget.limit_bytes - budget.graph_bytes * len(members), 0)
    none = "None fits, so that the search will fail; raise ensemble.search.budget_bytes."
    say(
        console,
        f"Ensemble: {count(len(members), 'possible member')}. With the graphs of all, a budget of "
        f"{describe_bytes(search.budget_bytes)} has room for {describe_bytes(limit)} of models. "
        f"{none if not budget.fill(range(len(members))).any() else ''}".rstrip(),
    )
    for row in ensemble_sizes(recipe, estimates):
        bits = "about 4 bits (auto)" if row.size == "auto" else f"{row.size} bits"
        fits = ": all fit" if row.size_bytes <= limit else ": the search keeps the best that fit"
        told = f"{describe_bytes(row.size_bytes)}{fits if row.offered else ', which the recipe does not offer'}"
        say(console, f"  In {bits} they come to {told}; the budget holds {row.fitting} of their mean size.")


def show_pipeline(console: Console, plan: Plan, compiled_bytes: int, run: RunSize) -> None:
    """Print the size of the pipeline against the limits of Kubeflow Pipelines and Argo."""
    say(
        console,
        f"Pipeline: {count(len(plan.nodes), 'node')}, {describe_bytes(compiled_bytes)} compiled (limit of Kubeflow "
        f"Pipelines: {describe_bytes(MAX_COMPILED_BYTES)}); {run}.",
    )


def show_retries(console: Console, plan: Plan, cluster: ClusterConfig | None) -> None:
    """Print how often a step may be tried in a cluster."""
    cluster = cluster or ClusterConfig()
    retries = [cluster.step(node.stage, node.model).retries for node in plan.nodes.values()]
    most = max(1 + each.count if each else TRIES_AROUND_STEPS for each in retries)
    around = TRIES_AROUND_STEPS ** (3 + bool(plan.groups))
    say(
        console,
        f"Retries: a step is tried up to {most} times. On an installation without manifests/components/retries, only "
        f"deleted pods are repeated, but all that surrounds the step is tried {TRIES_AROUND_STEPS} times, too, if the "
        f"last pod was deleted: up to {most} x {around} attempts.",
    )


def show_traffic(console: Console, traffic: Traffic, max_frames: int) -> None:
    """Print the size of the data set, the bytes per stage, storage and network."""
    data = traffic.dataset
    videos = f"{data.training_videos:,} training and {data.holdout_videos:,} hold-out videos"
    shards = f" in {count(data.shards, 'shard')}" if data.shards else ""
    frames = f"about {data.mean_frames:.0f} frames per video, padded to {max_frames}"
    say(console, f"Data: {videos}{shards}, {describe_bytes(data.total_bytes)}, {frames}.")
    rows = []
    for stage, names in traffic.stages().items():
        nodes = [traffic.nodes[name] for name in names]
        written = sum(size for each in nodes for size in each.stored.values())
        figures = (sum(each.read for each in nodes), sum(each.fetched for each in nodes), written)
        rows.append((stage, str(len(names)), *(describe_bytes(figure) if figure else "" for figure in figures)))
    console.print(make_table(("stage",), ("nodes", "shards read", "artifacts fetched", "written"), rows))
    stored = {kind: size for kind, size in traffic.stored().items() if size}
    listed = ", ".join(f"{kind} {describe_bytes(size)}" for kind, size in stored.items())
    say(console, f"Stored: {describe_bytes(sum(stored.values()))}: {listed}.")
    say(
        console,
        f"Network: {describe_bytes(data.training_bytes)} per epoch and model; {describe_bytes(traffic.read)} in all, "
        f"{describe_bytes(traffic.read_once)} if every step caches its shards, "
        f"{describe_bytes(data.total_bytes + stored.get('soft targets', 0))} if all steps share one cache; "
        f"plus {describe_bytes(traffic.fetched)} of models and predictions.",
    )


def show_hours(
    console: Console, traffic: Traffic, schedule: Schedule, gpus: Sequence[int], shared_rate: int | None
) -> None:
    """Print GPU hours per stage, the duration of the run by number of GPUs, its critical path and the shared cache."""
    rows = []
    for stage, names in traffic.stages().items():
        hours = sum(schedule.seconds[name] for name in names if name in schedule.on_gpu) / _HOUR
        if hours:
            rows.append((stage, str(len(names)), f"{hours:,.1f}"))
    rows.append(("all", str(len(schedule.on_gpu)), f"{schedule.gpu_seconds / _HOUR:,.1f}"))
    console.print(make_table(("stage",), ("nodes", "GPU hours"), rows))
    durations = {count: schedule.makespan(count) for count in gpus}
    rows = [
        (str(count), f"{seconds / _HOUR:,.1f}", f"{schedule.gpu_seconds / count / seconds:.0%}")
        for count, seconds in durations.items()
    ]
    console.print(make_table(("GPUs",), ("hours", "busy"), rows))
    seconds = {name: schedule.seconds[name] for name in schedule.critical_path}
    total = sum(seconds.values())
    path = ", ".join(
        f"{name} {each / _HOUR:,.1f}" for name, each in seconds.items() if each > _MIN_LISTED_SHARE * total
    )
    say(console, f"Critical path: {total / _HOUR:,.1f} hours with any number of GPUs: {path}.")
    is_limit = durations[max(gpus)] == schedule.least_seconds
    _show_shared_cache(console, traffic.read_shared, shared_rate, is_limit=is_limit)


def show_rates(
    console: Console, dataset: DatasetSize, estimates: Estimates, throughput: Throughput, seconds: Mapping[str, float]
) -> None:
    """Print the throughput of every model and the hours of its training and averaging."""
    video_bytes = dataset.training_bytes / max(dataset.training_videos, 1)
    rows = []
    for name, estimate in estimates.items():
        if f"train-{name}" not in seconds:
            continue  # a model of another run
        rate, average = throughput.training(name), seconds.get(f"average-{name}")
        rows.append(
            (
                name,
                rate.limit,
                f"{TRAINING_PASSES * estimate.flops.training_flops / 1e9:.1f}",
                f"{rate.videos_per_second:,.0f}",
                f"{describe_bytes(rate.videos_per_second * video_bytes)}/s",
                f"{seconds[f'train-{name}'] / _HOUR:,.1f}",
                f"{average / _HOUR:,.1f}" if average else "",
            )
        )
    figures = ("GFLOP/video", "videos/s", "reads", "train h", "average h")
    console.print(make_table(("model", "limited by"), figures, rows))


def _show_shared_cache(console: Console, read_bytes: int, rate: int | None, *, is_limit: bool) -> None:
    """Print the time that reading from a cache shared by all steps takes; `is_limit` if GPUs wait for it."""
    line = f"Shared cache: {describe_bytes(read_bytes)} read, including one pass in which every step verifies its files"
    if rate:
        waits = " GPUs WAIT for it." if is_limit else ""
        say(console, f"{line}, at {describe_bytes(rate)}/s: at least {read_bytes / rate / _HOUR:,.1f} hours.{waits}")
    else:
        say(console, f"{line}; its speed is not counted: give --shared-read-rate, for instance 1.2GB/s.")


def show_assumptions(console: Console, throughput: Throughput, gpu: str, estimates: Estimates) -> None:
    """Print what the hours assume, and whether the largest model fits into the GPU's memory."""
    if throughput.gpu:
        parameters = max(estimate.parameters for estimate in estimates.values())
        _show_gpu(console, throughput.gpu, gpu, assumed.WEIGHT_COPIES * FLOAT_BYTES * parameters)
    say(
        console,
        f"Reading: at most {throughput.reading:,.0f} videos/s, {assumed.READ_PER_CPU:,.0f} per CPU "
        "(benchmarks/read_videos.py). Not counted: start of steps, and steps without GPU except `prepare`. "
        "Soft targets: the slowest candidates are assumed as teachers.",
    )


def _show_gpu(console: Console, gpu: Gpu, name: str, training_bytes: int) -> None:
    say(
        console,
        f"COMPUTED, not measured, for {name} ({gpu.source}): assumes {assumed.COMPUTE_SHARE:.0%} of "
        f"{gpu.float32 / 1e12:.3g} TFLOP/s (bfloat16: {gpu.bfloat16 / 1e12:.3g}), {assumed.BANDWIDTH_SHARE:.0%} of "
        f"{gpu.bandwidth / 1e9:.0f} GB/s, {assumed.CELL_STEP_SECONDS * 1e6:.0f} us per step of a recurrent cell. "
        "A measured rate replaces the estimate: --videos-per-second MODEL=N.",
    )
    memory = (
        f"Memory: the largest model needs {describe_bytes(training_bytes)} in training for weights, gradients and "
        f"moments, plus its batch; {name} has {describe_bytes(gpu.memory_bytes)}."
    )
    if training_bytes > gpu.memory_bytes:
        larger = [other for other, each in GPUS.items() if each.memory_bytes > training_bytes]
        memory += f" TOO LITTLE. Take one of: {', '.join(larger) or 'none known'}."
    say(console, memory)
