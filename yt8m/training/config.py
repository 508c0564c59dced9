"""Configuration of a training, as recipes have it and with all its values."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from yt8m.config import Config

Auto = Literal["auto"]
"""A value that `yt8m.training.auto` chooses from the counts of the data."""

Momentum = Annotated[float, Field(ge=0, lt=1)]
InitialBias = Literal["zero", "class_frequencies"]


class TrainingConfig(Config):
    """Epochs, optimizer, precision and checkpoints of a training.

    `auto`, the default of what depends on the amount of data, is replaced by a value that suits the number of training
    videos. `yt8m plan` shows these values with their reasons, as does the run's report. All other defaults are the
    paper's, or those of its authors' published code and configurations.

    Attributes:
        epochs: Number of passes over the training videos (the paper: about 10; 20 for RNN2). `auto` makes more
            passes over fewer videos, so that there are steps enough.
        batch_size: Number of videos per step (the paper: 80 for DBoF and NetFV, 160 for NetVLAD, 256 for LSTM, 220 for
            GRU). Videos that do not fill a last batch are dropped; these are different videos in every epoch. `auto`
            takes more for more videos, and never more than there are training videos.
        learning_rate: Learning rate of Adam at the beginning (the paper: 2.0e-4). `auto` takes a higher one for fewer
            steps, and a fifth of it for a model that starts from a trained one.
        warmup_steps: Number of steps at the beginning in which the learning rate rises linearly (the paper: 0). Adam's
            first steps have the size of the rate, however small the gradients are, and a high rate can ruin a model in
            them. `auto` is 20, and at most a tenth of all steps.
        learning_rate_decay: Factor by which the learning rate is multiplied after every `decay_examples` videos; 1
            keeps the rate (the paper: 0.8; 0.95 for DBoF and RNN).
        decay_examples: Number of training videos after which the learning rate decays, repeated ones included (the
            paper: 4_000_000, which is 11 times in a training). `auto` decays as often as the paper over the whole
            training, however long it is.
        clip_norm: Norm to which the gradient of each weight tensor is clipped by itself (the paper: 1.0). Null does
            not clip. A recurrent cell has three tensors, each for all gates: the weights of its inputs, the weights of
            its state, and the biases. In TensorFlow 1, which the paper's authors used, one tensor holds the weights of
            inputs and state: of all gates in an LSTM; in a GRU, one of the two gates and one of the candidate. So the
            gradients of RNNs are clipped in other groups here.
        batch_norm_momentum: Momentum of the moving statistics of batch normalization (the paper: 0.999). The statistics
            start at 0 and 1 and need some thousand steps to converge; with a large momentum, a short training ends
            before that. `auto` is null: the statistics do not move with the training, but are measured on training
            videos before the model predicts, so that no momentum has to suit the number of steps.
        initial_bias: Initial biases of the head (the paper: zero): `zero`, or `class_frequencies`, with which the model
            first predicts every class by its frequency in the training videos. With zero, it takes thousands of steps
            until the predictions of rare classes have decreased, and soft targets of teachers in that phase teach
            nothing else. `auto` is `class_frequencies`.
        keep: Epoch whose weights become the model (the paper: last): `best`, the one with the highest GAP on a sample
            of the hold-out, or `last`. After every epoch, at most 2_000 of the hold-out videos on which decisions are
            made are predicted. Too many epochs then cost time, but not quality.
        patience: Number of epochs without a higher GAP on the sample after which a training with `keep: best` ends
            early (the paper: null). Null never ends early.
        class_weights: Factor of each class's loss (the paper: none). `{3: 2.0}` weights the class with number 3 twice,
            and the others once. Instead of a number, a class may have the name that `export.vocabulary` or the data set
            gives it: `{cat: 2.0}`. `balanced` weights a class by the inverse of its number of training videos, between
            0.1 and 10, so that rare classes count more; GAP, which counts frequent classes more, then usually falls.
            Null weights all classes equally.
        seed: Seed of initial weights, order of videos, frame sampling and dropout. The default is the recipe's `seed`.
            The same seed and configuration give the same weights.
        precision: Number format of the computation (the paper: float32): `float32`, or `mixed_bfloat16`, which computes
            in bfloat16 and keeps weights, batch statistics and loss in float32. It is faster on GPUs that support it.
        jit_compile: Whether XLA compiles the training step: the first step takes longer, the others less time. `auto`
            compiles on accelerators only.
        memory_bytes: Largest training set, in bytes including padding, that is kept in memory and shuffled as a whole.
            Larger ones are read from their shards in every epoch and shuffled within a buffer. `auto` is 1 GB; raise it
            on a machine with more memory.
        checkpoint_every_seconds: Seconds between two checkpoints within an epoch, from which an interrupted training
            continues. Every epoch ends with a checkpoint, too.
        checkpoint_every_steps: Steps between two checkpoints within an epoch, in addition to those by time. 0 disables
            them.
    """

    epochs: PositiveInt | Auto = "auto"
    batch_size: PositiveInt | Auto = "auto"
    learning_rate: PositiveFloat | Auto = "auto"
    warmup_steps: NonNegativeInt | Auto = "auto"
    learning_rate_decay: float = Field(default=0.8, gt=0, le=1)
    decay_examples: PositiveInt | Auto = "auto"
    clip_norm: PositiveFloat | None = 1.0
    batch_norm_momentum: Momentum | Auto | None = "auto"
    initial_bias: InitialBias | Auto = "auto"
    keep: Literal["best", "last"] = "best"
    patience: PositiveInt | None = 10
    class_weights: Mapping[NonNegativeInt, PositiveFloat] | Literal["balanced"] | None = None
    seed: NonNegativeInt = Field(default=0, lt=2**31)
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    jit_compile: Literal["auto"] | bool = "auto"
    memory_bytes: NonNegativeInt | Auto = "auto"
    checkpoint_every_seconds: PositiveFloat = 300.0
    checkpoint_every_steps: NonNegativeInt = 0

    @field_validator("class_weights", mode="before")
    @classmethod
    def _classes_have_numbers(cls, weights: Any) -> Any:
        if not isinstance(weights, dict):
            return weights
        if named := [key for key in weights if not re.fullmatch(r"\d+", str(key), re.ASCII)]:
            raise ValueError(
                f"no class '{named[0]}' is known. Give numbers of classes, from 0, or names in export.vocabulary"
            )
        return {int(key): weight for key, weight in weights.items()}


class ResolvedTraining(TrainingConfig):
    """A training whose values are all known; `yt8m.training.auto` makes it.

    Attributes:
        batch_norm_momentum: Momentum of the moving statistics of batch normalization. None measures the statistics
            before predictions.
        warmup_steps: Number of steps in which the learning rate rises. Records of earlier versions have none.
    """

    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    warmup_steps: NonNegativeInt = 0
    decay_examples: PositiveInt
    batch_norm_momentum: Momentum | None
    initial_bias: InitialBias
    memory_bytes: NonNegativeInt
