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
        spec: Expected features, classes, length and layout.
        with_frames: Whether to read all frames. Otherwise `frames` has only the middle one, or none if there is none.
        with_labels: Whether to read and check labels, group and weight. Otherwise `labels` is all 0, `groups` is the
            id, and there is no weight.

    Returns:
        The video: `frames` uint8 (T', D) with T' <= `max_frames`, `num_frames` int32, `labels` uint8 (C,), `ids`
        string, `groups` string (the id if the video has no group), `frame_level` bool, and with a key of weights in the
        layout also `weights` float32 (1 if the video has none); and a bool scalar, True if the video is usable. If it
        is not, `explain_bad_record` tells why.
    """
    layout = spec.layout
    features = dict.fromkeys(layout.id_keys, tf.io.VarLenFeature(tf.string))
    if with_labels:
        kind = tf.float32 if layout.label_form == "multi_hot_floats" else tf.int64
        features |= {layout.labels: tf.io.VarLenFeature(kind)}
    group_keys = [layout.group] if with_labels and layout.group else []
    features |= dict.fromkeys(group_keys, tf.io.VarLenFeature(tf.string))
    weight_keys = [layout.weight] if with_labels and layout.weight else []
    features |= dict.fromkeys(weight_keys, tf.io.VarLenFeature(tf.float32))
    features |= {mean_name(name): tf.io.VarLenFeature(tf.float32) for name in spec.features}
    context, lists = tf.io.parse_single_sequence_example(payload, features, frame_lists(spec))
    video_id = tf.concat([*(context[key].values for key in layout.id_keys), [""]], 0)[0]
    group = tf.concat([*(context[key].values for key in group_keys), [video_id]], 0)[0]
    weights = tf.concat([*(context[key].values for key in weight_keys), [1.0]], 0)
    weights_ok = (tf.size(weights) <= 2) & tf.math.is_finite(weights[0]) & (weights[0] >= 0)
    given = context[layout.labels].values if with_labels else tf.zeros([0], tf.int64)
    read_labels = _labels_of_numbers if layout.label_form == "numbers" else _labels_of_vector
    labels, labels_ok = read_labels(given, spec.num_classes)
    counts = tf.stack([tf.shape(lists[name])[0] for name in spec.features])
    means = {name: context[mean_name(name)].values for name in spec.features}
    frame_level = tf.reduce_any(counts > 0)
    frames, num_frames, frames_ok = tf.cond(
        frame_level,
        lambda: _frames_of_lists(lists, counts, spec, with_frames=with_frames),
        lambda: _frame_of_values(means, payload, spec),
    )
    frames = tf.ensure_shape(frames, [None, spec.num_features])
    video = {
        "frames": frames,
        "num_frames": num_frames,
        "labels": labels,
        "ids": video_id,
        "groups": group,
        "frame_level": frame_level,
    }
    if weight_keys:
        video["weights"] = weights[0]
    return video, frames_ok & labels_ok & weights_ok & (video_id != "")


def finish_video(video: dict[str, Tensor], max_frames: int, *, with_groups: bool = False) -> dict[str, Tensor]:
    """Pad the frames with zeros to `max_frames`, and remove the fields that no model reads."""
    removed = ("shard", "frame_level") if with_groups else ("shard", "frame_level", "groups")
    video = {name: video[name] for name in video if name not in removed}
    frames = tf.pad(video["frames"], [[0, max_frames - video["num_frames"]], [0, 0]])
    return video | {"frames": tf.ensure_shape(frames, [max_frames, None])}


def frame_lists(spec: DataSpec) -> dict[str, Any]:
    """Return what TensorFlow's parsers need to know of the feature lists with frames, by name."""
    if spec.layout.frames == "floats":
        shapes = {name: ([size], tf.float32) for name, size in spec.features.items()}
    else:
        shapes = {name: ([], tf.string) for name in spec.features}
    return {name: tf.io.FixedLenSequenceFeature(*shape, allow_missing=True) for name, shape in shapes.items()}


def quantize_floats(values: Tensor, spec: DataSpec) -> Tensor:
    """Quantize floats (..., D) to bytes in the ranges of their features, uint8 (..., D), exactly as `quantize` does."""
    scale, offset = spec.scale_and_offset()
    # TensorFlow replaces `/` by a product with the reciprocal, which rounds some values to another byte.
    levels = tf.round(tf.math.divide_no_nan(values - offset, tf.constant(scale, tf.float32)))
    return tf.cast(tf.clip_by_value(levels, 0.0, 255.0), tf.uint8)


def _labels_of_numbers(labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    places = tf.clip_by_value(labels, 0, num_classes - 1)
    ones = tf.ones_like(places, tf.uint8)
    multi_hot = tf.tensor_scatter_nd_update(tf.zeros([num_classes], tf.uint8), places[:, None], ones)
    # Vectors of zeros and ones name class 0 or 1 repeatedly.
    different = tf.size(tf.unique(labels).y) == tf.size(labels)
    return multi_hot, tf.reduce_all(places == labels) & different


def _labels_of_vector(vector: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    size = tf.size(vector)
    ok = tf.reduce_all((vector == 0) | (vector == 1)) & ((size == num_classes) | (size == 0))
    labels = tf.cast(tf.pad(vector[:num_classes], [[0, tf.maximum(num_classes - size, 0)]]) == 1, tf.uint8)
    return tf.ensure_shape(labels, [num_classes]), ok


def _frames_of_lists(
    lists: dict[str, Tensor], counts: Tensor, spec: DataSpec, *, with_frames: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the quantized frames or the middle one, their number, and whether they are usable."""
    if spec.layout.frames == "floats":
        values_ok = [tf.reduce_all(tf.math.is_finite(lists[name])) for name in spec.features]
    else:
        values_ok = [tf.reduce_all(tf.strings.length(lists[name]) == size) for name, size in spec.features.items()]
    ok = tf.reduce_all(values_ok) & (tf.reduce_min(counts) == tf.reduce_max(counts))
    kept = tf.minimum(tf.reduce_min(counts), spec.max_frames)
    first, end = (0, kept) if with_frames else (kept // 2, tf.minimum(kept // 2 + 1, kept))
    read = {name: lists[name][first:end] for name in spec.features}
    if spec.layout.frames == "floats":
        return quantize_floats(tf.concat(list(read.values()), 1), spec), kept, ok
    # fixed_length truncates or pads strings of a wrong length, so that the record survives to be reported.
    frames = [tf.io.decode_raw(read[name], tf.uint8, fixed_length=size) for name, size in spec.features.items()]
    return tf.concat(frames, 1), kept, ok


def _frame_of_values(means: dict[str, Tensor], payload: Tensor, spec: DataSpec) -> tuple[Tensor, Tensor, Tensor]:
    """Return the quantized values as the only frame, or none if unusable; their number; and whether they are usable."""
    sizes = list(spec.features.values())
    counts = tf.stack([tf.size(each) for each in means.values()])
    # Records with other names are parsed again; this slice is empty for the rest, which is faster than a condition.
    others = payload[None][: tf.cast(tf.reduce_any(counts != sizes), tf.int32)]
    plain = tf.io.parse_example(others, dict.fromkeys(means, tf.io.VarLenFeature(tf.float32)))
    counts += tf.stack([tf.size(plain[name].values) for name in means])
    frame = tf.concat([each for name, mean in means.items() for each in (mean, plain[name].values)], 0)
    ok = tf.reduce_all(counts == sizes) & tf.reduce_all(tf.math.is_finite(frame))
    kept = tf.cast(ok, tf.int32)
    return quantize_floats(tf.reshape(frame[: kept * spec.num_features], [kept, spec.num_features]), spec), kept, ok
