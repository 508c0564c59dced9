"""Helpers of the tests of reading."""

from collections.abc import Sequence
from typing import Any

from yt8m.data.format import DataSpec
from yt8m.data.reading import data_errors, read_videos


def read_ids(uris: Sequence[str], spec: DataSpec, **options: Any) -> list[bytes]:
    """Read shards and return the ids of their videos in reading order."""
    with data_errors():
        batches = read_videos(uris, spec, batch_size=3, **options).as_numpy_iterator()
        return [video_id for batch in batches for video_id in batch["ids"]]
