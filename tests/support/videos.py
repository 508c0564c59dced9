"""Records and shards of small videos, usable and bad ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Video:
    """A record to write. Missing or wrong fields make it a bad one."""

    id: bytes | None = b"abcd"
    labels: Sequence[int] | None = (0,)
    frames: dict[str, list[bytes]] = field(default_factory=dict)
    means: dict[str, Sequence[float]] = field(default_factory=dict)
    id_name: str = "id"
    group: bytes | None = None

    def serialize(self) -> bytes:
        import tensorflow as tf  # noqa: PLC0415 - most tests do without

        record = tf.train.SequenceExample()
        if self.id is not None:
            record.context.feature[self.id_name].bytes_list.value.append(self.id)
        if self.group is not None:
            record.context.feature["group"].bytes_list.value.append(self.group)
        if self.labels is not None:
            record.context.feature["labels"].int64_list.value.extend(self.labels)
        for name, values in self.means.items():
            record.context.feature[f"mean_{name}"].float_list.value.extend(values)
        for name, frames in self.frames.items():
            for frame in frames:
                record.feature_lists.feature_list[name].feature.add().bytes_list.value.append(frame)
        return record.SerializeToString()


def video_of(number: int, num_frames: int = 3, labels: Sequence[int] | None = (0,), **sizes: int) -> Video:
    """Make a video with bytes drawn from its number. The default features are rgb (4) and audio (2)."""
    sizes = sizes or {"rgb": 4, "audio": 2}
    rng = np.random.default_rng(number)
    frames = {
        name: [rng.integers(0, 256, size, np.uint8).tobytes() for _ in range(num_frames)]
        for name, size in sizes.items()
    }
    return Video(id=b"%04d" % number, labels=labels, frames=frames)


def write_shard(path: Path, records: Iterable[Video | bytes]) -> str:
    """Write a TFRecord file of videos and raw payloads, and return its URI."""
    import tensorflow as tf  # noqa: PLC0415 - most tests do without

    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record if isinstance(record, bytes) else record.serialize())
    return str(path)
