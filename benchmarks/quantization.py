"""Time, memory and errors of quantizing a model of the paper's size.

    python benchmarks/quantization.py [--clusters 256] [--hidden 1024] [--bits 4 ...]

The defaults are the shapes of the paper's largest NetVLAD with 321 million weights, drawn from a normal distribution.
8 bits are measured with both methods, fewer with k-means. Each runs in a separate process to measure its memory.
Columns: `seconds` of the quantize stage without reading and writing, but with measuring the errors; seconds
`with files` of the whole stage; `CPU` seconds of the whole stage, which depend little on other load of the machine.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
from support.measuring import peak_bytes, say

from yt8m.data.format import DataSpec
from yt8m.models.files import save_weights
from yt8m.models.netvlad import NetVLADConfig
from yt8m.quantization.config import QuantizationConfig
from yt8m.quantization.methods import Method
from yt8m.quantization.quantized_array import BITS
from yt8m.stages.quantize import quantize_weights

CLASSES = 3862


def main() -> None:
    """Print a table with one row per method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--bits", type=int, nargs="+", choices=BITS, default=BITS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = write_model(folder / "float", arguments.clusters, arguments.hidden)
        say(f"{count:,} weights, {count * 4 / 1e6:,.0f} MB as floats")
        say("method       seconds  with files        CPU  peak GB    MB out  largest error  variance lost")
        storages: list[tuple[int, Method]] = [(bits, "kmeans") for bits in arguments.bits]
        if 8 in arguments.bits:
            storages.append((8, "uniform"))
        for bits, method in storages:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                say(pool.apply(measure, (folder, bits, method)))


def write_model(folder: Path, clusters: int, hidden: int) -> int:
    """Write the weights of a NetVLAD without building it; return their number."""
    half, gate = clusters // 2, hidden * hidden
    descriptor = clusters * 1024 + half * 128
    shapes = {
        "pooling/rgb/assignment/kernel": (1024, clusters), "pooling/rgb/centers": (1024, clusters),
        "pooling/audio/assignment/kernel": (128, half), "pooling/audio/centers": (128, half),
        "hidden/dense/kernel": (descriptor, hidden), "context_gate/kernel": (hidden, gate // hidden),
        "head/gates/kernel": (hidden, CLASSES * 3), "head/experts/kernel": (hidden, CLASSES * 2),
        "head/experts/bias": (CLASSES * 2,), "label_gate/kernel": (CLASSES, CLASSES),
    }  # fmt: skip
    draw = np.random.default_rng(0)
    weights = {name: draw.standard_normal(shape, np.float32) * np.float32(0.03) for name, shape in shapes.items()}
    save_weights(folder, weights, NetVLADConfig(num_clusters=clusters, hidden_units=hidden), DataSpec())
    return sum(array.size for array in weights.values())


def measure(folder: Path, bits: int, method: Method) -> str:
    """Quantize the model; return a row of the table."""
    before = peak_bytes()
    start, cpu = time.perf_counter(), time.process_time()
    config = QuantizationConfig.parse({"bits": bits, "method": method}, "benchmark")
    result = quantize_weights(model=folder / "float", bits=bits, config=config, output=folder / f"{method}-{bits}")
    whole = time.perf_counter() - start
    figures = result.metrics
    return (
        f"{bits} {method:10} {figures['seconds']:7.2f} {whole:11.2f} {time.process_time() - cpu:10.2f} "
        f"{(peak_bytes() - before) / 1e9:8.2f} {figures['bytes_after'] / 1e6:9.1f} {figures['largest_error']:14.6f} "
        f"{figures['variance_lost']:14.6f}"
    )


if __name__ == "__main__":
    main()
