"""Throughput of models on GPUs: measured where given, otherwise estimated from the GPU's data sheet.

A batch takes as long as the slower of two: its matrix products, or the transfers between chip and memory (frame values,
weights, the optimizer's moments). The steps of recurrent cells are added, since each waits for the one before. No model
is faster than the reading of its input.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from yt8m.errors import ConfigError, suggest
from yt8m.models.flops import TRAINING_PASSES, ModelFlops
from yt8m.models.sizes import FLOAT_BYTES
from yt8m.training.config import ResolvedTraining

# Assumed, not measured: shares of the data sheet's rates that such models reach.
COMPUTE_SHARE = 0.4
BANDWIDTH_SHARE = 0.6
# Assumed: one step of one recurrent cell, which launches several small kernels.
CELL_STEP_SECONDS = 30e-6
# Assumed: reads and writes of each activation in memory. Forward: by the product, the batch statistics, the
# normalization with its activation function, and the next product. Backward: twice as many.
FORWARD_TOUCHES = 4
TRAINING_TOUCHES = TRAINING_PASSES * FORWARD_TOUCHES
# Transfers of each float32 weight in a step: read forward and backward; gradient written, read for its norm, read by
# Adam; weight and two moments read and written.
BYTES_PER_WEIGHT_AND_STEP = 4 * (2 + 3 + 6)
# `benchmarks/read_videos.py`: videos of 272 kB per second and CPU, rounded down.
READ_PER_CPU = 1900.0

WEIGHT_COPIES = 4
"""Copies of the weights in GPU memory during training: weights, gradients and Adam's two moments."""

_TERA = 10**12
_GIGA = 10**9


@dataclass(frozen=True)
class Gpu:
    """Peak rates of a GPU from its data sheet: dense, without sparsity.

    Attributes:
        float32: float32 matrix products in FLOP/s; TF32 where supported, which TensorFlow and JAX use.
        bfloat16: bfloat16 matrix products in FLOP/s; the rate of float32 where bfloat16 is not supported.
        bandwidth: Memory bandwidth in bytes per second.
        memory_bytes: Memory in bytes.
        source: Address of the data sheet.
    """

    float32: float
    bfloat16: float
    bandwidth: float
    memory_bytes: int
    source: str


_NVIDIA = "https://www.nvidia.com/en-us/data-center"

GPUS: dict[str, Gpu] = {
    "t4": Gpu(8.1 * _TERA, 8.1 * _TERA, 300 * _GIGA, 16 * _GIGA, f"{_NVIDIA}/tesla-t4/"),
    "v100": Gpu(15.7 * _TERA, 15.7 * _TERA, 900 * _GIGA, 16 * _GIGA, f"{_NVIDIA}/v100/"),
    "l4": Gpu(60 * _TERA, 121 * _TERA, 300 * _GIGA, 24 * _GIGA, f"{_NVIDIA}/l4/"),
    "a10": Gpu(62.5 * _TERA, 125 * _TERA, 600 * _GIGA, 24 * _GIGA, f"{_NVIDIA}/products/a10-gpu/"),
    "l40s": Gpu(183 * _TERA, 362 * _TERA, 864 * _GIGA, 48 * _GIGA, f"{_NVIDIA}/l40s/"),
    "a100-40gb": Gpu(156 * _TERA, 312 * _TERA, 1555 * _GIGA, 40 * _GIGA, f"{_NVIDIA}/a100/"),
    "a100-80gb": Gpu(156 * _TERA, 312 * _TERA, 2039 * _GIGA, 80 * _GIGA, f"{_NVIDIA}/a100/"),
    "h100": Gpu(494 * _TERA, 989 * _TERA, 3350 * _GIGA, 80 * _GIGA, f"{_NVIDIA}/h100/"),
    "h200": Gpu(494 * _TERA, 989 * _TERA, 4800 * _GIGA, 141 * _GIGA, f"{_NVIDIA}/h200/"),
}
"""Data sheets by name; the SXM form where there are several."""


def gpu_by_name(name: str) -> Gpu:
    """Look up a GPU by its name or the label of a cluster's nodes (`nvidia-l4`, `nvidia-tesla-t4`).

    Raises:
        ConfigError: The GPU is unknown; the message names the nearest one.
    """
    short = name.lower().removeprefix("nvidia-").removeprefix("tesla-")
    if short not in GPUS:
        remedy = f"{suggest(short, GPUS)} For another GPU, give measured rates: --videos-per-second MODEL=N."
        raise ConfigError(f"--gpu: unknown GPU '{name}'. {remedy}")
    return GPUS[short]


def rates_by_model(given: Mapping[str, float], architectures: Mapping[str, str], gpu: Gpu | None) -> dict[str, float]:
    """Resolve given rates, by model or architecture, to rates by model.

    Args:
        given: Videos per second by model or architecture. A model's own rate overrides its architecture's.
        architectures: Architecture of each model.
        gpu: GPU for which the other models are estimated. None requires a rate for every model.

    Raises:
        ConfigError: A name is unknown, or a rate is missing.
    """
    known = {*architectures, *architectures.values()}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ConfigError(f"--videos-per-second: no model or architecture '{unknown[0]}'. {suggest(unknown[0], known)}")
    missing = [name for name, kind in architectures.items() if name not in given and kind not in given]
    if gpu is None and missing:
        raise ConfigError(f"--videos-per-second: no rate for {', '.join(missing)}. Give them, or a --gpu.")
    return {name: given.get(name, given.get(kind, 0.0)) for name, kind in architectures.items() if name not in missing}


@dataclass(frozen=True)
class Rate:
    """Throughput of a model.

    Attributes:
        videos_per_second: Videos per second.
        limit: The bottleneck: `compute`, `memory`, `recurrence`, `reading`, or `given` for a measured rate.
    """

    videos_per_second: float
    limit: str


class Throughput:
    """Throughput of all models of a recipe.

    Args:
        gpu: The GPU of each step. None if all rates are given.
        cpus: Number of CPUs that read videos for each GPU.
        flops: Weights and floating-point operations of each model.
        training: Training configuration of each model; batch size and precision count.
        given: Measured videos per second in training by model, which replace the estimates; see `rates_by_model`.
    """

    def __init__(
        self,
        *,
        gpu: Gpu | None,
        cpus: int,
        flops: Mapping[str, ModelFlops],
        training: Mapping[str, ResolvedTraining],
        given: Mapping[str, float],
    ) -> None:
        self.gpu, self._flops, self._training, self._given = gpu, flops, training, given
        self.reading = cpus * READ_PER_CPU

    def training(self, name: str) -> Rate:
        """Return the rate of a model in training. A given rate is not limited by reading."""
        given = self._given.get(name)
        if given is not None:
            return Rate(given, "given")
        flops, config = self._flops[name], self._training[name]
        frames = config.batch_size * flops.training_frames
        return self._limit_by_reading(
            config.batch_size,
            self._batch_seconds(
                config,
                flops=TRAINING_PASSES * config.batch_size * flops.training_flops,
                touches=TRAINING_TOUCHES * frames * flops.values_per_frame,
                weight_bytes=BYTES_PER_WEIGHT_AND_STEP * flops.size.parameters,
                cell_steps=TRAINING_PASSES * flops.cell_steps_per_frame * flops.training_frames,
            ),
        )

    def inference(self, names: Iterable[str], batch_size: int) -> Rate:
        """Return the rate of models that predict the same videos one after the other.

        Where a training rate is given, a prediction takes a third of a training step.
        """
        seconds: dict[str, float] = {}
        for name in names:
            given = self._given.get(name)
            flops, config = self._flops[name], self._training[name]
            if given is not None:
                parts = {"given": batch_size / (TRAINING_PASSES * given)}
            else:
                parts = self._batch_seconds(
                    config,
                    flops=batch_size * flops.inference_flops,
                    touches=FORWARD_TOUCHES * batch_size * flops.inference_frames * flops.values_per_frame,
                    weight_bytes=FLOAT_BYTES * flops.size.parameters,
                    cell_steps=flops.cell_steps_per_frame * flops.inference_frames,
                )
            for limit, part in parts.items():
                seconds[limit] = seconds.get(limit, 0.0) + part
        return self._limit_by_reading(batch_size, seconds)

    def _batch_seconds(
        self, config: ResolvedTraining, *, flops: float, touches: float, weight_bytes: float, cell_steps: int
    ) -> dict[str, float]:
        """Return the seconds that a batch takes, by bottleneck."""
        assert self.gpu
        half = config.precision == "mixed_bfloat16"
        compute = flops / (COMPUTE_SHARE * (self.gpu.bfloat16 if half else self.gpu.float32))
        carried = touches * (FLOAT_BYTES / 2 if half else FLOAT_BYTES) + weight_bytes
        memory = carried / (BANDWIDTH_SHARE * self.gpu.bandwidth)
        slower = {"compute": compute} if compute > memory else {"memory": memory}
        return slower | ({"recurrence": cell_steps * CELL_STEP_SECONDS} if cell_steps else {})

    def _limit_by_reading(self, videos: int, seconds: Mapping[str, float]) -> Rate:
        rate = videos / sum(seconds.values())
        if rate > self.reading:
            return Rate(self.reading, "reading")
        return Rate(rate, max(seconds, key=lambda limit: seconds[limit]))
