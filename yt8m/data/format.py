"""Format of the videos of a data set: features, classes, length, and features as bytes."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from yt8m.config import Config

# Uniform quantization with 256 levels over [-2, 2], as in YouTube-8M's published dequantization:
# value = byte * 4 / 255 + 4 / 512 - 2, from -1.9921875 to 2.0078125.
SCALE = 4 / 255
OFFSET = 4 / 512 - 2


class DataSpec(Config):
    """Features, classes and length of the videos; the defaults are YouTube-8M's (2018).

    Attributes:
        features: Name and size of every frame feature, in the order in which they are concatenated.
        num_classes: Number of classes `C`; labels are 0 to `C - 1`.
        max_frames: Maximum number of frames `T` per video; longer videos are truncated (YouTube-8M: 300, though a few
            videos have 301).
    """

    features: dict[str, PositiveInt] = Field(default={"rgb": 1024, "audio": 128}, min_length=1)
    num_classes: PositiveInt = Field(default=3862, le=65536)
    max_frames: PositiveInt = 300

    @property
    def num_features(self) -> int:
        """Size `D` of a frame with all its features."""
        return sum(self.features.values())


def mean_name(feature: str) -> str:
    """Return the name of a frame feature's mean in video-level records."""
    return f"mean_{feature}"


def dequantize(array: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert bytes to the float values they encode, in the same shape."""
    values: NDArray[np.float32] = array.astype(np.float32) * np.float32(SCALE) + np.float32(OFFSET)
    return values
