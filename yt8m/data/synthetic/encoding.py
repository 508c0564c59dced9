"""Videos as the bytes of `tf.train.SequenceExample`s in TFRecord files, without TensorFlow.

A frame-level record is a thousand equally long byte strings. NumPy writes the frames of a feature straight
into their place between the headers, which is a hundred times faster than building protocol buffers, and shards go
to any storage that `yt8m.storage` knows.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Tags of length-delimited protocol buffer fields: number << 3 | 2.
_FIELD_1 = b"\x0a"
_FIELD_2 = b"\x12"
_FIELD_3 = b"\x1a"


class FrameBuffer:
    """The frames of one feature with room for the headers between them.

    Args:
        name: Name of the feature.
        size: Size `D` of a frame.
        most_frames: Most frames of a video.
    """

    def __init__(self, name: str, size: int, most_frames: int) -> None:
        header = b""
        for _ in ("value", "bytes_list", "feature"):
            header = _FIELD_1 + varint(len(header) + size) + header
        self._name = name.encode()
        self._rows = np.empty((most_frames, len(header) + size), np.uint8)
        self._rows[:, : len(header)] = np.frombuffer(header, np.uint8)
        self._header_size = len(header)

    def frames(self, num_frames: int) -> NDArray[np.uint8]:
        """Where to write the first frames: a view `(num_frames, D)`."""
        return self._rows[:num_frames, self._header_size :]

    def encode(self, num_frames: int) -> list[Any]:
        """The first frames as an entry of the map `FeatureLists.feature_list`, in pieces.

        The last piece is a view on this buffer.
        """
        content = self._rows[:num_frames].data.cast("B")
        inner = _delimited(_FIELD_1, self._name) + _FIELD_2 + varint(len(content))
        return [_FIELD_1 + varint(len(inner) + len(content)) + inner, content]


def _encode_context(video_id: bytes, labels: Sequence[int] | None) -> bytes:
    """`SequenceExample.context` with `id` and, unless they are None, `labels`."""
    entries = _entry(b"id", _delimited(_FIELD_1, _delimited(_FIELD_1, video_id)))
    if labels is not None:
        packed = b"".join(varint(label) for label in labels)
        entries += _entry(b"labels", _delimited(_FIELD_3, _delimited(_FIELD_1, packed)))
    return _delimited(_FIELD_1, entries)


def encode_video(
    video_id: bytes, labels: Sequence[int] | None, num_frames: int, features: Iterable[FrameBuffer]
) -> bytes:
    """One record.

    Args:
        video_id: The `id`.
        labels: Ascending classes; None for an unlabelled video.
        num_frames: Number of frames `T`.
        features: The features' buffers, with the frames in them.

    Returns:
        A serialized `tf.train.SequenceExample`.
    """
    entries = [piece for buffer in features for piece in buffer.encode(num_frames)]
    size = sum(len(piece) for piece in entries)
    return b"".join([_encode_context(video_id, labels), _FIELD_2 + varint(size), *entries])


def varint(number: int) -> bytes:
    """A non-negative number in the variable length encoding of protocol buffers."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _delimited(tag: bytes, content: bytes) -> bytes:
    return tag + varint(len(content)) + content


def _entry(key: bytes, feature: bytes) -> bytes:
    """An entry of the map `Features.feature`."""
    return _delimited(_FIELD_1, _delimited(_FIELD_1, key) + _delimited(_FIELD_2, feature))
