"""How much arithmetic a model is, from its weights' shapes."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

from yt8m.data.format import DataSpec
from yt8m.models import ARCHITECTURES, ModelConfig
from yt8m.models.pooled import OrderFreeConfig
from yt8m.models.sizes import ModelSize, measure

TRAINING_PASSES = 3
"""A step of training is as much arithmetic as three predictions: every matrix product has two gradients."""

FLOPS_PER_PRODUCT = 2
"""A multiplication and an addition."""


@dataclass(frozen=True)
class ModelFlops:
    """Floating-point operations of a model for one video, those of matrix products only.

    Batches are padded to the longest video, and padding is computed like frames, so a video's length does not matter.

    Attributes:
        size: The model's weights.
        per_frame: Multiply-adds for each frame.
        per_video: Multiply-adds besides.
        values_per_frame: Numbers a frame is turned into: features, assignments to clusters, recurrent cells' gates.
        cell_steps_per_frame: Steps of recurrent cells that must follow one another, for each frame.
        training_frames: Frames of a video in training.
        inference_frames: Frames of a video in inference.
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
        """Of a forward pass in training."""
        return FLOPS_PER_PRODUCT * (self.per_frame * self.training_frames + self.per_video)

    @cached_property
    def inference_flops(self) -> int:
        """Of a prediction."""
        return FLOPS_PER_PRODUCT * (self.per_frame * self.inference_frames + self.per_video)


def count_flops(config: ModelConfig, spec: DataSpec) -> ModelFlops:
    """Count a model's matrix products.

    Every kernel is multiplied once: with each frame if it belongs to the pooling and makes no gate of a whole video's
    descriptor, else once a video. What a family multiplies besides (assignments with frames), it says itself.

    Args:
        config: The model's configuration.
        spec: Features, classes and longest video of the data.
    """
    size = measure(config, spec)
    kernels = [(name, shape) for name, shape in size.weights if name.endswith("kernel")]
    frame_kernels = [(name, shape) for name, shape in kernels if _meets_every_frame(name)]
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


def _meets_every_frame(name: str) -> bool:
    return name.startswith("pooling/") and "/gate" not in name


def _training_frames(config: ModelConfig, spec: DataSpec) -> int:
    sampled = config.num_sampled_frames if isinstance(config, OrderFreeConfig) else "all"
    return sampled if isinstance(sampled, int) else spec.max_frames
