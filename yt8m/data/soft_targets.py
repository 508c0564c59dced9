"""Soft targets: teachers' predictions in sidecars, one per training shard.

A sidecar is a TFRecord file. Its first record is `SoftTargetManifest.recipe_hash`. One `tf.train.Example` per usable
video of the shard follows, in the same order, with the features `id` and `probabilities` (little-endian float16, all C,
or the K largest in descending order). Top-K encoding adds `classes` (little-endian uint16) and `rest` (one float16, the
probability of every other class).
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m import storage
from yt8m.data.format import id_text
from yt8m.data.partition import Partition
from yt8m.data.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest, sidecar_fault
from yt8m.data.stream import ShardStream, errors_for_tensorflow
from yt8m.data.tfrecord import inspect_framing
from yt8m.errors import DataError
from yt8m.top_classes import top_classes

Tensor = Any
Dataset = Any

_FIELDS = ("probabilities", "classes", "rest")
_REMEDY = "Create the soft targets again."
# The largest number that float16 rounds to 1. Sums over a mixture may exceed 1 by the rounding of float32.
_MAX_PROBABILITY = 1 + 2**-11
# Bits of 1.0 in float16. Read as unsigned integers, the bits of numbers in [0, 1] are at most this; those of negative
# numbers and NaN are larger.
_ONE_BITS = int(np.float16(1).view(np.uint16))


def write_soft_targets(
    uri: str,
    chunks: Iterable[tuple[Sequence[bytes], NDArray[np.floating]]],
    encoding: SoftTargetEncoding,
    recipe_hash: str,
) -> int:
    """Write one sidecar atomically.

    Args:
        uri: Path or URI of the sidecar.
        chunks: Ids (B,) and probabilities (B, C) of consecutive videos, in the order of the shard.
        encoding: Encoding of the probabilities.
        recipe_hash: Hash of teachers, encoding and data; see `SoftTargetManifest`.

    Returns:
        Number of videos.

    Raises:
        DataError: A value is not a probability.
    """
    videos = 0
    with storage.publish_file(uri) as path, tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(recipe_hash.encode())
        for ids, probabilities in chunks:
            _check_probabilities(probabilities, ids, uri)
            for video_id, fields in zip(ids, _encode(probabilities, encoding), strict=True):
                writer.write(_example({"id": bytes(video_id)} | fields))
                videos += 1
    return videos


def _check_probabilities(probabilities: NDArray[np.floating], ids: Sequence[bytes], uri: str) -> None:
    if not (probabilities.min() >= 0 and probabilities.max() <= _MAX_PROBABILITY):  # NaN fails both
        valid = ((probabilities >= 0) & (probabilities <= _MAX_PROBABILITY)).all(axis=1)
        video_id = id_text(ids[int(valid.argmin())])
        raise DataError(
            f"{uri}: the prediction for video '{video_id}' has values outside [0, 1] or NaN. A teacher has probably "
            "diverged; train it with a smaller learning rate."
        )


def _encode(probabilities: NDArray[np.floating], encoding: SoftTargetEncoding) -> Iterable[dict[str, bytes]]:
    classes = probabilities.shape[1]
    if encoding.top_k is None or encoding.top_k >= classes:
        for row in probabilities.astype("<f2"):
            yield {"probabilities": row.tobytes()}
        return
    top, kept = top_classes(probabilities, encoding.top_k)
    rest = (probabilities.sum(1) - kept.sum(1)) / (classes - encoding.top_k)
    for row, values, others in zip(top, kept.astype("<f2"), np.maximum(rest, 0).astype("<f2"), strict=True):
        yield {"classes": row.astype("<u2").tobytes(), "probabilities": values.tobytes(), "rest": others.tobytes()}


def _example(fields: dict[str, bytes]) -> bytes:
    features = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[data])) for name, data in fields.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    # The default order of the features differs between processes.
    return bytes(example.SerializeToString(deterministic=True))


class SoftTargetShards:
    """Reader of sidecars that joins soft targets to the videos of their shards.

    Args:
        manifest: Manifest of the soft targets.
    """

    def __init__(self, manifest: SoftTargetManifest) -> None:
        self.manifest = manifest
        top_k = manifest.encoding.top_k
        self._dense = top_k is None or top_k >= manifest.num_classes
        self._num_stored = manifest.num_classes if top_k is None else min(top_k, manifest.num_classes)

    @classmethod
    def open(cls, manifests: Sequence[Path], partition: Partition) -> Self:
        """Read the manifests of all parts; see `SoftTargetManifest.merge`.

        Raises:
            DataError: The parts do not belong together, were made for other classes or data, or lack a shard.
        """
        return cls(SoftTargetManifest.merge(manifests, partition))

    def joined_to(self, stream: ShardStream, shards: Sequence[str]) -> Callable[[Tensor], Dataset]:
        """Join the stored soft targets to the videos of a stream.

        Args:
            stream: Streams of the videos, one per shard.
            shards: URIs of the shards, in the order of their indices in `stream`.

        Returns:
            Function from a shard's index to its videos, extended by the fields that `decode` needs.

        Raises:
            DataError: A shard has no sidecar. While iterating: the ids or the number of videos differ.
        """
        missing = [shard for shard in shards if shard not in self.manifest.sidecars]
        if missing:
            raise DataError(f"{missing[0]}: this shard has no soft targets. Create them.")
        sidecars = [self.manifest.sidecars[shard] for shard in shards]
        ahead = storage.ReadAhead([sidecars[number] for number in stream.order])

        def joined(shard: Tensor) -> Dataset:
            path = tf.numpy_function(lambda number: self._stage_in(ahead, sidecars[number]), [shard], tf.string)
            payloads = tf.data.TFRecordDataset(tf.ensure_shape(path, [])).ignore_errors().skip(1)
            marked = payloads.concatenate(tf.data.Dataset.from_tensors(b""))
            records = tf.data.Dataset.zip(stream.videos_and_end(shard), marked).enumerate()
            pairs = records.map(join, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            return pairs.filter(lambda _video, end: ~end).map(lambda video, _end: video)

        def join(record: Tensor, video_and_target: Any) -> tuple[dict[str, Tensor], Tensor]:
            (video, end), payload = video_and_target
            stored = parse_soft_target(payload)
            fits = tf.where(end, payload == b"", (payload != b"") & (stored["id"] == video["ids"]))
            right_size = end | (tf.strings.length(stored["probabilities"]) == 2 * self._num_stored)
            fits = tf.cond(fits & right_size, lambda: _are_probabilities(stored), lambda: False)

            def raise_mismatch() -> Tensor:
                arguments = [video["shard"], record, video["ids"], stored["id"], right_size]
                return tf.numpy_function(
                    lambda number, *rest: _raise_mismatch(sidecars[number], *rest), arguments, tf.bool
                )

            with tf.control_dependencies([tf.cond(fits, lambda: True, raise_mismatch)]):
                return video | {name: tf.identity(stored[name]) for name in _FIELDS}, end

        return joined

    def _stage_in(self, ahead: storage.ReadAhead, uri: str) -> bytes:
        with errors_for_tensorflow():
            path = ahead.stage_in(uri)
            fault = sidecar_fault(path, self.manifest.recipe_hash)
            if fault:
                raise DataError(f"{uri}: {fault}. {_REMEDY}")
            return str(path).encode()

    def decode(self, video: dict[str, Tensor]) -> dict[str, Tensor]:
        """Replace the stored fields of a video by `soft_targets`, float32 (C,)."""
        values = tf.cast(tf.io.decode_raw(video["probabilities"], tf.float16), tf.float32)
        if not self._dense:
            classes = tf.cast(tf.io.decode_raw(video["classes"], tf.uint16), tf.int32)
            rest = tf.cast(tf.io.decode_raw(video["rest"], tf.float16), tf.float32)
            everywhere = tf.repeat(rest, self.manifest.num_classes)
            values = tf.tensor_scatter_nd_update(everywhere, classes[:, None], values)
        others = {name: video[name] for name in video if name not in _FIELDS}
        return others | {"soft_targets": tf.ensure_shape(values, [self.manifest.num_classes])}


def parse_soft_target(payload: Tensor) -> dict[str, Tensor]:
    """Parse a record into `id` and the fields that `SoftTargetShards.decode` needs; missing fields are empty."""
    text = tf.io.FixedLenFeature([], tf.string, default_value="")
    parsed: dict[str, Tensor] = tf.io.parse_single_example(payload, dict.fromkeys(("id", *_FIELDS), text))
    return parsed


def _are_probabilities(stored: dict[str, Tensor]) -> Tensor:
    numbers = tf.io.decode_raw(tf.strings.join([stored["probabilities"], stored["rest"]]), tf.uint16)
    return tf.reduce_max(numbers) <= _ONE_BITS


def _raise_mismatch(sidecar: str, record: np.int64, video_id: bytes, target_id: bytes, right_size: np.bool) -> bool:
    """Raise the error for a soft target that does not fit its video; an empty id means that there is none."""
    with errors_for_tensorflow():
        damage = inspect_framing(storage.stage_in(sidecar), verify_payloads=True).damage
        if damage:
            raise DataError(f"{sidecar}: damaged at byte {damage.offset}: {damage.reason}. {_REMEDY}")
        video = f"video '{id_text(video_id)}'" if video_id else "no more videos"
        target = f"soft target for '{id_text(target_id)}'" if target_id else "no soft target"
        if video_id != target_id:
            problem = f"{target}, but the shard has {video}"
        else:
            problem = f"{target} has " + ("values outside [0, 1] or NaN" if right_size else "another number of classes")
        raise DataError(f"{sidecar}: record {record}: {problem}. {_REMEDY}")
