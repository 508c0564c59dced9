"""The videos of shards one by one, with every bad record and damaged shard found and reported.

Inside tf.data an exception would end the stream and would not say where it arose. So unparsable records and the
rest of a damaged shard are dropped silently first; the gaps they leave in the record numbers, and a marker behind
each shard's last record, then tell what was dropped.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from yt8m import storage
from yt8m.data.explain_bad_record import explain_bad_record
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
    """Makes the stream of one shard's usable videos; for use inside `tf.data.Dataset.interleave`.

    Args:
        shards: Local paths or URIs.
        spec: What is expected.
        on_bad: `skip` bad records and the rest of damaged shards, or `fail` at the first.
        report: Where findings are collected.
        with_frames: Whether frames are wanted, or only what else there is to know.
        with_labels: Whether labels are wanted; without them a video may have any.
        order: The shards' numbers in the order in which they will be read, so that the next are fetched meanwhile.
        checksums: Content checksums of shards, where they are known; another one is an error.
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
        self._checksums = checksums or {}
        self._with_labels = with_labels
        # Numbers of the unparsable records found so far, by shard.
        self._dropped: dict[str, set[int]] = {}

    def videos(self, shard: Tensor) -> Dataset:
        """The usable videos of shard number `shard` (int64 scalar, an index into `shards`) in file order.

        Returns:
            Dataset of the tensors of `parse_record`, and `shard` int64.
        """
        return self._items(shard, keep_end=False).map(lambda _survivor, item: item[0])

    def videos_and_end(self, shard: Tensor) -> Dataset:
        """Like `videos`, but of (video, end): behind the last video comes an empty one whose `end` is True."""
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

            def account() -> Tensor:
                state = tf.where(end, _END_OF_SHARD, tf.where(ok, _USABLE, _BAD))
                tell = tf.numpy_function(self._account, [shard, record, survivor, state, payload], tf.bool)
                with tf.control_dependencies([tell]):
                    return tf.identity(ok | (end & keep_end))

            # Record and survivor numbers differ from the first unparsable record of a shard on.
            return tf.cond(ok & (record == survivor), lambda: True, account)

        parsed = marked.enumerate().map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return parsed.ignore_errors().enumerate().filter(usable)

    def _stage_in(self, shard: np.int64) -> bytes:
        with errors_for_tensorflow():
            return str(self._ahead.stage_in(self._shards[shard])).encode()

    def _account(
        self, shard: np.int64, record: np.int64, survivor: np.int64, state: np.int32, payload: bytes
    ) -> np.bool:
        """Report the records dropped before this one, this one if it is bad, and what ended the shard.

        Args:
            shard: Index of the shard.
            record: Number of the record among all of the shard.
            survivor: Its number among those that could be parsed.
            state: `_BAD`, `_USABLE` or `_END_OF_SHARD`.
            payload: The record.
        """
        with errors_for_tensorflow():
            uri = self._shards[shard]
            dropped = self._dropped.setdefault(uri, set())
            new = int(record) - int(survivor) - sum(number < int(record) for number in dropped)
            if new:  # records are dropped in no other place than just before one that is not
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
            raise DataError(f"{bad}. Mend the shard, or let bad records be skipped.")
        self._report.add_bad_record(bad)

    def _finish_shard(self, uri: str, records: int) -> None:
        framing = inspect_framing(storage.stage_in(uri), verify_payloads=False)
        if framing.records != records or framing.damage:
            # TensorFlow stopped early, or would have, had there been more: find out where exactly.
            framing = inspect_framing(storage.stage_in(uri), verify_payloads=True)
            if framing.records != records:
                raise StorageError(
                    f"{uri}: {records} records could be read, but {framing.records} are there: it was changed or "
                    "removed while it was read. Start the same again."
                )
        found = framing.damage
        damage = (
            DamagedShard(shard=uri, offset=found.offset, record=found.record, reason=found.reason) if found else None
        )
        if damage and self._on_bad == "fail":
            raise DataError(f"{damage}. Fetch the shard again, or let the rest of damaged shards be skipped.")
        if self._checksums.get(uri, framing.checksum) != framing.checksum:
            raise DataError(f"{damage or uri}: not what prepare found, the shard changed since. Run prepare again.")
        self._report.finish_shard(uri, framing.checksum, records, damage)


# Around the text of an error on its way through TensorFlow, which wraps it in its own.
_BEGIN, _END = "\x02", "\x03"


@contextmanager
def errors_for_tensorflow() -> Iterator[None]:
    """Mark the texts of our errors where TensorFlow calls us."""
    try:
        yield
    except UserError as error:
        kind = "StorageError" if isinstance(error, StorageError) else "DataError"
        raise RuntimeError(f"{_BEGIN}{kind}:{error}{_END}") from None


@contextmanager
def data_errors() -> Iterator[None]:
    """Let the errors of reading through as what they are: `DataError` or `StorageError`.

    Put it around whatever iterates over videos, `model.fit` included.
    """
    try:
        yield
    except tf.errors.OpError as error:
        _, found, rest = str(error).partition(_BEGIN)
        if not found:
            raise
        kind, _, text = rest.partition(_END)[0].partition(":")
        raise {"StorageError": StorageError, "DataError": DataError}[kind](text) from None
