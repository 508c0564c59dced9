"""Shards to predict, and the result recorded for each of them."""

from dataclasses import dataclass

from yt8m.config import ConfigFile

RECORD_SUFFIX = ".json"


@dataclass(frozen=True)
class ShardTask:
    """One shard to predict.

    Attributes:
        shard: URI of the shard.
        size: Size of the shard in bytes.
        part: URI of the file that receives the shard's predictions.
    """

    shard: str
    size: int
    part: str

    @property
    def record(self) -> str:
        """URI of the shard's `ShardResult`, which is written last."""
        return f"{self.part}{RECORD_SUFFIX}"


class ShardResult(ConfigFile):
    """Counts of a predicted shard, stored beside its predictions.

    Attributes:
        videos: Number of predicted videos.
        bad_records: Number of records that were skipped.
        damaged: True if the shard could not be read to its end.
        read_bytes: Bytes before the damage, or the size of an undamaged shard.
        lost_bytes: Bytes after the damage.
        problem: Description of the first bad record or of the damage. Empty if there is neither.
        diagnosis: What the bad records of a shard without a usable video have; often empty.
        binary_ids: Number of ids that are no text and are written in hexadecimal.
    """

    videos: int
    bad_records: int
    damaged: bool
    read_bytes: int
    lost_bytes: int
    problem: str
    diagnosis: str = ""
    binary_ids: int = 0
