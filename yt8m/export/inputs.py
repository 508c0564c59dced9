"""What the exported model's signatures take: checked, cut and, if serialized, parsed. TensorFlow operations only."""

from typing import Any

import tensorflow as tf

from yt8m.data.format import DataSpec

Tensor = Any

# Videos that the message of a failed check names, and values that it shows of each.
SHOWN = 16


def check_and_cut(frames: Tensor, num_frames: Tensor, spec: DataSpec) -> tuple[Tensor, Tensor]:
    """Check a dense batch and leaves out what no video of it needs.

    Args:
        frames: uint8 (B, T, D), any `T`.
        num_frames: int32 (B,), real frames of each video, 1 to `T`.
        spec: Frames beyond its `max_frames` are cut.

    Returns:
        Frames uint8 (B, T', D), `T'` being the longest video's length after the cut, and num_frames int32 (B,). An
        empty batch becomes one of a single video with a single frame, since not every layer takes none.
    """
    size, room, width = tf.unstack(tf.shape(frames))
    num_frames = _behind(
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
    num_frames = _behind(
        _assert_each(
            (num_frames >= 1) & (num_frames <= room),
            "every video needs 1 frame to as many as frames has room for; room, first wrong videos, their num_frames:",
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
        records: string (B,).
        spec: Names and sizes of the features.

    Returns:
        Frames uint8 (B, T, D) and num_frames int32 (B,), with T the longest video's length (at most `max_frames + 1`,
        so that the dense checks see what is to be cut).
    """
    described = {name: tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True) for name in spec.features}
    _, strings, lengths = tf.io.parse_sequence_example(records, sequence_features=described)
    first = next(iter(spec.features))
    num_frames = _behind(
        _assert_each(
            tf.reduce_all([tf.equal(lengths[name], lengths[first]) for name in spec.features], axis=0),
            f"every record needs as many frames of each feature; first wrong records, frames of {_names(spec)}:",
            [],
            *(lengths[name] for name in spec.features),
        ),
        value=lengths[first],
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
    check = _assert_each(
        tf.reduce_all((sizes == size) | ~real, axis=1),
        f"every frame of feature '{name}' must have {size} bytes; first wrong records, bytes of their frames:",
        [],
        sizes,
    )
    return tf.io.decode_raw(_behind(check, value=strings), tf.uint8, fixed_length=size)


def _names(spec: DataSpec) -> str:
    return ", ".join(spec.features)


def _assert_each(right: Tensor, message: str, values: list[Any], *of_each: Tensor) -> Any:
    """Fail unless `right` (B,) holds for each; the message goes on with values, the wrong ones, and theirs."""
    wrong = tf.where(~right)[:SHOWN, 0]
    data = [message, *values, wrong, *(tf.gather(each, wrong) for each in of_each)]
    return tf.debugging.Assert(tf.reduce_all(right), data, summarize=SHOWN)


def _behind(*checks: Any, value: Tensor) -> Tensor:
    """The value; what is computed from it cannot fail before the checks do."""
    with tf.control_dependencies(checks):
        return tf.identity(value)
