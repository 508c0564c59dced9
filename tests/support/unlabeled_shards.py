"""Shards of videos without labels, and predictions for them, for tests of `predict`."""

from pathlib import Path
from typing import Any

from tests.support.videos import video_of, write_shard
from yt8m.stages.predict import PredictConfig, predict
from yt8m.stages.result import StageResult

SIZES: dict[str, Any] = {"rgb": 12, "audio": 4}


def write_shards(folder: Path) -> str:
    """Write three shards of 5, 1 and 4 videos without labels; return their glob pattern."""
    folder.mkdir()
    first = 0
    for name, videos in (("a", 5), ("b", 1), ("c", 4)):
        records = [video_of(i, num_frames=1 + i, labels=None, **SIZES) for i in range(first, first + videos)]
        write_shard(folder / f"{name}.tfrecord", records)
        first += videos
    return str(folder / "*.tfrecord")


def run(model: Path, shards: str, output: Path | str, **options: Any) -> StageResult:
    """Predict in batches of two videos."""
    config = PredictConfig(batch_size=2, **options)
    return predict(model=model, inputs=[shards], output=str(output), config=config)
