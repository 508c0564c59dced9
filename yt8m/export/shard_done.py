"""What came of the prediction of a shard."""

from yt8m.storage.config_file import ConfigFile


class ShardDone(ConfigFile):
    """What came of a shard; a file beside its predictions.

    Attributes:
        videos: Videos predicted.
        bad_records: Records left out.
        damaged: Whether the shard could not be read to its end.
        read_bytes: Its size up to the damage, or all of it.
        lost_bytes: Its size behind the damage.
        problem: Its first bad record or its damage, in words; empty if there is none.
    """

    videos: int
    bad_records: int
    damaged: bool
    read_bytes: int
    lost_bytes: int
    problem: str
