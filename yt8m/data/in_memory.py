"""Small data sets held in memory: shards are read and parsed once, not in every epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.data.reading import read_videos
from yt8m.data.soft_targets import SoftTargetShards
from yt8m.data.spec import DataSpec
from yt8m.data.stream import OnBad

Dataset = Any

# Videos read at a time while the memory is filled.
_CHUNK_VIDEOS = 256


class VideosInMemory:
    """All videos of some shards, to be shuffled as a whole.

    Args:
        shards: Paths or URIs of TFRecord files.
        spec: Features, classes and length of the videos.
        on_bad: What to do with bad records; see `read_videos`.
        checksums: What the shards' contents have to be; see `read_videos`.
        soft_targets: Teachers' predictions for these videos.

    Raises:
        DataError: As `read_videos`; make it inside `data_errors()`.
        StorageError: Likewise.
    """

    def __init__(
        self,
        shards: Sequence[str],
        spec: DataSpec,
        *,
        on_bad: OnBad = "skip",
        checksums: Mapping[str, str] | None = None,
        soft_targets: SoftTargetShards | None = None,
    ) -> None:
        videos = read_videos(
            shards, spec, batch_size=_CHUNK_VIDEOS, on_bad=on_bad, checksums=checksums, soft_targets=soft_targets
        )
        chunks = list(videos.as_numpy_iterator())
        # Tensors, so that data sets share them; constants of a graph would be copied.
        self._tensors = {name: tf.constant(np.concatenate([chunk[name] for chunk in chunks])) for name in chunks[0]}

    @staticmethod
    def size_bytes(num_videos: int, spec: DataSpec, *, with_soft_targets: bool) -> int:
        """Memory for so many videos, padding included."""
        target_bytes = 5 if with_soft_targets else 1
        return num_videos * (spec.max_frames * spec.num_features + spec.num_classes * target_bytes)

    def batches(self, batch_size: int, *, shuffle_seed: int, epoch: int, skip_batches: int = 0) -> Dataset:
        """The videos in another order in every epoch, in whole batches.

        Args:
            batch_size: Videos per batch `B`; a last batch of fewer is left out.
            shuffle_seed: Seed of the orders.
            epoch: Every epoch has its own order.
            skip_batches: Leaves out as many batches at the beginning.

        Returns:
            `tf.data.Dataset` of dicts as of `read_videos`.
        """
        num_videos = len(self._tensors["ids"])
        order = np.random.default_rng([shuffle_seed, epoch]).permutation(num_videos)
        rows = tf.data.Dataset.from_tensor_slices(order[skip_batches * batch_size :])

        def gather(indices: Any) -> dict[str, Any]:
            return {name: tf.gather(tensor, indices) for name, tensor in self._tensors.items()}

        return rows.batch(batch_size, drop_remainder=True).map(gather, tf.data.AUTOTUNE).prefetch(2)
