"""Loss of accuracy through the compact encodings of soft targets.

    python benchmarks/soft_target_encodings.py --partition FILE --models DIR... [--top-k 20 50 100 200]

Writes the mean prediction of the models for the hold-out videos as a sidecar in every encoding, and reads it back.
Prints per encoding: bytes per video on disk; largest and mean error of a probability; the excess loss, against the
exact targets, of a student that reproduces the stored ones (their divergence, summed over classes); and the GAP of the
targets against the labels.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from support.measuring import say

from yt8m.data.partition import Partition
from yt8m.data.reading import read_videos
from yt8m.data.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest
from yt8m.data.soft_targets import SoftTargetShards, parse_soft_target, write_soft_targets
from yt8m.losses import LOG_EPSILON
from yt8m.metrics import StreamingMetrics
from yt8m.training.teachers import mean_predictor

BATCH = 128

Chunk = tuple[list[bytes], NDArray[np.float32], NDArray[np.uint8]]


def main() -> None:
    """Print a table with a row per encoding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partition", type=Path, required=True)
    parser.add_argument("--models", type=Path, nargs="+", required=True, help="Folders of the teachers.")
    parser.add_argument("--top-k", type=int, nargs="+", default=[20, 50, 100, 200])
    arguments = parser.parse_args()
    partition = Partition.load(arguments.partition)
    chunks = list(predict(partition, arguments.models))
    say(f"{sum(len(ids) for ids, _, _ in chunks):,} videos, {partition.spec.num_classes} classes")
    exact = np.concatenate([probabilities for _, probabilities, _ in chunks])
    labels = np.concatenate([given for _, _, given in chunks])
    say("encoding      bytes/video  largest error  mean error  divergence      GAP")
    say(f"{'exact':12} {exact.shape[1] * 4:12} {0:14.1e} {0:11.1e} {0:11.1e} {gap(exact, labels):8.5f}")
    for top_k in (None, *(k for k in arguments.top_k if k < partition.spec.num_classes)):
        encoding = SoftTargetEncoding(top_k=top_k)
        stored, size = store(chunks, encoding, partition)
        error = np.abs(stored - exact)
        say(
            f"{f'top {top_k}' if top_k else 'dense':12} {size / len(exact):12.0f} {error.max():14.1e} "
            f"{error.mean():11.1e} {divergence(exact, stored):11.1e} {gap(stored, labels):8.5f}"
        )


def predict(partition: Partition, models: list[Path]) -> Any:
    """Yield ids, mean probabilities (B, C) and labels (B, C) of the hold-out videos."""
    predictor = mean_predictor(models, partition.spec)
    for batch in read_videos(partition.holdout_uris, partition.spec, batch_size=BATCH).as_numpy_iterator():
        yield list(batch["ids"]), predictor(batch["frames"], batch["num_frames"]), batch["labels"]


def store(chunks: list[Chunk], encoding: SoftTargetEncoding, partition: Partition) -> tuple[NDArray[np.float32], int]:
    """Write a sidecar and read it back; return the probabilities (N, C) and the size of the file in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sidecar.tfrecord"
        targets = ((ids, probabilities) for ids, probabilities, _ in chunks)
        videos = write_soft_targets(str(path), targets, encoding, recipe_hash="mean")
        manifest = SoftTargetManifest(
            teachers=("mean",), num_classes=partition.spec.num_classes, encoding=encoding,
            partition_digest=partition.digest, recipe_hash="mean", sidecars={}, videos=videos,
        )  # fmt: skip
        shards = SoftTargetShards(manifest)
        decoded = tf.data.TFRecordDataset(str(path)).skip(1).map(parse_soft_target).map(shards.decode)
        return np.stack([video["soft_targets"] for video in decoded.as_numpy_iterator()]), path.stat().st_size


def divergence(exact: NDArray[np.float32], stored: NDArray[np.float32]) -> float:
    """Return the KL divergence of the stored from the exact targets per video: cross entropy minus entropy."""

    def cross_entropy(predicted: NDArray[np.float32]) -> float:
        p = predicted.astype(np.float64)
        loss = exact * np.log(p + LOG_EPSILON) + (1 - exact) * np.log(1 - p + LOG_EPSILON)
        return float(-loss.sum(1).mean())

    return cross_entropy(stored) - cross_entropy(exact)


def gap(probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Return the GAP@20 of the probabilities."""
    metrics = StreamingMetrics(probabilities.shape[1])
    metrics.update(probabilities, labels)
    return metrics.result()["gap"]


if __name__ == "__main__":
    main()
