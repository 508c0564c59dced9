"""Training throughput of the paper's models at full size.

    python benchmarks/training_throughput.py [--models NetVLAD1 DBoF2 RNN2] [--batch 32] [--steps 3]

Trains each model for some steps on random videos of full length, in memory, in a separate process. The number of
floating-point operations is that of `yt8m plan`: a forward pass, and twice as many for the backward pass. The first
line gives the throughput of large matrix products, for comparison.
"""

import argparse
import multiprocessing
import os
from typing import Any

import numpy as np
import tensorflow as tf
from support.measuring import Stopwatch, peak_bytes, say
from support.published import PUBLISHED

from yt8m.data.format import DataSpec
from yt8m.models import build_from_bytes
from yt8m.models.flops import TRAINING_PASSES, count_flops
from yt8m.training.auto.counts import DataCounts
from yt8m.training.auto.rules import resolve_training
from yt8m.training.config import TrainingConfig
from yt8m.training.loop import build_optimizer
from yt8m.training.run import seed_and_precision
from yt8m.training.training_model import TrainingModel

SPEC = DataSpec()
PRODUCT_SIZE = 4096


def main() -> None:
    """Print one row per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=PUBLISHED, default=["NetVLAD1", "DBoF2", "RNN2"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=3, help="Number of timed steps, after one step of warm-up.")
    arguments = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:
        peak = pool.apply(matrix_products)
    say(f"{os.cpu_count()} processors, matrix products of {PRODUCT_SIZE} x {PRODUCT_SIZE}: {peak / 1e9:.0f} GFLOP/s")
    say("model        videos/s    GFLOP/video  GFLOP/s       of products    s/step  peak GB")
    for name in arguments.models:
        with spawn.Pool(1) as pool:
            seconds, memory = pool.apply(train, (name, arguments.batch, arguments.steps))
        flops = count_flops(PUBLISHED[name], SPEC).training_flops * TRAINING_PASSES
        rate = arguments.batch / seconds
        say(
            f"{name:12} {rate:8.1f} {flops / 1e9:14.1f} {rate * flops / 1e9:8.0f} {rate * flops / peak:17.0%} "
            f"{seconds:9.2f} {memory / 1e9:8.2f}"
        )


def matrix_products() -> float:
    """Measure floating-point operations per second of float32 matrix products in TensorFlow."""
    matrix = tf.random.normal((PRODUCT_SIZE, PRODUCT_SIZE))
    tf.matmul(matrix, matrix).numpy()
    watch = Stopwatch()
    for _ in range(3):
        tf.matmul(matrix, matrix).numpy()
    return float(3 * 2 * PRODUCT_SIZE**3 / watch.seconds)


def train(name: str, batch: int, steps: int) -> tuple[float, int]:
    """Train a model repeatedly on one random batch.

    Returns:
        Seconds per step, and the peak memory of this process in bytes.
    """
    config = resolve_training(TrainingConfig(batch_size=batch), DataCounts.of_videos(batch, SPEC))[0]
    with seed_and_precision(config):
        model = TrainingModel(build_from_bytes(PUBLISHED[name], SPEC))
    optimizer = build_optimizer(config)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, jit_compile=config.jit_compile)
    inputs, targets = random_batch(batch)
    model.train_on_batch(inputs, targets)
    watch = Stopwatch()
    for _ in range(steps):
        model.train_on_batch(inputs, targets)
    return watch.seconds / steps, peak_bytes()


def random_batch(batch: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw random videos of full length with three labels each."""
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (batch, SPEC.max_frames, SPEC.num_features), np.uint8)
    labels = np.zeros((batch, SPEC.num_classes), np.uint8)
    np.put_along_axis(labels, draw.integers(0, SPEC.num_classes, (batch, 3)), 1, axis=1)
    return {"frames": frames, "num_frames": np.full(batch, SPEC.max_frames, np.int32)}, {"labels": labels}


if __name__ == "__main__":
    main()
