"""What every model family has in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from yt8m.config import Config
from yt8m.models.head import Head, MixtureOfExpertsConfig


class FamilyConfig(Config):
    """Base of the families' configurations.

    Attributes:
        family: The family's name in `FAMILIES`.
        head: From the video's features to class probabilities.
    """

    family: str
    head: Head = MixtureOfExpertsConfig()


@dataclass(frozen=True)
class Family:
    """A family of models.

    Attributes:
        config: Its configuration.
        build: Builds the model from a configuration of this class and a `DataSpec`: a Keras model from
            `{"frames": float32 (B, T, D), "num_frames": int32 (B,)}`, frames dequantized, L2-normalized and exactly 0
            where padded, to probabilities `(B, C)`.
        pooling_products: Multiply-adds of a frame in the pooling, other than with weights named `kernel`: how much
            arithmetic a model is, see `yt8m.models.flops`. Called with the same; nothing by default.
    """

    config: type[FamilyConfig]
    build: Callable[[Any, Any], Any]
    pooling_products: Callable[[Any, Any], int] = lambda _config, _spec: 0
