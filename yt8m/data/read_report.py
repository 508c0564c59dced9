"""What reading found wrong with shards and records."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from yt8m.config import Config

_LOGGER = logging.getLogger("yt8m.data")

# Beyond this many in a shard, bad records are counted but not kept one by one: a wrong configuration makes
# millions of them. Per shard, so that what is kept does not depend on which shard is read first.
MAX_KEPT_RECORDS = 100


class BadRecord(Config):
    """A record that is no usable video.

    Attributes:
        shard: URI of its shard.
        record: Its number in the shard, from 0.
        id: The video's id, as far as there is one.
        reason: What is wrong.
    """

    shard: str
    record: int
    id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.shard}: record {self.record} (id {self.id or 'unknown'}): {self.reason}"


class DamagedShard(Config):
    """A shard that cannot be read to its end.

    Attributes:
        shard: Its URI.
        offset: Byte at which the damaged record begins.
        record: Number of whole records before it.
        reason: What is wrong.
    """

    shard: str
    offset: int
    record: int
    reason: str

    def __str__(self) -> str:
        return f"{self.shard}: damaged at byte {self.offset} (record {self.record}): {self.reason}"


@dataclass
class ReadReport:
    """Collects findings while shards are read; reading a shard again does not count them again.

    Attributes:
        log: Whether a shard's findings are also logged once it was read.
        bad_records: The first of every shard, by shard and record number.
        num_bad_records: Of every shard that was read to its end or its damage.
        damaged_shards: By shard.
        checksums: Content checksum of every shard that was read to its end or its damage.
    """

    log: bool = True
    bad_records: dict[tuple[str, int], BadRecord] = field(default_factory=dict)
    num_bad_records: dict[str, int] = field(default_factory=dict)
    damaged_shards: dict[str, DamagedShard] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    # Numbers of the bad records in shards that were not read to their end yet.
    _open: dict[str, set[int]] = field(default_factory=dict)

    def add_bad_record(self, record: BadRecord) -> None:
        """Note one bad record."""
        numbers = self._open.setdefault(record.shard, set())
        numbers.add(record.record)
        if len(numbers) <= MAX_KEPT_RECORDS:
            self.bad_records[record.shard, record.record] = record

    def finish_shard(self, shard: str, checksum: str, records: int, damage: DamagedShard | None) -> None:
        """Close a shard's account and logs what was found in it, once."""
        bad = len(self._open.pop(shard, ()))
        if shard in self.checksums:
            return
        self.checksums[shard] = checksum
        self.num_bad_records[shard] = bad
        if damage:
            self.damaged_shards[shard] = damage
        if damage and self.log:
            _LOGGER.warning("%s; the rest of the shard is skipped.", damage)
        if bad and self.log:
            first = next((str(kept) for kept in self.bad_records.values() if kept.shard == shard), shard)
            _LOGGER.warning("%s; %d of the shard's %d records are skipped.", first, bad, records)

    def findings_in(self, shards: Sequence[str]) -> tuple[list[DamagedShard], list[BadRecord]]:
        """Damaged shards and bad records in the order of shards and records; they were found in any order."""
        place = {shard: number for number, shard in enumerate(shards)}
        damaged = [self.damaged_shards[shard] for shard in shards if shard in self.damaged_shards]
        bad = [record for record in self.bad_records.values() if record.shard in place]
        return damaged, sorted(bad, key=lambda record: (place[record.shard], record.record))

    @property
    def total_bad_records(self) -> int:
        """Bad records in all shards that were read to their end."""
        return sum(self.num_bad_records.values())
