"""Mean predictions of teachers, shard by shard."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, Shard
from yt8m.data.reading import data_errors, read_videos
from yt8m.errors import DataError
from yt8m.models.inference import Predictor, load_predictor, predict_videos

# Ids (B,) and probabilities (B, C) of consecutive videos.
Chunk = tuple[Any, npt.NDArray[np.float32]]


def mean_predictor(folders: Iterable[Path], spec: DataSpec) -> Predictor:
    """Load several models as one predictor that returns their mean prediction.

    Args:
        folders: Model folders.
        spec: Features and classes of the data.

    Raises:
        DataError: A folder holds no model, or the model was trained on data of another shape.
    """
    predictors = [load_predictor(folder, spec) for folder in folders]

    def predict(frames: npt.NDArray[np.uint8], num_frames: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        mean = predictors[0](frames, num_frames)
        for predictor in predictors[1:]:
            mean = mean + predictor(frames, num_frames)
        return mean / np.float32(len(predictors))

    return predict


def predict_shards(
    predictor: Predictor, shards: Sequence[Shard], partition: Partition, batch_size: int
) -> Iterator[tuple[Shard, Iterator[Chunk]]]:
    """Predict all videos of shards.

    The shards are read as one stream, but every shard starts a new batch. The prediction of a video therefore depends
    on its own shard only, not on the other shards of the call.

    Args:
        predictor: Predictor to call.
        shards: Shards of the partition to predict.
        partition: Partition with the number of videos and the reading options of its shards.
        batch_size: Number of videos per batch.

    Yields:
        Each shard with its predictions, in order. The predictions must be consumed before the next shard.

    Raises:
        DataError: A shard cannot be read, or does not hold the number of videos in the partition.
    """
    videos = _VideoStream([shard.uri for shard in shards], partition, batch_size)

    def chunks(shard: Shard) -> Iterator[Chunk]:
        for start in range(0, shard.videos, batch_size):
            batch = videos.take(min(batch_size, shard.videos - start), shard)
            yield batch["ids"], predict_videos(predictor, batch["frames"], batch["num_frames"], batch_size)

    for shard in shards:
        yield shard, chunks(shard)
    videos.finish()


class _VideoStream:
    """Stream of videos, read in chunks of any size."""

    def __init__(self, uris: Sequence[str], partition: Partition, batch_size: int) -> None:
        videos = read_videos(
            uris, partition.spec, batch_size=batch_size, on_bad=partition.on_bad, checksums=partition.checksums
        )
        self._batches = videos.as_numpy_iterator()
        self._buffer: dict[str, npt.NDArray[Any]] = {}

    def take(self, count: int, shard: Shard) -> dict[str, npt.NDArray[Any]]:
        """Return the next `count` videos; errors name the shard."""
        parts = [self._buffer] if self._buffer else []
        while sum(len(part["ids"]) for part in parts) < count:
            batch = self._next()
            if batch is None:
                raise DataError(
                    f"{shard.uri}: fewer than {shard.videos} videos, the number in the partition. "
                    "The shard has changed; run prepare again."
                )
            parts.append({name: batch[name] for name in ("ids", "frames", "num_frames")})
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        self._buffer = {name: array[count:] for name, array in joined.items()}
        return {name: array[:count] for name, array in joined.items()}

    def finish(self) -> None:
        """Check that no videos are left."""
        if len(self._buffer.get("ids", ())) or self._next() is not None:
            raise DataError(
                "training shards: more videos than in the partition. The shards have changed; run prepare again."
            )

    def _next(self) -> Any:
        with data_errors():
            return next(self._batches, None)
