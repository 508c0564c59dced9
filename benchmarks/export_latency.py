"""Size, memory, loading time and latency of exported models with float weights, in 8 bits and in fewer.

    python benchmarks/export_latency.py [--members DBoF2] [--batches 1 16 160] [--frames 300] [--seconds 20]

Members are one or several of the paper's models by name, with random weights. The same ensemble is exported four
times: with float weights, with 8-bit weights that are dequantized on loading (`load`), with weights of 2 to 6 bits in
pieces, as `auto` gives them (`few`), and with 8-bit weights that stay quantized in memory (`compact`).

Memory is measured in a separate process per model, beyond what TensorFlow takes without a model: current memory after
loading and after a call with one video, and peak memory after each of these and after a call with the largest batch.
Frames and activations are the same for all.

For latency, all are called in turn in one process, so that other load affects them equally. The table shows
medians, and the median ratio of consecutive calls in wall time and in CPU time, which other load affects less. Memory
layout and the order of calls change times by a few percent. Half of the calls therefore run in a process that loads the
models in the opposite order, and the order of calls alternates. A last table compares calls with bytes and with the
floats that they stand for, of the model in mode `load`.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from support.exported import MIN_CALLS, Times, call_in_turn, inputs, load_alone
from support.measuring import say
from support.published import PUBLISHED

from yt8m.bit_allocation.choose import Choice, divide
from yt8m.data.format import DataSpec, dequantize
from yt8m.export.budget import directory_bytes
from yt8m.export.description import ExportDescription, MemberDescription, ensemble_digest, float_inputs
from yt8m.export.exported_model import ExportedModel
from yt8m.export.saved_model import write_saved_model
from yt8m.models import build
from yt8m.models.files import WEIGHTS_FILE, read_description, save_model
from yt8m.quantization.config import QuantizationConfig
from yt8m.quantization.files import iterate_floats
from yt8m.stages.quantize import quantize_weights
from yt8m.training.auto.rules import resolve_threshold_elements

KINDS = ("float", "load", "few", "compact")
# Numbers of bits of the pieces of a variable, in their order.
FEW_BITS = (6, 4, 4, 3, 3, 2)


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", nargs="+", choices=PUBLISHED, default=["DBoF2"], metavar="MODEL")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 160])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=20, help="Seconds to spend on the calls of each batch size.")
    arguments = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for member in arguments.members:
            with spawn.Pool(1) as pool:
                pool.apply(write_member, (folder, member, arguments.frames))
        for kind in KINDS:
            with spawn.Pool(1) as pool:
                pool.apply(write_export, (folder, kind, arguments.members))
        measure_alone(folder, arguments.members, max(arguments.batches))
        measure_calls(folder, arguments.batches, arguments.seconds)
        with spawn.Pool(1) as pool:
            pool.apply(measure_floats, (folder / "load", arguments.batches, arguments.seconds))


def write_member(folder: Path, name: str, frames: int) -> None:
    """Build a model with random weights and write it with float weights, in 8 bits and in fewer."""
    import keras  # noqa: PLC0415 - only this process builds models

    spec, config = DataSpec(max_frames=frames), PUBLISHED[name]
    keras.utils.set_random_seed(0)
    model, quantization = folder / "floats" / name, QuantizationConfig()
    save_model(model, build(config, spec), config, spec)
    quantize_weights(model=model, bits=8, config=quantization, output=folder / "bytes" / name)
    quantize_weights(model=model, bits=few_bits(model, spec), config=quantization, output=folder / "few-bits" / name)


def few_bits(model: Path, spec: DataSpec) -> Choice:
    """Divide all large variables into pieces with fewer and fewer bits."""
    threshold = resolve_threshold_elements("auto", spec).value
    pieces = {
        name: divide(name, weight.shape, spec.num_classes, threshold)
        for name, weight in iterate_floats(model / WEIGHTS_FILE)
        if weight.size > threshold
    }
    bits = {name: dict(zip(parts, FEW_BITS, strict=False)) for name, parts in pieces.items()}
    return Choice(bits=bits, sensitivities={}, checks=(), videos=0, checked_videos=0)


def write_export(folder: Path, kind: str, members: list[str]) -> None:
    """Export the members with equal weights."""
    stored = {"float": "floats", "few": "few-bits"}.get(kind, "bytes")
    models = {name: folder / stored / name for name in members}
    weights = dict.fromkeys(members, 1 / len(members))
    description = ExportDescription(
        data=read_description(models[members[0]]).data,
        float_inputs=float_inputs(read_description(models[members[0]]).data.features),
        members={
            name: MemberDescription(weight=weights[name], family="", size_bytes=(model / WEIGHTS_FILE).stat().st_size)
            for name, model in models.items()
        },
        mode="compact" if kind == "compact" else "load",
        top_k=20,
        identity=ensemble_digest(models, weights),
    )
    (folder / kind).mkdir()
    write_saved_model(folder / kind, models, description)


def measure_alone(folder: Path, members: list[str], batch: int) -> None:
    """Print size, loading time and memory, one row per kind of model."""
    member_bytes = sum((folder / "bytes" / name / WEIGHTS_FILE).stat().st_size for name in members)
    say(f"{', '.join(members)}: {member_bytes / 1e6:.2f} MB in 8 bits")
    say("                                            GB after            peak GB after")
    say(f"kind     MB on disk  over 8 bits  load s  loading   1 video  loading   1 video  {batch:3} videos")
    for kind in KINDS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, held, most = pool.apply(load_alone, (folder / kind, batch))
        size = directory_bytes(folder / kind)
        say(
            f"{kind:8} {size / 1e6:10.2f} {size / member_bytes - 1:12.2%} {seconds:7.2f} {held[0] / 1e9:8.3f} "
            f"{held[1] / 1e9:9.3f} {most[0] / 1e9:8.3f} {most[1] / 1e9:9.3f} {most[2] / 1e9:11.3f}"
        )


def measure_calls(folder: Path, batches: list[int], seconds: float) -> None:
    """Print latencies, one row per batch size."""
    halves = []
    for order in (KINDS, KINDS[::-1]):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            models = {kind: folder / kind for kind in order}
            halves.append(pool.apply(call_in_turn, (models, batches, seconds / 2)))
    others = KINDS[1:]
    milliseconds = "".join(f"{kind:>8} ms" for kind in KINDS)
    ratios = "".join(f"{kind:>9}/float    (CPU)" for kind in others)
    say(f"batch {milliseconds} {ratios}   calls")
    for batch in batches:
        wall, cpu = (
            {kind: [seconds for half in halves for seconds in half[batch][clock][kind]] for kind in KINDS}
            for clock in (0, 1)
        )
        median = {kind: statistics.median(wall[kind]) * 1e3 for kind in KINDS}
        times = "".join(f"{median[kind]:11.1f}" for kind in KINDS)
        slower = "".join(f"{ratio(wall, kind):15.1%}{ratio(cpu, kind):9.1%}" for kind in others)
        say(f"{batch:5} {times} {slower} {len(wall['float']):7}")


def measure_floats(folder: Path, batches: list[int], seconds: float) -> None:
    """Print latencies of calls with bytes and with floats, in turn, one row per batch size."""
    model = ExportedModel(folder)
    say("batch   bytes ms   floats ms   floats/bytes   calls")
    for batch in batches:
        frames, num_frames = inputs(model.spec, batch)
        parts = np.split(frames, np.cumsum(list(model.spec.features.values()))[:-1], axis=2)
        floats = dict(zip(model.spec.features, map(dequantize, parts), strict=True))
        calls = {"bytes": partial(model.top, frames), "floats": partial(model.top_of_floats, floats)}
        for call in calls.values():
            call(num_frames)
        wall: Times = {"bytes": [], "floats": []}
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(wall["bytes"]) < MIN_CALLS:
            for kind, call in calls.items():
                start = time.perf_counter()
                call(num_frames)
                wall[kind].append(time.perf_counter() - start)
        median = {kind: statistics.median(each) * 1e3 for kind, each in wall.items()}
        slower = statistics.median(mine / other for mine, other in zip(wall["floats"], wall["bytes"], strict=True)) - 1
        say(f"{batch:5} {median['bytes']:10.1f} {median['floats']:11.1f} {slower:14.1%} {len(wall['bytes']):7}")


def ratio(times: Times, kind: str) -> float:
    """Return the relative slowdown of a model against the float model."""
    return statistics.median(mine / other for mine, other in zip(times[kind], times["float"], strict=True)) - 1


if __name__ == "__main__":
    main()
