"""Teachers' predictions beside the shards: a sidecar of ids and probabilities per training shard.

A sidecar is a TFRecord file. Its first record is the hash of what made it (`SoftTargetManifest.recipe_hash`); then
comes one `tf.train.Example` per usable video of its shard, in the same order: `id`; `probabilities` (little-endian
float16, all C or the K largest in descending order); for the top-K form also `classes` (little-endian uint16) and
`rest` (one float16, the probability of every other class).
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m import storage
from yt8m.data.partition import Partition
from yt8m.data.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest, sidecar_fault
from yt8m.data.stream import ShardStream, errors_for_tensorflow
from yt8m.data.tfrecord import inspect_framing
from yt8m.errors import DataError
from yt8m.predictions import top_classes

Tensor = Any
Dataset = Any

_FIELDS = ("probabilities", "classes", "rest")
# The largest number that float16 rounds to 1: sums of a mixture's parts may exceed 1 by float32's rounding.
_MOST = 1 + 2**-11
# As unsigned integers, the float16 numbers from 0 to 1 are those from 0 to this; NaN and all below 0 are larger.
_ONE_BITS = int(np.float16(1).view(np.uint16))


def write_soft_targets(
    uri: str,
    chunks: Iterable[tuple[Sequence[bytes], NDArray[np.floating]]],
    encoding: SoftTargetEncoding,
    recipe_hash: str,
) -> int:
    """Write one sidecar, which appears only when it is complete.

    Args:
        uri: The sidecar.
        chunks: Ids (B) and probabilities (B, C) of consecutive videos, in the shard's order.
        encoding: How probabilities are stored.
        recipe_hash: What makes it; see `SoftTargetManifest`.

    Returns:
        Number of videos.

    Raises:
        DataError: A number is no probability.
    """
    videos = 0
    with storage.publish_file(uri) as path, tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(recipe_hash.encode())
        for ids, probabilities in chunks:
            _check(probabilities, ids, uri)
            for video_id, fields in zip(ids, _encode(probabilities, encoding), strict=True):
                writer.write(_example({"id": bytes(video_id)} | fields))
                videos += 1
    return videos


def _check(probabilities: NDArray[np.floating], ids: Sequence[bytes], uri: str) -> None:
    if not (probabilities.min() >= 0 and probabilities.max() <= _MOST):  # of NaN neither holds
        sound = ((probabilities >= 0) & (probabilities <= _MOST)).all(axis=1)
        video_id = bytes(ids[int(sound.argmin())]).decode("utf-8", "replace")
        raise DataError(
            f"{uri}: expected probabilities, received other numbers for video '{video_id}'. A teacher has probably "
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
    # A map has no order of its own: without this, every process would write another one.
    return bytes(example.SerializeToString(deterministic=True))


class SoftTargetShards:
    """The sidecars of a manifest, to be read together with their shards.

    Args:
        manifest: Describes them.
    """

    def __init__(self, manifest: SoftTargetManifest) -> None:
        self.manifest = manifest
        top_k = manifest.encoding.top_k
        self._dense = top_k is None or top_k >= manifest.num_classes
        self._num_stored = manifest.num_classes if top_k is None else min(top_k, manifest.num_classes)

    @classmethod
    def open(cls, path: str | Path, partition: Partition) -> Self:
        """Read a manifest and makes sure that it fits a partition.

        Raises:
            DataError: It was made for other classes, other data or other shards.
        """
        manifest = SoftTargetManifest.load(path)
        manifest.check_fits(partition, path)
        return cls(manifest)

    def joined_to(self, stream: ShardStream, shards: Sequence[str]) -> Callable[[Tensor], Dataset]:
        """Put every video's stored soft targets beside it.

        Args:
            stream: Makes the streams of the shards' videos.
            shards: The shards that it numbers.

        Returns:
            From a shard's number to its videos, which also have what `decode` needs.

        Raises:
            DataError: A shard has no sidecar; while iterating: ids or numbers of videos differ.
        """
        missing = [shard for shard in shards if shard not in self.manifest.sidecars]
        if missing:
            raise DataError(f"{missing[0]}: the soft targets have no sidecar for this shard. Make them for it.")
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
            whole = end | (tf.strings.length(stored["probabilities"]) == 2 * self._num_stored)
            fits = tf.cond(fits & whole, lambda: _are_probabilities(stored), lambda: False)

            def refuse() -> Tensor:
                arguments = [video["shard"], record, video["ids"], stored["id"], whole]
                return tf.numpy_function(lambda number, *rest: _refuse(sidecars[number], *rest), arguments, tf.bool)

            with tf.control_dependencies([tf.cond(fits, lambda: True, refuse)]):
                return video | {name: tf.identity(stored[name]) for name in _FIELDS}, end

        return joined

    def _stage_in(self, ahead: storage.ReadAhead, uri: str) -> bytes:
        with errors_for_tensorflow():
            path = ahead.stage_in(uri)
            fault = sidecar_fault(path, self.manifest.recipe_hash)
            if fault:
                raise DataError(f"{uri}: {fault}. Make the soft targets anew.")
            return str(path).encode()

    def decode(self, video: dict[str, Tensor]) -> dict[str, Tensor]:
        """Replace what is stored by `soft_targets`, float32 (C,)."""
        values = tf.cast(tf.io.decode_raw(video["probabilities"], tf.float16), tf.float32)
        if not self._dense:
            classes = tf.cast(tf.io.decode_raw(video["classes"], tf.uint16), tf.int32)
            rest = tf.cast(tf.io.decode_raw(video["rest"], tf.float16), tf.float32)
            everywhere = tf.repeat(rest, self.manifest.num_classes)
            values = tf.tensor_scatter_nd_update(everywhere, classes[:, None], values)
        others = {name: video[name] for name in video if name not in _FIELDS}
        return others | {"soft_targets": tf.ensure_shape(values, [self.manifest.num_classes])}


def parse_soft_target(payload: Tensor) -> dict[str, Tensor]:
    """Take a sidecar's record apart into `id` and the fields that `SoftTargetShards.decode` needs; absent: empty."""
    text = tf.io.FixedLenFeature([], tf.string, default_value="")
    parsed: dict[str, Tensor] = tf.io.parse_single_example(payload, dict.fromkeys(("id", *_FIELDS), text))
    return parsed


def _are_probabilities(stored: dict[str, Tensor]) -> Tensor:
    numbers = tf.io.decode_raw(tf.strings.join([stored["probabilities"], stored["rest"]]), tf.uint16)
    return tf.reduce_max(numbers) <= _ONE_BITS


def _refuse(sidecar: str, record: np.int64, video_id: bytes, target_id: bytes, whole: np.bool) -> bool:
    """Raise the error for a video and a soft target that do not belong together; an empty id stands for none."""
    with errors_for_tensorflow():
        damage = inspect_framing(storage.stage_in(sidecar), verify_payloads=True).damage
        if damage:
            raise DataError(f"{sidecar}: damaged at byte {damage.offset}: {damage.reason}. Make the soft targets anew.")
        video = f"video '{video_id.decode('utf-8', 'replace')}'" if video_id else "no more video"
        target = f"a soft target for '{target_id.decode('utf-8', 'replace')}'" if target_id else "no soft target"
        numbers = " with numbers that are no probabilities" if whole else " of another number of classes"
        what = numbers if video_id == target_id else ""
        raise DataError(
            f"{sidecar}: record {record}: {target}{what} where the shard has {video}. Make the soft targets anew."
        )
