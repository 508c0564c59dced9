"""Fixtures of all tests."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from tests.support.paths import REAL_DATA
from tests.support.videos import Video, video_of, write_shard
from yt8m.data.format import DataSpec

# Only errors of TensorFlow's C++ code.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(autouse=True)
def environment_stays() -> Iterator[None]:
    """Restore the environment variables after a test: commands set some, and later tests' processes inherit them."""
    with patch.dict(os.environ):
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real YouTube-8M shards, and skip the test if it is missing."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real YouTube-8M data at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(scope="session")
def shards() -> SimpleNamespace:
    """Return what tests need for small shards: videos, a writer, their spec, and a writer of `dataset.json`."""
    spec = DataSpec(features={"rgb": 4, "audio": 2}, num_classes=10, max_frames=5)

    def describe(folder: Path, class_kinds: dict[str, list[int]] | None = None, **changes: object) -> None:
        """Write the description of a generated data set of such videos."""
        generation = {
            "version": 1, "preset": "smoke", "missing_share": 0.2, "means": None, "class_kinds": class_kinds or {},
        }  # fmt: skip
        description = {
            "format": 2, "data": spec.model_dump(), "seed": 0, "videos": {}, "shards": {}, "generation": generation,
            **changes,
        }  # fmt: skip
        (folder / "dataset.json").write_text(json.dumps(description))

    return SimpleNamespace(Video=Video, video_of=video_of, write=write_shard, spec=spec, describe=describe)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their parameter: the same record is serialized to other bytes in every process."""
    return argname if isinstance(val, bytes) else None
