"""Inputs of the exported model's signatures: parsing, checks and truncation, as TensorFlow operations."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from yt8m.data.format import DataSpec, mean_name
from yt8m.data.parsing import frame_lists, quantize_floats

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
        value=_checked_numbers(num_frames, size, room),
    )
    num_frames = tf.minimum(num_frames, spec.max_frames)
    frames, num_frames = tf.cond(
        tf.equal(size, 0),
        lambda: (tf.zeros([1, 1, spec.num_features], frames.dtype), tf.ones([1], num_frames.dtype)),
        lambda: (frames[:, : tf.reduce_max(num_frames)], num_frames),
    )
    return frames, num_frames


def quantize_features(features: Mapping[str, Tensor], num_frames: Tensor, spec: DataSpec) -> tuple[Tensor, Tensor]:
    """Quantize a dense batch of floats as `yt8m data import` does.

    Args:
        features: Values of every feature, float32 (B, T, size), with the same `T` for all of them.
        num_frames: Number of frames of each video, int32 (B,), from 1 to `T`. Values beyond it do not matter.
        spec: Sizes and ranges of the features. Values outside the range of their feature are clipped; NaN and infinite
            ones in frames that the model uses are an error.

    Returns:
        Frames uint8 (B, T', D) and num_frames int32 (B,), where `T'` and the numbers are at most `spec.max_frames`.
    """
    main = next(iter(spec.features))
    first = tf.shape(features[main])
    checks = [
        tf.debugging.Assert(
            tf.reduce_all(tf.shape(features[name]) == tf.concat([first[:2], [size]], 0)),
            [
                f"{name} must have {size} values per frame, and as many videos and frames as {main}; of both:",
                first,
                tf.shape(features[name]),
            ],
        )
        for name, size in spec.features.items()
    ]
    num_frames = _after(*checks, value=_checked_numbers(num_frames, first[0], first[1]))
    num_frames = tf.minimum(num_frames, spec.max_frames)
    with tf.control_dependencies([num_frames]):
        values = tf.concat([features[name][:, : spec.max_frames] for name in spec.features], axis=2)
    values = tf.where(tf.sequence_mask(num_frames, tf.shape(values)[1])[:, :, None], values, 0.0)
    check = _assert_each(
        tf.reduce_all(tf.math.is_finite(values), axis=(1, 2)),
        f"all values of {_names(spec)} must be finite; first wrong videos:",
        [],
    )
    return quantize_floats(_after(check, value=values), spec), num_frames


def parse_records(records: Tensor, spec: DataSpec) -> tuple[Tensor, Tensor]:
    """Parse serialized records as the reader of shards does: frame-level or video-level ones, even mixed.

    Args:
        records: Serialized `tf.train.SequenceExample`s or `tf.train.Example`s, string (B,).
        spec: Names, sizes and ranges of the features, and the layout of the records.

    Returns:
        Frames uint8 (B, T, D) and num_frames int32 (B,). `T` is the length of the longest video, at most
        `max_frames + 1`: one more than used, so that `check_and_truncate` still sees which videos are too long.
    """
    _, lists, lengths = tf.io.parse_sequence_example(records, sequence_features=frame_lists(spec))
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
        kept = {name: lists[name][:, : spec.max_frames + 1] for name in spec.features}
        if spec.layout.frames == "floats":
            frames = quantize_floats(_after(_assert_finite(kept, spec), value=tf.concat(list(kept.values()), 2)), spec)
        else:
            frames = tf.concat([_decode(name, kept[name], num_frames, spec) for name in spec.features], axis=2)
        return _with_video_level(records, frames, num_frames, spec)


def _with_video_level(records: Tensor, frames: Tensor, num_frames: Tensor, spec: DataSpec) -> tuple[Tensor, Tensor]:
    """Add the only frame of the records that have no feature lists."""
    places = tf.where(tf.equal(num_frames, 0))[:, 0]
    keys = [key for name in spec.features for key in (mean_name(name), name)]
    found = tf.io.parse_example(
        tf.gather(records, places), dict.fromkeys(keys, tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int32))
    )
    values, counts = [], []
    for name, size in spec.features.items():
        mean, plain = found[mean_name(name)], found[name]
        given = mean.row_lengths() > 0
        dense = [each.to_tensor(shape=[None, size]) for each in (mean, plain)]
        values.append(tf.where(given[:, None], *dense))
        counts.append(tf.where(given, mean.row_lengths(), plain.row_lengths()))
    rows = tf.concat(values, axis=1)
    right = tf.reduce_all([count == size for count, size in zip(counts, spec.features.values(), strict=True)], axis=0)
    check = _assert_each(
        right & tf.reduce_all(tf.math.is_finite(rows), axis=1),
        f"each record needs feature lists {_names(spec)}, or floats {_names(spec, 'mean_')} that are finite; first "
        f"wrong records of those without these lists, and their floats for {_names(spec)}:",
        [],
        *counts,
        numbers=places,
    )
    rows = quantize_floats(_after(check, value=rows), spec)
    # A batch without any list has no room for a frame.
    room = tf.cast(tf.equal(tf.shape(frames)[1], 0), tf.int32)
    frames = tf.pad(frames, [[0, 0], [0, room], [0, 0]])
    frames = tf.tensor_scatter_nd_update(frames, tf.stack([places, tf.zeros_like(places)], axis=1), rows)
    return frames, tf.maximum(num_frames, 1)


def _checked_numbers(num_frames: Tensor, videos: Tensor, room: Tensor) -> Tensor:
    """Return the numbers of frames after a check that there is one from 1 to `room` for each video."""
    each = tf.debugging.Assert(
        tf.equal(videos, tf.shape(num_frames)[0]),
        ["num_frames must hold one number for each video; videos and numbers:", videos, tf.shape(num_frames)],
    )
    num_frames = _after(each, value=num_frames)
    fits = _assert_each(
        (num_frames >= 1) & (num_frames <= room),
        "num_frames must be between 1 and the length of frames; length, first wrong videos, and their num_frames:",
        [room],
        num_frames,
    )
    return _after(fits, value=num_frames)


def _assert_finite(lists: dict[str, Tensor], spec: DataSpec) -> Any:
    finite = [tf.reduce_all(tf.math.is_finite(values), axis=(1, 2)) for values in lists.values()]
    return _assert_each(
        tf.reduce_all(finite, axis=0), f"all values of {_names(spec)} must be finite; first wrong records:", []
    )


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


def _names(spec: DataSpec, prefix: str = "") -> str:
    return ", ".join(f"{prefix}{name}" for name in spec.features)


def _assert_each(
    right: Tensor, message: str, values: list[Any], *of_each: Tensor, numbers: Tensor | None = None
) -> Any:
    """Assert `right` (N,) for every video; the message ends with `values`, the wrong videos, and their `of_each`.

    `numbers` int64 (N,) are the indices of the videos in the batch; without them, all of the batch are asserted.
    """
    wrong = tf.where(~right)[:SHOWN, 0]
    shown = wrong if numbers is None else tf.gather(numbers, wrong)
    data = [message, *values, shown, *(tf.gather(each, wrong) for each in of_each)]
    return tf.debugging.Assert(tf.reduce_all(right), data, summarize=SHOWN)


def _after(*checks: Any, value: Tensor) -> Tensor:
    """Return the value such that operations on it run after the checks."""
    with tf.control_dependencies(checks):
        return tf.identity(value)
