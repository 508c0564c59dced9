"""Format of the videos of a data set: features, classes, length, and features as bytes."""

import re
import unicodedata
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, field_validator, model_validator

from yt8m.config import Config
from yt8m.errors import suggest

# Formulas of YouTube-8M with the lowest and the highest value of a feature's range.
DEQUANTIZATION = "value = byte * (high - low) / 255 + (high - low) / 512 + low"
QUANTIZATION = "byte = round((value - low - (high - low) / 512) * 255 / (high - low)), at least 0 and at most 255"

# Floats that a byte stands for in YouTube-8M, from its lowest to its highest value.
YT8M_RANGE = (-2.0, 2.0)
# Keys of the id in YouTube-8M of 2018 and 2016.
ID_KEYS = ("id", "video_id")
# Key under which imported records name the group of a video.
GROUP_KEY = "group"
WEIGHT_KEY = "weight"

# Largest number of classes.
MOST_CLASSES = 65536
# Largest absolute value of a range. Squares of larger values could overflow.
LARGEST_VALUE = 1e12

# All but tabs and ends of lines.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# One number for all columns of a frame, or an array with one for each.
Scale = float | NDArray[np.float32]


class RecordLayout(Config):
    """Keys and forms of what records hold, for shards that differ from YouTube-8M's.

    Attributes:
        id: Key of the video's id. Empty means `id`, or `video_id` in records without it.
        group: Key of the text that names the video's group, for instance its channel or the recording that it was cut
            from. Videos of one group always belong to the same part of the hold-out. Empty means that videos have no
            groups; a video without this key is a group of its own.
        weight: Key of the factor of the video's loss in training, a float that is at least 0, for instance how far its
            labels can be trusted. A video without this key has the factor 1. Empty means that videos have no weights.
            Metrics do not use them.
        labels: Key of the labels.
        label_form: `numbers` if a record has the numbers of the video's classes, `multi_hot` if it has a 0 or 1 for
            every class as integers, `multi_hot_floats` if it has them as floats.
        frames: `bytes` if a frame is a string of quantized values, `floats` if it is a list of floats, which readers
            quantize to the range of the feature.
    """

    id: str = ""
    group: str = ""
    weight: str = ""
    labels: str = Field(default="labels", min_length=1)
    label_form: Literal["numbers", "multi_hot", "multi_hot_floats"] = "numbers"
    frames: Literal["bytes", "floats"] = "bytes"

    @model_validator(mode="after")
    def _group_is_not_labels(self) -> Self:
        if self.group == self.labels:
            raise ValueError(f"group: expected another key than that of the labels, received {self.group!r}")
        return self

    @property
    def id_keys(self) -> tuple[str, ...]:
        """Keys of the video's id; the first one in a record counts."""
        return (self.id,) if self.id else ID_KEYS

    def with_keys(self, other: Self) -> Self:
        """Return this layout with the keys that were given to another one."""
        return self.model_copy(update=other.model_dump(exclude_unset=True))


class DataSpec(Config):
    """Features, classes and length of the videos; the defaults are YouTube-8M's (2018).

    Attributes:
        features: Name and size of every frame feature, in the order in which models see them (the paper: {rgb: 1024,
            audio: 128}). The name is the key in the records. In records with one mean frame per video, the key may
            also be `mean_NAME`.
        num_classes: Number of classes `C` (the paper: 3862). Labels are the numbers 0 to `C - 1`.
        max_frames: Largest number of frames `T` per video (the paper: 300). Longer videos are truncated.
        ranges: Lowest and highest float that the bytes of a feature stand for, by feature: `{rgb: [0.0, 6.5]}` (the
            paper: -2 to 2). Features without a range have YouTube-8M's, from -2 to 2.
        layout: Keys and forms of what records hold, for shards that differ from YouTube-8M's.
    """

    features: dict[str, PositiveInt] = Field(default={"rgb": 1024, "audio": 128}, min_length=1)
    num_classes: PositiveInt = Field(default=3862, le=MOST_CLASSES)
    max_frames: PositiveInt = 300
    ranges: dict[str, tuple[float, float]] = Field(default={})
    layout: RecordLayout = RecordLayout()

    @field_validator("features")
    @classmethod
    def _features_have_names(cls, features: dict[str, int]) -> dict[str, int]:
        for name in features:
            if not can_be_feature(name):
                raise ValueError(
                    f"expected the features' keys in the records, received {name!r}. A key has at least one character, "
                    "and no control characters such as line breaks"
                )
        return features

    @model_validator(mode="after")
    def _ranges_are_of_features(self) -> Self:
        for name, (low, high) in self.ranges.items():
            if name not in self.features:
                raise ValueError(f"ranges: no feature '{name}'. {suggest(name, self.features)}")
            if low >= high:
                raise ValueError(f"ranges.{name}: expected [lowest, highest], received [{low}, {high}]")
            if max(-low, high) > LARGEST_VALUE or not _bytes_differ(low, high):
                raise ValueError(
                    f"ranges.{name}: expected a range whose 256 values differ as 32-bit floats and are at most "
                    f"{LARGEST_VALUE:.0e}, received [{low}, {high}]. Scale or shift the feature"
                )
        return self

    def range_of(self, feature: str) -> tuple[float, float]:
        """Return the lowest and the highest value of a feature."""
        return self.ranges.get(feature, YT8M_RANGE)

    @property
    def num_features(self) -> int:
        """Size `D` of a frame with all its features."""
        return sum(self.features.values())

    def scale_and_offset(self) -> tuple[Scale, Scale]:
        """Return scale and offset with which `value = byte * scale + offset` for the columns of a frame.

        Returns:
            Two numbers if all features have the same range, otherwise two arrays float32 (D,).
        """
        found = [scale_and_offset(*self.range_of(name)) for name in self.features]
        if len(set(found)) == 1:
            return found[0]
        columns = np.repeat(np.array(found), list(self.features.values()), axis=0).astype(np.float32)
        return columns[:, 0], columns[:, 1]

    def difference(self, other: Self) -> str:
        """Tell in which respects a model made for these videos does not fit others.

        A model depends on the features in their order, their ranges and the classes. It does not depend on the length
        of videos and on the layout of records.

        Returns:
            A text such as `num_classes 10 and 12`, first what these videos have, then what the others have. Empty if
            models fit both.
        """
        one, two = (
            {
                "features": dict(each.features),
                "ranges": {name: list(each.range_of(name)) for name in sorted(each.features)},
                "num_classes": each.num_classes,
            }
            for each in (self, other)
        )
        # Compared as text, because the order of features matters.
        differing = [key for key in one if str(one[key]) != str(two[key])]
        if "features" in differing and self.features.keys() != other.features.keys():
            differing.remove("ranges")
        return "; ".join(f"{key} {one[key]} and {two[key]}" for key in differing)


def clipped_share(lowest: int, highest: int, total: int, low: float, high: float) -> float:
    """Return the share of the bytes of a feature at an end of its range, where values outside of it are.

    Args:
        lowest: Number of bytes that are 0.
        highest: Number of bytes that are 255.
        total: Number of all bytes.
        low: Lowest value of the range. If it is 0, the lowest bytes are zeros, which many networks compute.
        high: Highest value of the range. If it is 0, this holds for the highest bytes.
    """
    return float(bool(low) * lowest + bool(high) * highest) / max(total, 1)


def can_be_feature(key: str) -> bool:
    """Return whether a key of records can be the name of a feature."""
    return bool(key) and not any(unicodedata.category(letter) == "Cc" for letter in key)


def mean_name(feature: str) -> str:
    """Return the name of a frame feature's mean in video-level records."""
    return f"mean_{feature}"


def scale_and_offset(low: float, high: float) -> tuple[float, float]:
    """Return scale and offset of `DEQUANTIZATION`, with which `value = byte * scale + offset`.

    Args:
        low: Lowest value of the range.
        high: Highest value of the range.
    """
    return (high - low) / 255, (high - low) / 512 + low


def quantize(array: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Convert floats to the bytes that stand for the nearest values of a range, in the same shape.

    Args:
        array: Floats. Those outside the range are clipped.
        low: Lowest value of the feature's range.
        high: Highest value of the feature's range.
    """
    scale, offset = scale_and_offset(low, high)
    with np.errstate(over="ignore"):
        levels = np.rint((array - np.float32(offset)) / np.float32(scale))
    quantized: NDArray[np.uint8] = np.clip(levels, 0, 255, out=levels).astype(np.uint8)
    return quantized


def dequantize(
    array: NDArray[np.uint8], low: float = YT8M_RANGE[0], high: float = YT8M_RANGE[1]
) -> NDArray[np.float32]:
    """Convert bytes to the float values they stand for, in the same shape.

    Args:
        array: Bytes.
        low: Lowest value of the feature's range.
        high: Highest value of the feature's range.
    """
    scale, offset = scale_and_offset(low, high)
    values: NDArray[np.float32] = array.astype(np.float32) * np.float32(scale) + np.float32(offset)
    return values


def _bytes_differ(low: float, high: float) -> bool:
    """Check that the 256 bytes stand for different 32-bit floats."""
    return len(np.unique(dequantize(np.arange(256, dtype=np.uint8), low, high))) == 256


def id_text(video_id: bytes) -> str:
    """Return an id as text: the text that it is, or 0x and its bytes in hexadecimal if it is none.

    Ids that are not UTF-8 or have control characters, such as the bytes of a checksum, are no text.
    """
    try:
        text = video_id.decode("utf-8")
    except UnicodeDecodeError:
        return f"0x{video_id.hex()}"
    return f"0x{video_id.hex()}" if _CONTROL_CHARACTERS.search(text) else text
