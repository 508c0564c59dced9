"""Configuration of a training."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from yt8m.config import Config
from yt8m.layers import BATCH_NORM_MOMENTUM


class TrainingConfig(Config):
    """Epochs, optimizer, precision and checkpoints of a training.

    The defaults are the winners', taken from the paper, their code or their configurations. Settings marked
    "ours" did not exist there.

    Attributes:
        epochs: Number of passes over the training videos (about 10; their code).
        batch_size: Videos per step (80 to 256; paper, section 4.1). Videos that do not fill a last batch are dropped;
            these are different videos in every epoch.
        learning_rate: Initial learning rate of Adam (2e-4; their configurations).
        learning_rate_decay: Factor by which the learning rate is multiplied at every step of the staircase (0.8; 0.95
            for DBoF and RNN; their configurations).
        decay_examples: Training videos between two steps of the staircase, repeated ones included (4,000,000; their
            configurations).
        clip_norm: Norm to which each gradient tensor is clipped (1.0; their code). Null does not clip.
        batch_norm_momentum: Momentum of the moving statistics of batch normalization (0.999; their code). The
            statistics start at 0 and 1 and need some thousand steps to converge; shorter trainings need a smaller
            momentum, such as 0.9.
        initial_bias: Initial biases of the head: `zero` (the winners), or `class_frequencies`, with which the model
            first predicts every class by its frequency in the training videos (ours). With zero, it takes thousands of
            steps until the predictions of rare classes have decreased, and soft targets of teachers in that phase
            teach nothing else.
        seed: Seed of initial weights, order of videos, frame sampling and dropout. The same seed and configuration give
            the same weights.
        precision: `float32`, or `mixed_bfloat16`, which computes in bfloat16 and keeps weights, batch statistics and
            loss in float32 (ours).
        jit_compile: Whether XLA compiles the training step. `auto` compiles on accelerators only (ours).
        memory_bytes: Largest training set, in bytes including padding, that is kept in memory and shuffled as a whole.
            Larger ones are read from their shards in every epoch and shuffled within a buffer (ours).
        checkpoint_every_seconds: Seconds between two checkpoints within an epoch. Every epoch ends with a checkpoint,
            too (ours).
        checkpoint_every_steps: Steps between two checkpoints within an epoch, in addition to those by time. 0 disables
            them (ours).
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
