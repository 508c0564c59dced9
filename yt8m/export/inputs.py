"""Inputs of the exported model's signatures: parsing, checks and truncation, as TensorFlow operations."""

from typing import Any

import tensorflow as tf

from yt8m.data.format import DataSpec

Tensor = Any

# Maximum number of videos, and of values per video, in the message of a failed check.
SHOWN = 16


def check_and_truncate(frames: Tensor, num_frames: Tensor, spec: DataSpec) -> tuple[Tensor, Tensor]:
    """Check a dense batch and truncate it to the frames that the model uses.

    Args:
        frames: Quantized frame features, uint8 (B, T, D), with any `T`.
        num_frames: Number of frames of each video, int32 (B,), from 1 to `T`.
        spec: Frames beyond `spec.max_frames` are cut.

    Returns:
        Frames uint8 (B, T', D), where `T'` is the length of the longest truncated video, and num_frames int32 (B,). An
        empty batch becomes a batch of one video with one frame, because some layers cannot handle an empty one.
    """
    size, room, width = tf.unstack(tf.shape(frames))
    num_frames = _after(
        tf.debugging.Assert(
            tf.equal(width, spec.num_features),
            [f"every frame must have {spec.num_features} bytes, those of {_names(spec)}; received:", width],
        ),
        tf.debugging.Assert(
            tf.equal(size, tf.shape(num_frames)[0]),
            ["num_frames must hold one number for each video; videos and numbers:", size, tf.shape(num_frames)],
        ),
        value=num_frames,
    )
    num_frames = _after(
        _assert_each(
            (num_frames >= 1) & (num_frames <= room),
            "num_frames must be between 1 and the length of frames; length, first wrong videos, and their num_frames:",
            [room],
            num_frames,
        ),
        value=num_frames,
    )
    num_frames = tf.minimum(num_frames, spec.max_frames)
    frames, num_frames = tf.cond(
        tf.equal(size, 0),
        lambda: (tf.zeros([1, 1, spec.num_features], frames.dtype), tf.ones([1], num_frames.dtype)),
        lambda: (frames[:, : tf.reduce_max(num_frames)], num_frames),
    )
    return frames, num_frames


def parse_records(records: Tensor, spec: DataSpec) -> tuple[Tensor, Tensor]:
    """Parse serialized `tf.train.SequenceExample`s in YouTube-8M's frame-level format.

    Args:
        records: Serialized records, string (B,).
        spec: Names and sizes of the features.

    Returns:
        Frames uint8 (B, T, D) and num_frames int32 (B,). `T` is the length of the longest video, at most
        `max_frames + 1`: one more than used, so that `check_and_truncate` still sees which videos are too long.
    """
    described = {name: tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True) for name in spec.features}
    _, strings, lengths = tf.io.parse_sequence_example(records, sequence_features=described)
    first = next(iter(spec.features))
    num_frames = _after(
        _assert_each(
            tf.reduce_all([tf.equal(lengths[name], lengths[first]) for name in spec.features], axis=0),
            f"each record needs equally many frames per feature; first wrong records, frames of {_names(spec)}:",
            [],
            *(lengths[name] for name in spec.features),
        ),
        value=lengths[first],
    )
    num_frames = tf.minimum(tf.cast(num_frames, tf.int32), spec.max_frames + 1)
    # Only after the check: features of different lengths cannot be concatenated.
    with tf.control_dependencies([num_frames]):
        parts = [_decode(name, strings[name][:, : spec.max_frames + 1], num_frames, spec) for name in spec.features]
        return tf.concat(parts, axis=2), num_frames


def _decode(name: str, strings: Tensor, num_frames: Tensor, spec: DataSpec) -> Tensor:
    """Decode the frames of one feature: uint8 (B, T, size) from strings (B, T), which are empty on padding."""
    size = spec.features[name]
    sizes = tf.strings.length(strings)
    real = tf.sequence_mask(num_frames, tf.shape(strings)[1])
    check = _assert_each(
        tf.reduce_all((sizes == size) | ~real, axis=1),
        f"every frame of feature '{name}' must have {size} bytes; first wrong records, bytes of their frames:",
        [],
        sizes,
    )
    return tf.io.decode_raw(_after(check, value=strings), tf.uint8, fixed_length=size)


def _names(spec: DataSpec) -> str:
    return ", ".join(spec.features)


def _assert_each(right: Tensor, message: str, values: list[Any], *of_each: Tensor) -> Any:
    """Assert `right` (B,) for every video; the message ends with `values`, the wrong videos, and their `of_each`."""
    wrong = tf.where(~right)[:SHOWN, 0]
    data = [message, *values, wrong, *(tf.gather(each, wrong) for each in of_each)]
    return tf.debugging.Assert(tf.reduce_all(right), data, summarize=SHOWN)


def _after(*checks: Any, value: Tensor) -> Tensor:
    """Return the value such that operations on it run after the checks."""
    with tf.control_dependencies(checks):
        return tf.identity(value)
