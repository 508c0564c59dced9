"""The stage `prepare` on small shards of both sides."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from yt8m.data.partition import Partition
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.stages.result import StageResult


def run_prepare(folder: Path, shards: SimpleNamespace, **changes: Any) -> tuple[Partition, StageResult]:
    """Prepare the shards of a folder, and return the partition and the stage's result."""
    values = {
        "training": (f"{folder}/train*.tfrecord",),
        "validation": (f"{folder}/validate*.tfrecord",),
        "holdout_shards": 1,
        "report_share": 0.0,
        "spec": shards.spec,
    }
    output = folder / "partition.json"
    result = prepare(config=PrepareConfig(**values | changes), output=output)
    return Partition.load(output), result
