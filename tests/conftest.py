"""What all tests share."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.paths import REAL_DATA
from yt8m.data.format import DataSpec

# Nothing but errors from TensorFlow's C++ side, once it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real YouTube-8M shards; tests that need it are skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real YouTube-8M data at {REAL_DATA}")
    return REAL_DATA


@dataclass
class Video:
    """One record to be written; what is left out or wrong makes it a bad one."""

    id: bytes | None = b"abcd"
    labels: Sequence[int] | None = (0,)
    frames: dict[str, list[bytes]] = field(default_factory=dict)
    means: dict[str, Sequence[float]] = field(default_factory=dict)
    id_name: str = "id"

    def serialize(self) -> bytes:
        import tensorflow as tf  # noqa: PLC0415 - most tests do without

        record = tf.train.SequenceExample()
        if self.id is not None:
            record.context.feature[self.id_name].bytes_list.value.append(self.id)
        if self.labels is not None:
            record.context.feature["labels"].int64_list.value.extend(self.labels)
        for name, values in self.means.items():
            record.context.feature[f"mean_{name}"].float_list.value.extend(values)
        for name, frames in self.frames.items():
            for frame in frames:
                record.feature_lists.feature_list[name].feature.add().bytes_list.value.append(frame)
        return record.SerializeToString()


def video_of(number: int, num_frames: int = 3, labels: Sequence[int] | None = (0,), **sizes: int) -> Video:
    """A video whose bytes follow from its number; the features are rgb (4) and audio (2) unless told."""
    sizes = sizes or {"rgb": 4, "audio": 2}
    bytes_of = np.random.default_rng(number)
    frames = {
        name: [bytes_of.integers(0, 256, size, np.uint8).tobytes() for _ in range(num_frames)]
        for name, size in sizes.items()
    }
    return Video(id=b"%04d" % number, labels=labels, frames=frames)


def write_shard(path: Path, records: Iterable[Video | bytes]) -> str:
    """Writes a TFRecord file of videos and raw payloads; returns its URI."""
    import tensorflow as tf  # noqa: PLC0415 - most tests do without

    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record if isinstance(record, bytes) else record.serialize())
    return str(path)


@pytest.fixture(scope="session")
def shards() -> SimpleNamespace:
    """Makes small shards: `Video(...)`, `video_of(number, ...)`, `write(path, records)`, `spec`, `describe(folder)`."""
    spec = DataSpec(features={"rgb": 4, "audio": 2}, num_classes=10, max_frames=5)

    def describe(folder: Path, **changes: object) -> None:
        """Writes the description of a generated data set of such videos."""
        description = {
            "format": 1, "data": spec.model_dump(), "seed": 0, "preset": "smoke", "missing_share": 0.2, "means": None,
            "videos": {}, "shards": {}, "class_kinds": {}, **changes,
        }  # fmt: skip
        (folder / "dataset.json").write_text(json.dumps(description))

    return SimpleNamespace(Video=Video, video_of=video_of, write=write_shard, spec=spec, describe=describe)
