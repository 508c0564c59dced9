"""Sizes of generated data sets."""

from pydantic import Field, PositiveInt

from yt8m.config import Config
from yt8m.data.format import DataSpec


class Preset(Config):
    """Sizes of a generated data set.

    Attributes:
        spec: Features, classes and longest video.
        videos: Videos in all: training, validation and unlabelled ones.
        videos_per_shard: Videos in a training shard.
        videos_per_validation_shard: Videos in a validation or unlabelled shard.
        word_share: Part of a scene's variance that its visual word explains; the rest is particular to the scene.
            The more features there are, the easier the same share is to see.
        shortest_scene: Least mean length of a scene in frames; short videos have short scenes.
    """

    spec: DataSpec
    videos: PositiveInt
    videos_per_shard: PositiveInt
    videos_per_validation_shard: PositiveInt
    word_share: float = Field(gt=0, lt=1)
    shortest_scene: float = Field(default=2.0, ge=1)


PRESETS: dict[str, Preset] = {
    # For tests: made in a second, learnt in some.
    "smoke": Preset(
        spec=DataSpec(features={"rgb": 32, "audio": 8}, num_classes=24, max_frames=16),
        videos=1000,
        videos_per_shard=100,
        videos_per_validation_shard=25,
        word_share=0.8,
    ),
    # For `make demo`: some seconds to make; five families of small models learn it in minutes on two cores.
    "demo": Preset(
        spec=DataSpec(features={"rgb": 64, "audio": 16}, num_classes=48, max_frames=24),
        videos=12_000,
        videos_per_shard=500,
        videos_per_validation_shard=125,
        word_share=0.7,
    ),
    # The original's sizes.
    "yt8m": Preset(
        spec=DataSpec(),
        videos=10_000,
        videos_per_shard=1000,
        videos_per_validation_shard=250,
        word_share=0.25,
    ),
}
