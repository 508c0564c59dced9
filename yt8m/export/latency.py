"""Latency of an exported model, measured with the calls that its users make."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yt8m.config import Config

# Timed calls per batch size, after one warm-up call.
REPEATS = 3


class Latency(Config):
    """Latency of an exported model on the machine that exported it.

    Attributes:
        load_seconds: Seconds to load the model.
        batch_seconds: Median seconds per call, by batch size. All videos have the maximum length.
        device: Name of the GPU, or the number of CPU cores.
    """

    load_seconds: float
    batch_seconds: dict[int, float]
    device: str


def measure_latency(directory: Path, batch_sizes: Sequence[int]) -> Latency:
    """Load an exported model and time its dense top-k signature on random bytes.

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
    seconds = {}
    for size in batch_sizes:
        frames = draw.integers(0, 256, (size, spec.max_frames, spec.num_features), dtype=np.uint8)
        num_frames = np.full(size, spec.max_frames, np.int32)
        model.top(frames, num_frames)
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            model.top(frames, num_frames)
            times.append(time.perf_counter() - start)
        seconds[size] = statistics.median(times)
    return Latency(load_seconds=load_seconds, batch_seconds=seconds, device=model.device)
