"""Parsing of records inside a TensorFlow graph, with a flag for usable videos."""

from typing import Any

import tensorflow as tf

from yt8m.data.format import DataSpec, mean_name

Tensor = Any


def parse_record(
    payload: Tensor, spec: DataSpec, *, with_frames: bool = True, with_labels: bool = True
) -> tuple[dict[str, Tensor], Tensor]:
    """Parse a frame-level `SequenceExample` or a video-level `Example` (a video of one frame).

    One parser reads both, even mixed in one shard: an Example is a SequenceExample without feature lists, because both
    keep their features in field 1.

    Args:
        payload: Serialized record, string scalar.
        spec: Expected features, classes and length.
        with_frames: Whether to read the frames. Otherwise `frames` has shape (T', 0).
        with_labels: Whether to read and check the labels. Otherwise `labels` is all 0.

    Returns:
        The video: `frames` uint8 (T', D) with T' <= `max_frames`, `num_frames` int32, `labels` uint8 (C,), `ids`
        string; and a bool scalar, True if the video is usable. If it is not, `explain_bad_record` tells why.
    """
    strings = {name: tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True) for name in spec.features}
    features = _context_features(spec, with_labels=with_labels)
    context, lists = tf.io.parse_single_sequence_example(payload, features, strings)
    video_id = tf.concat([context["id"].values, context["video_id"].values, [""]], 0)[0]
    given = context["labels"].values if with_labels else tf.zeros([0], tf.int64)
    labels, labels_ok = _multi_hot(given, spec.num_classes)
    counts = tf.stack([tf.size(lists[name]) for name in spec.features])
    frames, frames_ok = tf.cond(
        tf.reduce_any(counts > 0),
        lambda: _frames_from_bytes(lists, counts, spec, with_frames=with_frames),
        lambda: _frame_from_means(context, spec, with_frames=with_frames),
    )
    frames = tf.ensure_shape(frames, [None, spec.num_features if with_frames else 0])
    video = {"frames": frames, "num_frames": tf.shape(frames)[0], "labels": labels, "ids": video_id}
    return video, frames_ok & labels_ok & (video_id != "")


def pad_frames(video: dict[str, Tensor], max_frames: int) -> dict[str, Tensor]:
    """Pad the frames with zeros to `max_frames`."""
    frames = tf.pad(video["frames"], [[0, max_frames - video["num_frames"]], [0, 0]])
    return video | {"frames": tf.ensure_shape(frames, [max_frames, None])}


def _context_features(spec: DataSpec, *, with_labels: bool) -> dict[str, Any]:
    features = {"id": tf.string, "video_id": tf.string} | ({"labels": tf.int64} if with_labels else {})
    features |= {mean_name(name): tf.float32 for name in spec.features}
    return {name: tf.io.VarLenFeature(dtype) for name, dtype in features.items()}


def _multi_hot(labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    inside = (labels >= 0) & (labels < num_classes)
    places = tf.boolean_mask(labels, inside)[:, None]
    ones = tf.ones_like(places[:, 0], tf.uint8)
    return tf.tensor_scatter_nd_update(tf.zeros([num_classes], tf.uint8), places, ones), tf.reduce_all(inside)


def _frames_from_bytes(
    lists: dict[str, Tensor], counts: Tensor, spec: DataSpec, *, with_frames: bool
) -> tuple[Tensor, Tensor]:
    right_sizes = [tf.reduce_all(tf.strings.length(lists[name]) == size) for name, size in spec.features.items()]
    ok = tf.reduce_all(right_sizes) & (tf.reduce_min(counts) == tf.reduce_max(counts))
    kept = tf.minimum(tf.reduce_min(counts), spec.max_frames)
    if not with_frames:
        return tf.zeros([kept, 0], tf.uint8), ok
    # fixed_length truncates or pads strings of a wrong length, so that the record survives to be reported.
    frames = [tf.io.decode_raw(lists[name][:kept], tf.uint8, fixed_length=size) for name, size in spec.features.items()]
    return tf.concat(frames, 1), ok


def _frame_from_means(context: dict[str, Tensor], spec: DataSpec, *, with_frames: bool) -> tuple[Tensor, Tensor]:
    """Return the quantized means as the only frame, or no frame if they are unusable."""
    means = tf.concat([context[mean_name(name)].values for name in spec.features], 0)
    sizes_ok = [tf.size(context[mean_name(name)]) == size for name, size in spec.features.items()]
    ok = tf.reduce_all(sizes_ok) & tf.reduce_all(tf.math.is_finite(means))
    kept = tf.cast(ok, tf.int32)
    if not with_frames:
        return tf.zeros([kept, 0], tf.uint8), ok
    scale, offset = spec.scale_and_offset()
    values = tf.reshape(means[: kept * spec.num_features], [kept, spec.num_features])
    frame = tf.clip_by_value(tf.round((values - offset) / scale), 0.0, 255.0)
    return tf.cast(frame, tf.uint8), ok
