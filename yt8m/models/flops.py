"""Floating-point operations of a model, computed from the shapes of its weights."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

from yt8m.data.format import DataSpec
from yt8m.models import ARCHITECTURES, ModelConfig
from yt8m.models.pooled import OrderFreeConfig
from yt8m.models.sizes import ModelSize, measure

TRAINING_PASSES = 3
"""FLOPs of a training step in multiples of a prediction: a forward pass, and two gradients of each product."""

FLOPS_PER_PRODUCT = 2
"""FLOPs of a multiply-add."""


@dataclass(frozen=True)
class ModelFlops:
    """Floating-point operations of a model per video, counting matrix products only.

    Batches are padded to the longest video and padding is computed like real frames, so the length of a video does not
    matter.

    Attributes:
        size: Names and shapes of the model's weights.
        per_frame: Multiply-adds per frame.
        per_video: Multiply-adds per video that do not depend on the number of frames.
        values_per_frame: Number of activations per frame: features, cluster assignments, gates of recurrent cells.
        cell_steps_per_frame: Number of recurrent cell steps per frame, which cannot run in parallel.
        training_frames: Frames per video in training.
        inference_frames: Frames per video in inference.
    """

    size: ModelSize
    per_frame: int
    per_video: int
    values_per_frame: int
    cell_steps_per_frame: int
    training_frames: int
    inference_frames: int

    @cached_property
    def training_flops(self) -> int:
        """FLOPs of a forward pass in training."""
        return FLOPS_PER_PRODUCT * (self.per_frame * self.training_frames + self.per_video)

    @cached_property
    def inference_flops(self) -> int:
        """FLOPs of a prediction."""
        return FLOPS_PER_PRODUCT * (self.per_frame * self.inference_frames + self.per_video)


def count_flops(config: ModelConfig, spec: DataSpec) -> ModelFlops:
    """Count the multiply-adds of a model.

    A kernel of the pooling is multiplied once per frame, unless it belongs to a gate. All other kernels are multiplied
    once per video. The architecture's `pooling_products` counts products without a kernel, such as assignments times
    frames.

    Args:
        config: Configuration of the model.
        spec: Features, classes and maximum length of the videos.
    """
    size = measure(config, spec)
    kernels = [(name, shape) for name, shape in size.weights if name.endswith("kernel")]
    frame_kernels = [(name, shape) for name, shape in kernels if _is_applied_per_frame(name)]
    frame_products = sum(prod(shape) for _, shape in frame_kernels)
    cells = [name for name, _ in kernels if name.endswith("recurrent_kernel")]
    return ModelFlops(
        size=size,
        per_frame=frame_products + ARCHITECTURES[config.architecture].pooling_products(config, spec),
        per_video=sum(prod(shape) for _, shape in kernels) - frame_products,
        values_per_frame=spec.num_features + sum(shape[-1] for name, shape in frame_kernels if name not in cells),
        cell_steps_per_frame=len(cells),
        training_frames=_training_frames(config, spec),
        inference_frames=spec.max_frames,
    )


def _is_applied_per_frame(name: str) -> bool:
    parts = name.split("/")  # the second one is named after a feature
    return parts[0] == "pooling" and not any(part.startswith("gate") for part in parts[2:])


def _training_frames(config: ModelConfig, spec: DataSpec) -> int:
    sampled = config.num_sampled_frames if isinstance(config, OrderFreeConfig) else "all"
    return sampled if isinstance(sampled, int) else spec.max_frames
