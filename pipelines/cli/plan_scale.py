"""What `yt8m plan` says of storage, network and hours."""

from collections.abc import Sequence

from rich.console import Console

from pipelines.cli.format import describe_bytes, make_table, say
from pipelines.cost import throughput as assumed
from pipelines.cost.gpus import GPUS, Gpu
from pipelines.cost.models import Estimate
from pipelines.cost.scale import Scale, Schedule
from pipelines.cost.throughput import Throughput
from yt8m.models.flops import TRAINING_PASSES

_HOUR = 3600.0
# A node's share of the critical path below which it is not named.
_NAMED_SHARE = 0.01


def show_bytes(console: Console, scale: Scale) -> None:
    """Data, storage and network."""
    data, spec = scale.data, scale.recipe.data.resolve_spec()
    videos = f"{data.training_videos:,} training and {data.holdout_videos:,} hold-out videos"
    shards = f" in {data.shards:,} shards" if data.shards else ""
    frames = f"about {data.mean_frames:.0f} frames a video, padded to {spec.max_frames}"
    say(console, f"Data: {videos}{shards}, {describe_bytes(data.total_bytes)}, {frames}.")
    table = make_table(("stage",), ("nodes", "shards read", "artifacts fetched", "written"))
    for stage, names in scale.stages().items():
        nodes = [scale.bytes[name] for name in names]
        written = sum(size for each in nodes for size in each.left.values())
        figures = (sum(each.read for each in nodes), sum(each.fetched for each in nodes), written)
        table.add_row(stage, str(len(names)), *(describe_bytes(figure) if figure else "" for figure in figures))
    console.print(table)
    stored = {kind: size for kind, size in scale.stored().items() if size}
    listed = ", ".join(f"{kind} {describe_bytes(size)}" for kind, size in stored.items())
    say(console, f"Stored: {describe_bytes(sum(stored.values()))}: {listed}.")
    say(
        console,
        f"Network: {describe_bytes(data.training_bytes)} an epoch and model; {describe_bytes(scale.read)} in all, "
        f"{describe_bytes(scale.read_once)} if every step keeps a copy of its shards, "
        f"{describe_bytes(data.total_bytes + stored.get('soft targets', 0))} if all share one; "
        f"{describe_bytes(scale.fetched)} of models besides.",
    )


def show_hours(  # noqa: PLR0917
    console: Console,
    scale: Scale,
    estimated: Estimate,
    rates: Throughput,
    gpu: str,
    gpus: Sequence[int],
    shared_read_rate: int | None,
) -> None:
    """Rates of the models, hours of the stages, days of the run."""
    schedule = Schedule(scale, rates, shared_read_rate)
    _show_rates(console, scale, estimated, rates, schedule)
    table = make_table(("stage",), ("nodes", "GPU hours"))
    for stage, names in scale.stages().items():
        hours = sum(schedule.seconds[name] for name in names if name in schedule.on_gpu) / _HOUR
        if hours:
            table.add_row(stage, str(len(names)), f"{hours:,.1f}")
    table.add_row("all", str(len(schedule.on_gpu)), f"{schedule.gpu_seconds / _HOUR:,.1f}")
    console.print(table)
    table = make_table(("GPUs",), ("hours", "busy"))
    for count in gpus:
        seconds = schedule.makespan(count)
        table.add_row(str(count), f"{seconds / _HOUR:,.1f}", f"{schedule.gpu_seconds / count / seconds:.0%}")
    console.print(table)
    _show_path(console, schedule)
    say(console, _shared(scale, schedule, shared_read_rate, max(gpus)))
    for line in _assumptions(rates, gpu, scale):
        say(console, line)


def _show_rates(console: Console, scale: Scale, estimated: Estimate, rates: Throughput, schedule: Schedule) -> None:
    figures = ("GFLOP/video", "videos/s", "reads", "train h", "average h")
    table = make_table(("model", "limited by"), figures)
    video_bytes = scale.data.training_bytes / max(scale.data.training_videos, 1)
    for model in estimated.models:
        rate = rates.training(model.name)
        average = schedule.seconds.get(f"average-{model.name}")
        table.add_row(
            model.name,
            rate.limit,
            f"{TRAINING_PASSES * model.work.training_flops / 1e9:.1f}",
            f"{rate.videos_per_second:,.0f}",
            f"{describe_bytes(rate.videos_per_second * video_bytes)}/s",
            f"{schedule.seconds[f'train-{model.name}'] / _HOUR:,.1f}",
            f"{average / _HOUR:,.1f}" if average else "",
        )
    console.print(table)


def _show_path(console: Console, schedule: Schedule) -> None:
    longest = [
        name for name in schedule.critical_path if schedule.seconds[name] > _NAMED_SHARE * schedule.least_seconds
    ]
    path = ", ".join(f"{name} {schedule.seconds[name] / _HOUR:,.1f}" for name in longest)
    say(console, f"Critical path: {schedule.least_seconds / _HOUR:,.1f} hours, however many GPUs: {path}.")


def _shared(scale: Scale, schedule: Schedule, rate: int | None, gpus: int) -> str:
    """What copies that all steps share mean for the hours."""
    size = f"{describe_bytes(scale.read_shared)}, with a pass of every step that verifies them"
    if not rate:
        return f"Shared copies: {size}; not counted is how fast: give --shared-read-rate, 1.2GB/s for instance."
    hours = schedule.shared_seconds / _HOUR
    waits = " GPUs WAIT for it." if schedule.makespan(gpus) == schedule.shared_seconds else ""
    return f"Shared copies: {size}, at {describe_bytes(rate)}/s: {hours:,.1f} hours at least.{waits}"


def _assumptions(rates: Throughput, gpu: str, scale: Scale) -> list[str]:
    lines = []
    if rates.gpu:
        lines += _of_gpu(rates.gpu, gpu, scale)
    lines.append(
        f"Reading: at most {rates.reading:,.0f} videos/s, {assumed.READ_PER_CPU:,.0f} for each processor "
        "(benchmarks/read_videos.py). Start of steps, and steps without GPU but `prepare`: not counted. "
        "Soft targets: the slowest candidates as teachers."
    )
    return lines


def _of_gpu(gpu: Gpu, name: str, scale: Scale) -> list[str]:
    needed, there = describe_bytes(scale.largest_training_bytes), describe_bytes(gpu.memory_bytes)
    computed = (
        f"COMPUTED, not measured, for {name} ({gpu.source}): assumed are {assumed.COMPUTE_SHARE:.0%} of "
        f"{gpu.float32 / 1e12:.3g} TFLOP/s (bfloat16: {gpu.bfloat16 / 1e12:.3g}), {assumed.BANDWIDTH_SHARE:.0%} of "
        f"{gpu.bandwidth / 1e9:.0f} GB/s, {assumed.CELL_STEP_SECONDS * 1e6:.0f} us a step of a recurrent cell. "
        "A measured rate replaces this: --videos-per-second MODEL=N."
    )
    memory = (
        f"Memory: the largest model needs {needed} in training for weights, gradients and moments, "
        f"besides its batch; {name} has {there}."
    )
    if scale.largest_training_bytes > gpu.memory_bytes:
        larger = [other for other, each in GPUS.items() if each.memory_bytes > scale.largest_training_bytes]
        memory += f" TOO LITTLE. Take one of: {', '.join(larger) or 'none known'}."
    return [computed, memory]
