"""Throughput of the input pipeline: from shards to batches of training videos.

    python benchmarks/read_videos.py [--videos 2000] [--batch 128] [--epochs 3] [--shards GLOB]

Reads synthetic shards of YouTube-8M's sizes, which the operating system caches in memory, as training does: shuffled,
parsed, checked, and padded to the longest video. The first epoch is a warm-up. The number of videos per CPU second is
an upper bound of the throughput of one core.
"""

import argparse
import tempfile

from support.measuring import Stopwatch, peak_bytes, say

from yt8m import storage
from yt8m.data.format import DataSpec
from yt8m.data.reading import data_errors, read_videos
from yt8m.stages.generate import GenerateConfig, generate


def main() -> None:
    """Print throughput and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3, help="Number of measured epochs.")
    parser.add_argument("--shards", default="", help="Glob pattern of existing shards, instead of synthetic ones.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.shards:
            config = GenerateConfig(preset="yt8m", videos=arguments.videos, videos_per_shard=125, test_share=0.0)
            generate(config=config, output_uri=folder)
        measure(storage.list_uris(arguments.shards or f"{folder}/*.tfrecord"), arguments.batch, arguments.epochs)


def measure(uris: list[str], batch_size: int, epochs: int) -> None:
    """Read the shards for several epochs and print the throughput."""
    size = sum(storage.stat(uri).size for uri in uris)
    read_epoch(uris, batch_size, 0)
    watch = Stopwatch()
    videos = sum(read_epoch(uris, batch_size, epoch) for epoch in range(1, epochs + 1))
    seconds, processor = watch.seconds, watch.processor_seconds
    per_video = size * epochs / videos
    say(f"{len(uris)} shards, {size / 1e6:.0f} MB, {per_video / 1e3:.0f} kB per video, {epochs} epochs")
    say(f"{videos / seconds:.0f} videos/s, {videos * per_video / seconds / 1e6:.0f} MB/s")
    say(f"{videos / processor:.0f} videos per CPU second, {processor / seconds:.2f} CPUs busy")
    say(f"peak memory {peak_bytes() / 1e9:.2f} GB")


def read_epoch(uris: list[str], batch_size: int, epoch: int) -> int:
    """Read one epoch in the order of training and return its number of videos."""
    with data_errors():
        batches = read_videos(uris, DataSpec(), batch_size=batch_size, shuffle_seed=0, epoch=epoch)
        return sum(int(batch["ids"].shape[0]) for batch in batches)


if __name__ == "__main__":
    main()
