"""Base configuration of all model architectures, and an entry of their registry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from yt8m.config import Config
from yt8m.models.head import Head, MixtureOfExpertsConfig


class ArchitectureConfig(Config):
    """Base of the architectures' configurations.

    Attributes:
        architecture: Name of the architecture in `ARCHITECTURES`.
        head: Layers from the video's features to class probabilities.
    """

    architecture: str
    head: Head = MixtureOfExpertsConfig()


@dataclass(frozen=True)
class Architecture:
    """An architecture in the registry.

    Attributes:
        config: Class of its configuration.
        build: Function that builds the model from a configuration of this class and a `DataSpec`: a Keras model from
            `{"frames": float32 (B, T, D), "num_frames": int32 (B,)}`, frames dequantized, L2-normalized and exactly 0
            where padded, to probabilities `(B, C)`.
        pooling_products: Function of the same arguments that counts the multiply-adds per frame in the pooling that
            involve no weight named `kernel`; see `yt8m.models.flops`. Zero by default.
    """

    config: type[ArchitectureConfig]
    build: Callable[[Any, Any], Any]
    pooling_products: Callable[[Any, Any], int] = lambda _config, _spec: 0
