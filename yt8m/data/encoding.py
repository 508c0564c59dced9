"""Protobuf encoding of videos as `tf.train.SequenceExample`, without TensorFlow.

A frame-level record consists of hundreds of byte strings of equal length. NumPy writes the frames of a feature directly
into their places between the protobuf headers, which is a hundred times faster than building protobuf messages.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.data.format import GROUP_KEY, WEIGHT_KEY

# Protobuf tags of length-delimited fields: field number << 3 | 2.
_FIELD_1 = b"\x0a"
_FIELD_2 = b"\x12"
_FIELD_3 = b"\x1a"


class FrameBuffer:
    """Reusable buffer for the frames of one feature, interleaved with their protobuf headers.

    Args:
        name: Name of the feature.
        size: Size `D` of a frame.
        max_frames: Maximum number of frames of a video.
    """

    def __init__(self, name: str, size: int, max_frames: int) -> None:
        header = _frame_header(size)
        self._name = name.encode()
        self._rows = np.empty((max_frames, len(header) + size), np.uint8)
        self._rows[:, : len(header)] = np.frombuffer(header, np.uint8)
        self._header_size = len(header)

    def frames(self, num_frames: int) -> NDArray[np.uint8]:
        """Return a writable view `(num_frames, D)` of the first frames."""
        return self._rows[:num_frames, self._header_size :]

    def encode(self, num_frames: int) -> list[Any]:
        """Encode the first frames as an entry of the map `FeatureLists.feature_list`.

        Returns:
            Pieces of the entry, to be concatenated. The last piece is a view of this buffer.
        """
        content = self._rows[:num_frames].data.cast("B")
        inner = _delimited(_FIELD_1, self._name) + _FIELD_2 + varint(len(content))
        return [_FIELD_1 + varint(len(inner) + len(content)) + inner, content]


def _encode_context(video_id: bytes, labels: Sequence[int] | None, group: bytes, weight: float | None) -> bytes:
    """Encode `SequenceExample.context` with `id`, `labels` unless None, the group unless empty, weight unless None."""
    entries = _entry(b"id", _delimited(_FIELD_1, _delimited(_FIELD_1, video_id)))
    if labels is not None:
        packed = b"".join(varint(label) for label in labels)
        entries += _entry(b"labels", _delimited(_FIELD_3, _delimited(_FIELD_1, packed)))
    if group:
        entries += _entry(GROUP_KEY.encode(), _delimited(_FIELD_1, _delimited(_FIELD_1, group)))
    if weight is not None:
        entries += _entry(WEIGHT_KEY.encode(), _delimited(_FIELD_2, _delimited(_FIELD_1, struct.pack("<f", weight))))
    return _delimited(_FIELD_1, entries)


def encode_video(
    video_id: bytes,
    labels: Sequence[int] | None,
    num_frames: int,
    features: Iterable[FrameBuffer],
    group: bytes = b"",
    *,
    weight: float | None = None,
) -> bytes:
    """Encode a video.

    Args:
        video_id: Id of the video.
        labels: Labels in ascending order; None for an unlabeled video.
        num_frames: Number of frames `T`.
        features: Buffers that hold the frames, one per feature.
        group: Name of the video's group, written under `GROUP_KEY`. Empty if it has none.
        weight: Factor of the video's loss, written under `WEIGHT_KEY`. None if it has none.

    Returns:
        Serialized `tf.train.SequenceExample`.
    """
    entries = [piece for buffer in features for piece in buffer.encode(num_frames)]
    size = sum(len(piece) for piece in entries)
    return b"".join([_encode_context(video_id, labels, group, weight), _FIELD_2 + varint(size), *entries])


def varint(number: int) -> bytes:
    """Encode a non-negative integer as a protobuf varint."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def frame_bytes(size: int) -> int:
    """Return the number of bytes of a frame of `size` values in a record."""
    return len(_frame_header(size)) + size


def _frame_header(size: int) -> bytes:
    header = b""
    for _ in ("value", "bytes_list", "feature"):
        header = _FIELD_1 + varint(len(header) + size) + header
    return header


def _delimited(tag: bytes, content: bytes) -> bytes:
    return tag + varint(len(content)) + content


def _entry(key: bytes, feature: bytes) -> bytes:
    """Encode an entry of the map `Features.feature`."""
    return _delimited(_FIELD_1, _delimited(_FIELD_1, key) + _delimited(_FIELD_2, feature))
