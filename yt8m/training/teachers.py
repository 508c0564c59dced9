"""Teachers' mean predictions, shard by shard."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition, Shard
from yt8m.data.reading import data_errors, read_videos
from yt8m.errors import DataError
from yt8m.training.inference import Predictor, load_predictor, predict_videos

# Ids (B,), bytes, and probabilities (B, C) of consecutive videos.
Chunk = tuple[Any, npt.NDArray[np.float32]]


def mean_predictor(folders: Iterable[Path], spec: DataSpec) -> Predictor:
    """Several models, equally weighted, as one predictor.

    Args:
        folders: The models.
        spec: Features and classes of the data.

    Raises:
        DataError: There is no model in a folder, or it was made for other data.
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

    All shards are one stream of data, but batches begin anew with every shard: what is predicted for a video depends
    on its shard only, not on the shards that happen to be predicted together.

    Args:
        predictor: The model.
        shards: Some of the partition's shards.
        partition: What its shards hold.
        batch_size: Videos predicted at a time.

    Yields:
        Each shard and its predictions, in order; the predictions have to be used up before the next shard.

    Raises:
        DataError: A shard cannot be read, or its videos are not those of the partition.
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
    """Videos of shards, to be taken in any number."""

    def __init__(self, uris: Sequence[str], partition: Partition, batch_size: int) -> None:
        videos = read_videos(
            uris, partition.spec, batch_size=batch_size, on_bad=partition.on_bad, checksums=partition.checksums
        )
        self._batches = videos.as_numpy_iterator()
        self._rest: dict[str, npt.NDArray[Any]] = {}

    def take(self, count: int, shard: Shard) -> dict[str, npt.NDArray[Any]]:
        """The next videos, of a shard that errors name."""
        parts = [self._rest] if self._rest else []
        while sum(len(part["ids"]) for part in parts) < count:
            batch = self._next()
            if batch is None:
                raise DataError(f"{shard.uri}: fewer than {shard.videos} videos. It changed; run prepare again.")
            parts.append({name: batch[name] for name in ("ids", "frames", "num_frames")})
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        self._rest = {name: array[count:] for name, array in joined.items()}
        return {name: array[:count] for name, array in joined.items()}

    def finish(self) -> None:
        """Make sure that all videos were taken."""
        if len(self._rest.get("ids", ())) or self._next() is not None:
            raise DataError("training shards: more videos than the partition promises. Run prepare again.")

    def _next(self) -> Any:
        with data_errors():
            return next(self._batches, None)
