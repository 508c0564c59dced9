"""How a model is trained."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from yt8m.config import Config
from yt8m.layers import BATCH_NORM_MOMENTUM


class TrainingConfig(Config):
    """Steps, optimizer, precision and checkpoints of one training; the defaults are the winners'.

    Attributes:
        epochs: Passes over the training videos (about 10; their code).
        batch_size: Videos per step (80 to 256; paper, section 4.1). Every epoch drops the fewer than `batch_size`
            videos that its order leaves over, other ones in every epoch.
        learning_rate: Of Adam (2e-4; their configurations).
        learning_rate_decay: Factor at every stair (0.8; 0.95 for DBoF and RNN; their configurations).
        decay_examples: Videos, repeated ones included, from stair to stair (4,000,000; their configurations).
        clip_norm: Norm to which each gradient tensor by itself is clipped (1.0; their code); none: not clipped.
        batch_norm_momentum: Of the moving statistics of batch normalization (0.999; their code). They start from 0 and
            1 and have seen enough after some thousand steps; shorter trainings need less, such as 0.9.
        initial_bias: Biases of the head at the start: `zero` (the winners), or those that give every class its
            frequency in the training videos (ours). From zero the classes, nearly all of them rare, take thousands of
            steps to come down, and soft targets of teachers that are not there yet teach nothing else.
        seed: Of initial weights, order of videos, drawn frames and dropout. Same seed and configuration, same weights.
        precision: `mixed_bfloat16` computes in bfloat16 with weights, batch statistics and loss in float32 (ours).
        jit_compile: Whether XLA compiles the step; `auto`: where there is an accelerator (ours).
        memory_bytes: Training sets that take no more than this, padding included, are held in memory and shuffled as a
            whole; larger ones are read from their shards in every epoch and shuffled within a buffer (ours).
        checkpoint_every_seconds: Time between two checkpoints within an epoch; each epoch ends with one, too (ours).
        checkpoint_every_steps: Steps between two checkpoints within an epoch, besides; 0: by time only (ours).
    """

    epochs: PositiveInt = 10
    batch_size: PositiveInt = 80
    learning_rate: PositiveFloat = 2e-4
    learning_rate_decay: float = Field(default=0.8, gt=0, le=1)
    decay_examples: PositiveInt = 4_000_000
    clip_norm: PositiveFloat | None = 1.0
    batch_norm_momentum: float = Field(default=BATCH_NORM_MOMENTUM, ge=0, lt=1)
    initial_bias: Literal["zero", "class_frequencies"] = "zero"
    seed: NonNegativeInt = Field(default=0, lt=2**31)
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    jit_compile: Literal["auto"] | bool = "auto"
    memory_bytes: NonNegativeInt = 512 << 20
    checkpoint_every_seconds: PositiveFloat = 300.0
    checkpoint_every_steps: NonNegativeInt = 0
