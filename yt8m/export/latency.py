"""How long the exported model takes, measured the way it will be used."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yt8m.export.card_facts import Latency
from yt8m.export.exported_model import ExportedModel

# Calls timed at each batch size, after one that is not.
REPEATS = 3


def measure_latency(directory: Path, batch_sizes: Sequence[int]) -> Latency:
    """Load an exported model and times the dense top-k signature on random bytes."""
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
