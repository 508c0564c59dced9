"""Teachers' predictions beside the shards: a sidecar of ids and probabilities per training shard.

A sidecar is a TFRecord file with one `tf.train.Example` per usable video of its shard, in the same order:
`id`; `probabilities` (little-endian float16, all C or the K largest in descending order); for the top-K form also
`classes` (little-endian uint16) and `rest` (one float16, the probability of every other class).
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m import storage
from yt8m.errors import DataError
from yt8m.records.framing import inspect_framing
from yt8m.records.partition import Partition
from yt8m.records.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest
from yt8m.records.stream import ShardStream, errors_for_tensorflow

Tensor = Any
Dataset = Any

_FIELDS = ("probabilities", "classes", "rest")


def write_soft_targets(
    uri: str,
    chunks: Iterable[tuple[Sequence[bytes], NDArray[np.floating]]],
    encoding: SoftTargetEncoding,
) -> int:
    """Writes one sidecar, which appears only when it is complete.

    Args:
        uri: The sidecar.
        chunks: Ids (B) and probabilities (B, C) of consecutive videos, in the shard's order.
        encoding: How probabilities are stored.

    Returns:
        Number of videos.
    """
    videos = 0
    with storage.publish_file(uri) as path, tf.io.TFRecordWriter(str(path)) as writer:
        for ids, probabilities in chunks:
            for video_id, fields in zip(ids, _encode(probabilities, encoding), strict=True):
                writer.write(_example({"id": bytes(video_id)} | fields))
                videos += 1
    return videos


def _encode(probabilities: NDArray[np.floating], encoding: SoftTargetEncoding) -> Iterable[dict[str, bytes]]:
    classes = probabilities.shape[1]
    if encoding.top_k is None or encoding.top_k >= classes:
        for row in probabilities.astype("<f2"):
            yield {"probabilities": row.tobytes()}
        return
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, : encoding.top_k].astype("<u2")
    kept = np.take_along_axis(probabilities, top, 1)
    rest = (probabilities.sum(1) - kept.sum(1)) / (classes - encoding.top_k)
    for row, values, others in zip(top, kept.astype("<f2"), np.maximum(rest, 0).astype("<f2"), strict=True):
        yield {"classes": row.tobytes(), "probabilities": values.tobytes(), "rest": others.tobytes()}


def _example(fields: dict[str, bytes]) -> bytes:
    features = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[data])) for name, data in fields.items()}
    return bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


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
        """Reads a manifest and makes sure that it fits a partition.

        Raises:
            DataError: It was made for other classes, other data or other shards.
        """
        manifest = SoftTargetManifest.load(path)
        manifest.check_fits(partition, path)
        return cls(manifest)

    def joined_to(self, stream: ShardStream, shards: Sequence[str]) -> Callable[[Tensor], Dataset]:
        """Puts every video's stored soft targets beside it.

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
            path = tf.numpy_function(lambda number: _stage_in(ahead, sidecars[number]), [shard], tf.string)
            payloads = tf.data.TFRecordDataset(tf.ensure_shape(path, [])).ignore_errors()
            marked = payloads.concatenate(tf.data.Dataset.from_tensors(b""))
            records = tf.data.Dataset.zip(stream.videos_and_end(shard), marked).enumerate()
            pairs = records.map(join, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            return pairs.filter(lambda _video, end: ~end).map(lambda video, _end: video)

        def join(record: Tensor, video_and_target: Any) -> tuple[dict[str, Tensor], Tensor]:
            (video, end), payload = video_and_target
            stored = parse_soft_target(payload)
            fits = tf.where(end, payload == b"", (payload != b"") & (stored["id"] == video["ids"]))
            fits &= end | (tf.strings.length(stored["probabilities"]) == 2 * self._num_stored)

            def refuse() -> Tensor:
                arguments = [video["shard"], record, video["ids"], stored["id"]]
                return tf.numpy_function(lambda number, *rest: _refuse(sidecars[number], *rest), arguments, tf.bool)

            with tf.control_dependencies([tf.cond(fits, lambda: True, refuse)]):
                return video | {name: tf.identity(stored[name]) for name in _FIELDS}, end

        return joined

    def decode(self, video: dict[str, Tensor]) -> dict[str, Tensor]:
        """Replaces what is stored by `soft_targets`, float32 (C,)."""
        values = tf.cast(tf.io.decode_raw(video["probabilities"], tf.float16), tf.float32)
        if not self._dense:
            classes = tf.cast(tf.io.decode_raw(video["classes"], tf.uint16), tf.int32)
            rest = tf.cast(tf.io.decode_raw(video["rest"], tf.float16), tf.float32)
            everywhere = tf.repeat(rest, self.manifest.num_classes)
            values = tf.tensor_scatter_nd_update(everywhere, classes[:, None], values)
        others = {name: video[name] for name in video if name not in _FIELDS}
        return others | {"soft_targets": tf.ensure_shape(values, [self.manifest.num_classes])}


def parse_soft_target(payload: Tensor) -> dict[str, Tensor]:
    """Takes a sidecar's record apart into `id` and the fields that `SoftTargetShards.decode` needs; absent: empty."""
    text = tf.io.FixedLenFeature([], tf.string, default_value="")
    parsed: dict[str, Tensor] = tf.io.parse_single_example(payload, dict.fromkeys(("id", *_FIELDS), text))
    return parsed


def _stage_in(ahead: storage.ReadAhead, uri: str) -> bytes:
    with errors_for_tensorflow():
        return str(ahead.stage_in(uri)).encode()


def _refuse(sidecar: str, record: np.int64, video_id: bytes, target_id: bytes) -> bool:
    """Raises the error for a video and a soft target that do not belong together; an empty id stands for none."""
    with errors_for_tensorflow():
        damage = inspect_framing(storage.stage_in(sidecar), verify_payloads=True).damage
        if damage:
            raise DataError(f"{sidecar}: damaged at byte {damage.offset}: {damage.reason}. Make the soft targets anew.")
        video = f"video '{video_id.decode('utf-8', 'replace')}'" if video_id else "no more video"
        target = f"a soft target for '{target_id.decode('utf-8', 'replace')}'" if target_id else "no soft target"
        number = " of another number of classes" if video_id == target_id else ""
        raise DataError(
            f"{sidecar}: record {record}: {target}{number} where the shard has {video}. Make the soft targets anew."
        )
