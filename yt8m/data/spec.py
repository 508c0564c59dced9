"""What the videos of a data set look like."""

from pydantic import Field, PositiveInt

from yt8m.config import Config


class DataSpec(Config):
    """Features, classes and length of the videos; the defaults are YouTube-8M's (2018).

    Attributes:
        features: Name and size of every frame feature, in the order in which they are concatenated.
        num_classes: Number of classes `C`; labels are 0 to `C - 1`.
        max_frames: Frames `T` kept of a video; later ones are cut (YouTube-8M: 300, though 301 occur).
    """

    features: dict[str, PositiveInt] = Field(default={"rgb": 1024, "audio": 128}, min_length=1)
    num_classes: PositiveInt = Field(default=3862, le=65536)
    max_frames: PositiveInt = 300

    @property
    def num_features(self) -> int:
        """Size `D` of a frame: all features together."""
        return sum(self.features.values())
