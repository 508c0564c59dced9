"""Videos a second: measured ones where they are given, else what an accelerator's data sheet lets hope for.

A batch takes as long as the slower of two: its matrix products, and what is carried between chip and memory (values of
frames, weights, the optimizer's moments). Steps of recurrent cells come on top, for each waits for the one before. And
no model is faster than its videos are read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.cost.gpus import Gpu
from yt8m.errors import ConfigError, suggest
from yt8m.models.flops import TRAINING_PASSES, ModelWork
from yt8m.training.config import TrainingConfig

# Assumed, not measured: no accelerator was at hand. Shares of the data sheet's rates that such models reach.
COMPUTE_SHARE = 0.4
BANDWIDTH_SHARE = 0.6
# Assumed: one step of one recurrent cell, which starts several small kernels.
CELL_STEP_SECONDS = 30e-6
# How often every value of a frame is written or read: forward, the product's result, statistics, normalization,
# activation, next product; backward twice as often.
FORWARD_TOUCHES = 4
TRAINING_TOUCHES = TRAINING_PASSES * FORWARD_TOUCHES
# Of each float32 weight in a step: read forward and backward; gradient written, read for its norm, read by Adam;
# weight and two moments read and written.
BYTES_PER_WEIGHT_AND_STEP = 4 * (2 + 3 + 6)
FLOAT_BYTES = 4
# `benchmarks/read_videos.py`: videos of 272 kB for each second of a processor, rounded down.
READ_PER_CPU = 1900.0

WEIGHT_COPIES = 4
"""Weights, gradients and two moments are in the accelerator's memory while it trains."""


@dataclass(frozen=True)
class Rate:
    """How fast a model goes through videos.

    Attributes:
        videos_per_second: That.
        limit: What keeps it from being faster: `compute`, `memory`, `recurrence`, `reading` or `given`.
    """

    videos_per_second: float
    limit: str


def rates_by_model(given: Mapping[str, float], architectures: Mapping[str, str], gpu: Gpu | None) -> dict[str, float]:
    """Resolve given rates, by model or architecture, to rates by model.

    Args:
        given: Videos per second by model or architecture. A model's own rate overrides its architecture's.
        architectures: Architecture of each model.
        gpu: What the other models are estimated for; None if all rates must be given.

    Raises:
        ConfigError: A rate is given for nothing, or missing.
    """
    known = {*architectures, *architectures.values()}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ConfigError(f"--videos-per-second: no model or architecture '{unknown[0]}'. {suggest(unknown[0], known)}")
    missing = [name for name, kind in architectures.items() if name not in given and kind not in given]
    if gpu is None and missing:
        raise ConfigError(f"--videos-per-second: no rate for {', '.join(missing)}. Give them, or a --gpu.")
    return {name: given.get(name, given.get(kind, 0.0)) for name, kind in architectures.items() if name not in missing}


class Throughput:
    """Rates of all models of a recipe.

    Args:
        gpu: The accelerator, one for each step; None if all rates are given.
        cpus: Processors that read videos for each accelerator.
        works: Arithmetic of each model.
        training: Batch size and precision of each model.
        given: Measured videos a second in training by model, which replace estimates; see `rates_by_model`.
    """

    def __init__(
        self,
        *,
        gpu: Gpu | None,
        cpus: int,
        works: Mapping[str, ModelWork],
        training: Mapping[str, TrainingConfig],
        given: Mapping[str, float],
    ) -> None:
        self.gpu, self.works, self._training, self._given = gpu, works, training, given
        self.reading = cpus * READ_PER_CPU

    def training(self, name: str) -> Rate:
        """A model in training; a given rate is taken as it is."""
        given = self._given.get(name)
        if given is not None:
            return Rate(given, "given")
        work, config = self.works[name], self._training[name]
        frames = config.batch_size * work.training_frames
        return self._slower_of_reading(
            config.batch_size,
            self._seconds(
                config,
                flops=TRAINING_PASSES * config.batch_size * work.training_flops,
                touches=TRAINING_TOUCHES * frames * work.values_per_frame,
                weight_bytes=BYTES_PER_WEIGHT_AND_STEP * work.size.parameters,
                cell_steps=TRAINING_PASSES * work.cell_steps_per_frame * work.training_frames,
            ),
        )

    def inference(self, names: Iterable[str], batch_size: int) -> Rate:
        """Models that predict the same videos one after the other; a prediction is a third of a step of training."""
        seconds: dict[str, float] = {}
        for name in names:
            given = self._given.get(name)
            work, config = self.works[name], self._training[name]
            if given is not None:
                parts = {"given": batch_size / (TRAINING_PASSES * given)}
            else:
                parts = self._seconds(
                    config,
                    flops=batch_size * work.inference_flops,
                    touches=FORWARD_TOUCHES * batch_size * work.inference_frames * work.values_per_frame,
                    weight_bytes=FLOAT_BYTES * work.size.parameters,
                    cell_steps=work.cell_steps_per_frame * work.inference_frames,
                )
            for limit, part in parts.items():
                seconds[limit] = seconds.get(limit, 0.0) + part
        return self._slower_of_reading(batch_size, seconds)

    def _seconds(
        self, config: TrainingConfig, *, flops: float, touches: float, weight_bytes: float, cell_steps: int
    ) -> dict[str, float]:
        """Seconds of a batch by what they are spent on."""
        assert self.gpu
        half = config.precision == "mixed_bfloat16"
        compute = flops / (COMPUTE_SHARE * (self.gpu.bfloat16 if half else self.gpu.float32))
        carried = touches * (FLOAT_BYTES / 2 if half else FLOAT_BYTES) + weight_bytes
        memory = carried / (BANDWIDTH_SHARE * self.gpu.bandwidth)
        slower = {"compute": compute} if compute > memory else {"memory": memory}
        return slower | ({"recurrence": cell_steps * CELL_STEP_SECONDS} if cell_steps else {})

    def _slower_of_reading(self, videos: int, seconds: Mapping[str, float]) -> Rate:
        rate = videos / sum(seconds.values())
        if rate > self.reading:
            return Rate(self.reading, "reading")
        return Rate(rate, max(seconds, key=lambda limit: seconds[limit]))
