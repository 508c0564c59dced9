"""Streams of the videos in shards, with a report of every bad record and damaged shard.

An exception inside tf.data would end the stream without telling where it was raised. Therefore unparsable records and
the rest of a damaged shard are first dropped silently. Gaps in the record indices, and a marker behind the last record
of each shard, then show what was dropped.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from yt8m import storage
from yt8m.data.checking.diagnosis import diagnose
from yt8m.data.checking.explain import explain_bad_record
from yt8m.data.format import DataSpec
from yt8m.data.parsing import parse_record
from yt8m.data.read_report import BadRecord, DamagedShard, ReadReport
from yt8m.data.tfrecord import inspect_framing, read_payloads
from yt8m.errors import DataError, StorageError, UserError

Tensor = Any
Dataset = Any
OnBad = Literal["skip", "fail"]

READ_BUFFER_BYTES = 4 << 20
_BAD, _USABLE, _END_OF_SHARD = range(3)


class ShardStream:
    """Streams of usable videos, one per shard, for `tf.data.Dataset.interleave`.

    Args:
        shards: Paths or URIs of the shards.
        spec: Expected features, classes and length.
        on_bad: `skip` to leave out bad records and the rest of damaged shards, `fail` to stop at the first.
        report: Collector of bad records and damaged shards.
        with_frames: Whether to read all frames, or only the middle one of each video.
        with_labels: Whether to read and check the labels.
        order: Indices of the shards in reading order, for prefetching. None means the order of `shards`.
        checksums: Known content checksums, by shard. A shard with another checksum is an error.
    """

    def __init__(
        self,
        shards: Sequence[str],
        spec: DataSpec,
        on_bad: OnBad,
        report: ReadReport,
        *,
        with_frames: bool = True,
        with_labels: bool = True,
        order: Sequence[int] | None = None,
        checksums: Mapping[str, str] | None = None,
    ) -> None:
        self.order = range(len(shards)) if order is None else order
        self._shards = tuple(shards)
        self._ahead = storage.ReadAhead([shards[number] for number in self.order])
        self._spec = spec
        self._on_bad = on_bad
        self._report = report
        self._with_frames = with_frames
        self._with_labels = with_labels
        self._checksums = checksums or {}
        # Indices of the unparsable records found so far, by shard.
        self._dropped: dict[str, set[int]] = {}

    def videos(self, shard: Tensor) -> Dataset:
        """Return the usable videos of a shard in file order.

        Args:
            shard: Index into `shards`, int64 scalar.

        Returns:
            Dataset of the videos of `parse_record`, with `shard` int64 added.
        """
        return self._items(shard, keep_end=False).map(lambda _survivor, item: item[0])

    def videos_and_end(self, shard: Tensor) -> Dataset:
        """Return pairs (video, end): the videos with `end` False, then an empty video with `end` True."""
        return self._items(shard, keep_end=True).map(lambda _survivor, item: (item[0], item[-1]))

    def _items(self, shard: Tensor, *, keep_end: bool) -> Dataset:
        path = tf.ensure_shape(tf.numpy_function(self._stage_in, [shard], tf.string), [])
        payloads = tf.data.TFRecordDataset(path, buffer_size=READ_BUFFER_BYTES).ignore_errors()
        payloads = payloads.map(lambda payload: (payload, False))
        marked = payloads.concatenate(tf.data.Dataset.from_tensors((tf.constant(b""), True)))

        def parse(record: Tensor, payload_and_end: tuple[Tensor, Tensor]) -> Any:
            payload, end = payload_and_end
            wanted = {"with_frames": self._with_frames, "with_labels": self._with_labels}
            video, ok = parse_record(payload, self._spec, **wanted)
            return video | {"shard": shard}, record, payload, ok & ~end, end

        def usable(survivor: Tensor, item: Any) -> Tensor:
            _, record, payload, ok, end = item

            def report() -> Tensor:
                state = tf.where(end, _END_OF_SHARD, tf.where(ok, _USABLE, _BAD))
                reported = tf.numpy_function(self._report_outcome, [shard, record, survivor, state, payload], tf.bool)
                with tf.control_dependencies([reported]):
                    return tf.identity(ok | (end & keep_end))

            # From the first unparsable record of a shard on, the two indices differ.
            return tf.cond(ok & (record == survivor), lambda: True, report)

        parsed = marked.enumerate().map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return parsed.ignore_errors().enumerate().filter(usable)

    def _stage_in(self, shard: np.int64) -> bytes:
        with errors_for_tensorflow():
            return str(self._ahead.stage_in(self._shards[shard])).encode()

    def _report_outcome(
        self, shard: np.int64, record: np.int64, survivor: np.int64, state: np.int32, payload: bytes
    ) -> np.bool:
        """Report records dropped before this one, this one if it is bad, and the end of the shard.

        Args:
            shard: Index of the shard.
            record: Index of the record among all records of the shard.
            survivor: Index of the record among the parsable records of the shard.
            state: `_BAD`, `_USABLE` or `_END_OF_SHARD`.
            payload: Serialized record.
        """
        with errors_for_tensorflow():
            uri = self._shards[shard]
            dropped = self._dropped.setdefault(uri, set())
            new = int(record) - int(survivor) - sum(number < int(record) for number in dropped)
            if new:  # the dropped records come directly before this one
                first = int(record) - new
                for number, lost in enumerate(read_payloads(storage.stage_in(uri), first, int(record)), first):
                    self._add_bad_record(uri, number, lost)
                    dropped.add(number)
            if state == _END_OF_SHARD:
                self._finish_shard(uri, int(record))
            elif state == _BAD:
                self._add_bad_record(uri, int(record), payload)
        return np.True_

    def _add_bad_record(self, uri: str, number: int, payload: bytes) -> None:
        video_id, reason = explain_bad_record(payload, self._spec, with_labels=self._with_labels)
        bad = BadRecord(shard=uri, record=number, id=video_id, reason=reason or "TensorFlow cannot parse it")
        if self._on_bad == "fail":
            diagnosis = diagnose([payload], self._spec, with_labels=self._with_labels)
            raise DataError(f"{bad}. {diagnosis}{' ' if diagnosis else ''}Repair the shard, or set on_bad to 'skip'.")
        self._report.add_bad_record(bad, payload)

    def _finish_shard(self, uri: str, records: int) -> None:
        framing = inspect_framing(storage.stage_in(uri), verify_payloads=False)
        if framing.records != records or framing.damage:
            # TensorFlow stopped at the damage without telling where: find its exact place.
            framing = inspect_framing(storage.stage_in(uri), verify_payloads=True)
            if framing.records != records:
                raise StorageError(
                    f"{uri}: read {records} records, but the file has {framing.records}: it was changed while it was "
                    "read. Start again."
                )
        found = framing.damage
        damage = (
            DamagedShard(shard=uri, offset=found.offset, record=found.record, reason=found.reason) if found else None
        )
        if damage and self._on_bad == "fail":
            raise DataError(f"{damage}. Download the shard again, or set on_bad to 'skip'.")
        if self._checksums.get(uri, framing.checksum) != framing.checksum:
            raise DataError(f"{damage or uri}: the shard has changed since `prepare` read it. Run `prepare` again.")
        self._report.finish_shard(uri, framing.checksum, records, damage)


# Delimiters of our error message inside the message of the error that TensorFlow raises instead.
_BEGIN, _END = "\x02", "\x03"


@contextmanager
def errors_for_tensorflow() -> Iterator[None]:
    """Encode our errors in functions that TensorFlow calls, so that `data_errors` can decode them."""
    try:
        yield
    except UserError as error:
        kind = "StorageError" if isinstance(error, StorageError) else "DataError"
        raise RuntimeError(f"{_BEGIN}{kind}:{error}{_END}") from None


@contextmanager
def data_errors() -> Iterator[None]:
    """Restore the `DataError` or `StorageError` behind an error of TensorFlow.

    Every iteration over videos, `model.fit` included, belongs inside this context.

    Raises:
        DataError: A bad record, a damaged or changed shard, or soft targets that do not fit.
        StorageError: A shard or sidecar cannot be read.
    """
    try:
        yield
    except tf.errors.OpError as error:
        _, found, rest = str(error).partition(_BEGIN)
        if not found:
            raise
        kind, _, text = rest.partition(_END)[0].partition(":")
        raise {"StorageError": StorageError, "DataError": DataError}[kind](text) from None
