"""Latency of an exported model, measured with the calls that its users make."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from yt8m.config import Config
from yt8m.data.format import dequantize

# Timed calls per batch size, after one warm-up call.
REPEATS = 3


class Latency(Config):
    """Latency of an exported model on the machine that exported it.

    Attributes:
        load_seconds: Seconds to load the model.
        batch_seconds: Median seconds per call with bytes, by batch size. All videos have the maximum length.
        float_seconds: Median seconds per call with floats of the same videos, by batch size.
        device: Name of the GPU, or the number of CPU cores.
    """

    load_seconds: float
    batch_seconds: dict[int, float]
    float_seconds: dict[int, float]
    device: str


def measure_latency(directory: Path, batch_sizes: Sequence[int]) -> Latency:
    """Load an exported model and time its dense top-k signatures on random bytes, and on the floats they stand for.

    Args:
        directory: Folder of the exported model.
        batch_sizes: Numbers of videos per call to measure.
    """
    from yt8m.export.exported_model import ExportedModel  # noqa: PLC0415 - imports TensorFlow, recipes do without

    start = time.perf_counter()
    model = ExportedModel(directory)
    load_seconds = time.perf_counter() - start
    spec = model.spec
    draw = np.random.default_rng(0)
    seconds, float_seconds = {}, {}
    for size in batch_sizes:
        shape = (size, spec.max_frames)
        frames = {name: draw.integers(0, 256, (*shape, width), np.uint8) for name, width in spec.features.items()}
        floats = {name: dequantize(values, *spec.range_of(name)) for name, values in frames.items()}
        num_frames = np.full(size, spec.max_frames, np.int32)
        seconds[size] = _median_seconds(model.top, np.concatenate(list(frames.values()), axis=2), num_frames)
        float_seconds[size] = _median_seconds(model.top_of_floats, floats, num_frames)
    return Latency(load_seconds=load_seconds, batch_seconds=seconds, float_seconds=float_seconds, device=model.device)


def _median_seconds(call: Callable[..., object], *arguments: object) -> float:
    """Time calls, after one that is not timed."""
    call(*arguments)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call(*arguments)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
