"""Loading time, memory and latency of exported models."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from support.measuring import peak_bytes, resident_bytes
from yt8m.data.format import DataSpec
from yt8m.export.exported_model import ExportedModel

Times = dict[str, list[float]]  # seconds of each call, by name of the model

# Minimum calls of each model per batch size.
MIN_CALLS = 4


def load_alone(model: Path, batch: int) -> tuple[float, list[int], list[int]]:
    """Load a model, then call it with one video and with a batch.

    Returns:
        Seconds to load the model, and current and peak bytes after each of these steps.
    """
    warm_up()
    before, most_before = resident_bytes(), peak_bytes()
    start = time.perf_counter()
    loaded = ExportedModel(model)
    seconds = time.perf_counter() - start
    held, most = [resident_bytes() - before], [peak_bytes() - most_before]
    for size in (1, batch):
        loaded.top(*inputs(loaded.spec, size))
        held.append(resident_bytes() - before)
        most.append(peak_bytes() - most_before)
    return seconds, held, most


def warm_up() -> None:
    """Make TensorFlow allocate what it needs without a model: about a quarter of a gigabyte."""
    import tensorflow as tf  # noqa: PLC0415 - only the measured process imports it

    matrix = tf.random.normal((512, 512))
    tf.function(tf.matmul)(matrix, matrix).numpy()


def call_in_turn(folders: Mapping[str, Path], batches: Sequence[int], seconds: float) -> dict[int, tuple[Times, Times]]:
    """Load models in the given order and call them in turn, in alternating order.

    Args:
        folders: Folder of each exported model by name.
        batches: Numbers of videos per call.
        seconds: Seconds to spend on the calls of each batch size.

    Returns:
        Wall and CPU times of the calls by batch size.
    """
    models = {name: ExportedModel(folder) for name, folder in folders.items()}
    order, first = list(models), next(iter(models.values()))
    times: dict[int, tuple[Times, Times]] = {}
    for batch in batches:
        given = inputs(first.spec, batch)
        for model in models.values():
            model.top(*given)
        wall, cpu = times[batch] = {name: [] for name in models}, {name: [] for name in models}
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(wall[order[0]]) < MIN_CALLS:
            order = order[::-1]
            for name in order:
                start = time.perf_counter(), time.process_time()
                models[name].top(*given)
                wall[name].append(time.perf_counter() - start[0])
                cpu[name].append(time.process_time() - start[1])
    return times


def inputs(spec: DataSpec, batch: int) -> tuple[Any, Any]:
    """Make random frames uint8 (B, T, D) of maximum lengths int32 (B,)."""
    frames = np.random.default_rng(0).integers(0, 256, (batch, spec.max_frames, spec.num_features), np.uint8)
    return frames, np.full(batch, spec.max_frames, np.int32)
