"""Bad records and damaged shards, collected while shards are read."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from yt8m.config import Config

_LOGGER = logging.getLogger("yt8m.data")

# Bad records kept per shard; further ones are only counted, because a wrong configuration makes millions of them.
# The limit is per shard, so that the kept ones do not depend on the order in which shards are read.
MAX_KEPT_RECORDS = 100
# Contents of bad records that are kept to tell what they have.
MAX_SAMPLES = 20


class BadRecord(Config):
    """A record that is not a usable video.

    Attributes:
        shard: URI of the shard.
        record: Index of the record in the shard, from 0.
        id: Id of the video; empty if the record has none.
        reason: Description of the problem, for messages.
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
        shard: URI of the shard.
        offset: Byte offset of the damaged record.
        record: Number of intact records before the damage.
        reason: Description of the damage, for messages.
    """

    shard: str
    offset: int
    record: int
    reason: str

    def __str__(self) -> str:
        return f"{self.shard}: damaged at byte {self.offset} (record {self.record}): {self.reason}"


@dataclass
class ReadReport:
    """Collector of bad records and damaged shards; shards that are read repeatedly count once.

    Attributes:
        log: Whether to log the problems of a shard when it has been read.
        bad_records: First bad records of every shard, by shard and record index.
        num_bad_records: Number of bad records, by shard, for shards that were read to their end or damage.
        damaged_shards: Damaged shards, by URI.
        checksums: Content checksums, by shard, for shards that were read to their end or damage.
        samples: Contents of some bad records, for a diagnosis of what they have.
    """

    log: bool = True
    bad_records: dict[tuple[str, int], BadRecord] = field(default_factory=dict)
    num_bad_records: dict[str, int] = field(default_factory=dict)
    damaged_shards: dict[str, DamagedShard] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    samples: list[bytes] = field(default_factory=list)
    # Indices of the bad records in shards that are still being read.
    _open: dict[str, set[int]] = field(default_factory=dict)

    def add_bad_record(self, record: BadRecord, payload: bytes = b"") -> None:
        """Add a bad record with its content."""
        if payload and len(self.samples) < MAX_SAMPLES:
            self.samples.append(payload)
        numbers = self._open.setdefault(record.shard, set())
        numbers.add(record.record)
        if len(numbers) <= MAX_KEPT_RECORDS:
            self.bad_records[record.shard, record.record] = record

    def finish_shard(self, shard: str, checksum: str, records: int, damage: DamagedShard | None) -> None:
        """Add a shard that has been read, and log its problems the first time.

        Args:
            shard: URI of the shard.
            checksum: Checksum of its content.
            records: Number of its intact records.
            damage: Damage that ended the shard, or None.
        """
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
        """Return the damaged shards and bad records in `shards`, in their order and by record index."""
        place = {shard: number for number, shard in enumerate(shards)}
        damaged = [self.damaged_shards[shard] for shard in shards if shard in self.damaged_shards]
        bad = [record for record in self.bad_records.values() if record.shard in place]
        return damaged, sorted(bad, key=lambda record: (place[record.shard], record.record))

    def pop_shard(self, shard: str) -> tuple[int, list[BadRecord], DamagedShard | None]:
        """Remove a shard that has been read; return the number of its bad records, the first ones, and its damage."""
        keys = sorted(key for key in list(self.bad_records) if key[0] == shard)  # a copy: other threads add records
        bad = [self.bad_records.pop(key) for key in keys]
        return self.num_bad_records.pop(shard, 0), bad, self.damaged_shards.pop(shard, None)

    @property
    def total_bad_records(self) -> int:
        """Number of bad records in all shards that were read to their end or damage."""
        return sum(self.num_bad_records.values())
