"""What the exported model's signatures take: checked, cut and, if serialized, parsed. TensorFlow operations only."""

from typing import Any

import tensorflow as tf

from yt8m.records.spec import DataSpec

Tensor = Any

# Values shown in the message of a failed check.
SHOWN = 16


def check_and_cut(frames: Tensor, num_frames: Tensor, spec: DataSpec) -> tuple[Tensor, Tensor]:
    """Checks a dense batch and leaves out what no video of it needs.

    Args:
        frames: uint8 (B, T, D), any `T`.
        num_frames: int32 (B,), real frames of each video, 1 to `T`.
        spec: Frames beyond its `max_frames` are cut.

    Returns:
        Frames uint8 (B, T', D), `T'` being the longest video's length after the cut, and num_frames int32 (B,).
    """
    size, given = tf.unstack(tf.shape(frames)[:2])
    num_frames = _checked(
        num_frames,
        tf.equal(size, tf.shape(num_frames)[0]),
        ["num_frames must hold one number for each video of frames; videos and numbers:", size, tf.shape(num_frames)],
    )
    num_frames = _checked(
        num_frames,
        tf.reduce_all((num_frames >= 1) & (num_frames <= given)),
        ["every video needs 1 frame to as many as frames has room for; room and num_frames:", given, num_frames],
    )
    num_frames = tf.minimum(num_frames, spec.max_frames)
    # An empty batch has no longest video.
    longest = tf.maximum(tf.reduce_max(num_frames), 0)
    return frames[:, :longest], num_frames


def parse_records(records: Tensor, spec: DataSpec) -> tuple[Tensor, Tensor]:
    """Parses serialized `tf.train.SequenceExample`s in YouTube-8M's frame-level format.

    Args:
        records: string (B,).
        spec: Names and sizes of the features.

    Returns:
        Frames uint8 (B, T, D) and num_frames int32 (B,), with T the longest video's length (at most `max_frames + 1`,
        so that the dense checks see what is to be cut).
    """
    described = {name: tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True) for name in spec.features}
    _, strings, lengths = tf.io.parse_sequence_example(records, sequence_features=described)
    first, *others = spec.features
    same = [tf.reduce_all(tf.equal(lengths[name], lengths[first])) for name in others]
    num_frames = _checked(
        lengths[first],
        tf.reduce_all(same),
        [f"every record needs as many frames of each feature; frames of {', '.join(spec.features)}:"]
        + [lengths[name] for name in spec.features],
    )
    num_frames = tf.minimum(tf.cast(num_frames, tf.int32), spec.max_frames + 1)
    # Behind the check, as the parts of a batch that does not pass it may not fit each other.
    with tf.control_dependencies([num_frames]):
        parts = [_decode(name, strings[name][:, : spec.max_frames + 1], num_frames, spec) for name in spec.features]
        return tf.concat(parts, axis=2), num_frames


def _decode(name: str, strings: Tensor, num_frames: Tensor, spec: DataSpec) -> Tensor:
    """One feature's frames uint8 (B, T, size) from strings (B, T), empty behind a video's end."""
    size = spec.features[name]
    sizes = tf.strings.length(strings)
    real = tf.sequence_mask(num_frames, tf.shape(strings)[1])
    strings = _checked(
        strings,
        tf.reduce_all((sizes == size) | ~real),
        [f"every frame of feature '{name}' must have {size} bytes; bytes of the first frames:", sizes],
    )
    return tf.io.decode_raw(strings, tf.uint8, fixed_length=size)


def _checked(value: Tensor, condition: Tensor, message: list[Any]) -> Tensor:
    """The value, once the condition holds; what is computed from it cannot fail before the check does."""
    with tf.control_dependencies([tf.debugging.Assert(condition, message, summarize=SHOWN)]):
        return tf.identity(value)
