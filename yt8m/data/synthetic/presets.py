"""Presets: named sizes of synthetic data sets."""

from pydantic import Field, PositiveInt

from yt8m.config import Config
from yt8m.data.format import DataSpec


class Preset(Config):
    """Sizes of a synthetic data set.

    Attributes:
        spec: Features, classes and length of the longest video.
        videos: Number of videos in all splits together.
        videos_per_shard: Number of videos in a training shard.
        videos_per_validation_shard: Number of videos in a validation or test shard.
        word_share: Share of a scene's variance that its visual word explains. More features make the same share easier
            to detect.
        shortest_scene: Lower bound of the mean scene length in frames, for short videos.
    """

    spec: DataSpec
    videos: PositiveInt
    videos_per_shard: PositiveInt
    videos_per_validation_shard: PositiveInt
    word_share: float = Field(gt=0, lt=1)
    shortest_scene: float = Field(default=2.0, ge=1)


PRESETS: dict[str, Preset] = {
    # For tests: generated in a second, learned in a few seconds.
    "smoke": Preset(
        spec=DataSpec(features={"rgb": 32, "audio": 8}, num_classes=24, max_frames=16),
        videos=1000,
        videos_per_shard=100,
        videos_per_validation_shard=25,
        word_share=0.8,
    ),
    # For `make demo`: generated in seconds; small models of five architectures learn it in minutes on two cores.
    "demo": Preset(
        spec=DataSpec(features={"rgb": 64, "audio": 16}, num_classes=48, max_frames=24),
        videos=12_000,
        videos_per_shard=500,
        videos_per_validation_shard=125,
        word_share=0.7,
    ),
    # The sizes of YouTube-8M.
    "yt8m": Preset(
        spec=DataSpec(),
        videos=10_000,
        videos_per_shard=1000,
        videos_per_validation_shard=250,
        word_share=0.25,
    ),
}
