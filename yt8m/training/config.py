"""Configuration of a training."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from yt8m.config import Config
from yt8m.layers import BATCH_NORM_MOMENTUM


class TrainingConfig(Config):
    """Epochs, optimizer, precision and checkpoints of a training.

    The defaults are the paper's, or those of its authors' published code and configurations.

    Attributes:
        epochs: Number of passes over the training videos (the paper: about 10; 20 for RNN2).
        batch_size: Number of videos per step (the paper: 80 for DBoF and NetFV, 160 for NetVLAD, 256 for LSTM, 220 for
            GRU). Videos that do not fill a last batch are dropped; these are different videos in every epoch.
        learning_rate: Learning rate of Adam at the beginning (the paper: 2.0e-4). A run with few steps needs a higher
            one, such as 0.004 for a few hundred steps.
        learning_rate_decay: Factor by which the learning rate is multiplied after every `decay_examples` videos; 1
            keeps the rate (the paper: 0.8; 0.95 for DBoF and RNN).
        decay_examples: Number of training videos after which the learning rate decays, repeated ones included (the
            paper: 4_000_000). Shorter trainings need a smaller number, or the rate stays as it is.
        clip_norm: Norm to which the gradient of each weight tensor is clipped by itself (the paper: 1.0). Null does
            not clip. A recurrent cell has three tensors, each for all gates: the weights of its inputs, the weights of
            its state, and the biases. In TensorFlow 1, which the paper's authors used, one tensor holds the weights of
            inputs and state: of all gates in an LSTM; in a GRU, one of the two gates and one of the candidate. So the
            gradients of RNNs are clipped in other groups here.
        batch_norm_momentum: Momentum of the moving statistics of batch normalization (the paper: 0.999). The statistics
            start at 0 and 1 and need some thousand steps to converge; shorter trainings need a smaller momentum, such
            as 0.9.
        initial_bias: Initial biases of the head (the paper: zero): `zero`, or `class_frequencies`, with which the model
            first predicts every class by its frequency in the training videos. With zero, it takes thousands of steps
            until the predictions of rare classes have decreased, and soft targets of teachers in that phase teach
            nothing else.
        keep: Epoch whose weights become the model: `best`, the one with the highest GAP on a sample of the hold-out, or
            `last` (the paper). After every epoch, at most 2_000 of the hold-out videos on which decisions are made are
            predicted. Too many epochs then cost time, but not quality.
        patience: Number of epochs without a higher GAP on the sample after which a training with `keep: best` ends
            early (the paper: null). Null never ends early.
        class_weights: Factor of each class's loss (the paper: none). `{3: 2.0}` weights the class with number 3 twice,
            and the others once. `balanced` weights a class by the inverse of its number of training videos, between
            0.1 and 10, so that rare classes count more; GAP, which counts frequent classes more, then usually falls.
            Null weights all classes equally.
        seed: Seed of initial weights, order of videos, frame sampling and dropout. The default is the recipe's `seed`.
            The same seed and configuration give the same weights.
        precision: Number format of the computation (the paper: float32): `float32`, or `mixed_bfloat16`, which computes
            in bfloat16 and keeps weights, batch statistics and loss in float32. It is faster on GPUs that support it.
        jit_compile: Whether XLA compiles the training step: the first step takes longer, the others less time. `auto`
            compiles on accelerators only.
        memory_bytes: Largest training set, in bytes including padding, that is kept in memory and shuffled as a whole.
            Larger ones are read from their shards in every epoch and shuffled within a buffer.
        checkpoint_every_seconds: Seconds between two checkpoints within an epoch, from which an interrupted training
            continues. Every epoch ends with a checkpoint, too.
        checkpoint_every_steps: Steps between two checkpoints within an epoch, in addition to those by time. 0 disables
            them.
    """

    epochs: PositiveInt = 10
    batch_size: PositiveInt = 80
    learning_rate: PositiveFloat = 2e-4
    learning_rate_decay: float = Field(default=0.8, gt=0, le=1)
    decay_examples: PositiveInt = 4_000_000
    clip_norm: PositiveFloat | None = 1.0
    batch_norm_momentum: float = Field(default=BATCH_NORM_MOMENTUM, ge=0, lt=1)
    initial_bias: Literal["zero", "class_frequencies"] = "zero"
    keep: Literal["best", "last"] = "best"
    patience: PositiveInt | None = 10
    class_weights: Mapping[NonNegativeInt, PositiveFloat] | Literal["balanced"] | None = None
    seed: NonNegativeInt = Field(default=0, lt=2**31)
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    jit_compile: Literal["auto"] | bool = "auto"
    memory_bytes: NonNegativeInt = 512 << 20
    checkpoint_every_seconds: PositiveFloat = 300.0
    checkpoint_every_steps: NonNegativeInt = 0
