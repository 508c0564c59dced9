"""Measures how fast shards become batches of training videos.

    python benchmarks/read_videos.py [--videos 2000] [--batch 128] [--epochs 3] [--shards GLOB]

Generated shards of YouTube-8M's sizes, which the operating system holds in memory, are read as training reads them:
shuffled, parsed, checked, padded to the longest video. The first epoch is not counted. Videos for each second of a
processor are what every core can feed a training with, at best.
"""

import argparse
import tempfile

from measuring import Stopwatch, peak_bytes, say

from yt8m import storage
from yt8m.data.format import DataSpec
from yt8m.data.reading import data_errors, read_videos
from yt8m.stages.generate import GenerateConfig, generate


def main() -> None:
    """Print rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3, help="Epochs that count.")
    parser.add_argument("--shards", default="", help="Shards that are there, instead of generated ones.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.shards:
            config = GenerateConfig(preset="yt8m", videos=arguments.videos, videos_per_shard=125, test_share=0.0)
            generate(config=config, output_uri=folder)
        measure(storage.list_uris(arguments.shards or f"{folder}/*.tfrecord"), arguments.batch, arguments.epochs)


def measure(uris: list[str], batch_size: int, epochs: int) -> None:
    """Read epoch after epoch."""
    size = sum(storage.stat(uri).size for uri in uris)
    read_epoch(uris, batch_size, 0)
    watch = Stopwatch()
    videos = sum(read_epoch(uris, batch_size, epoch) for epoch in range(1, epochs + 1))
    seconds, processor = watch.seconds, watch.processor_seconds
    per_video = size * epochs / videos
    say(f"{len(uris)} shards, {size / 1e6:.0f} MB, {per_video / 1e3:.0f} kB a video, {epochs} epochs")
    say(f"{videos / seconds:.0f} videos/s, {videos * per_video / seconds / 1e6:.0f} MB/s")
    say(f"{videos / processor:.0f} videos for each second of a processor, {processor / seconds:.2f} processors busy")
    say(f"largest memory {peak_bytes() / 1e9:.2f} GB")


def read_epoch(uris: list[str], batch_size: int, epoch: int) -> int:
    """The videos of an epoch in training's order."""
    with data_errors():
        batches = read_videos(uris, DataSpec(), batch_size=batch_size, shuffle_seed=0, epoch=epoch)
        return sum(int(batch["ids"].shape[0]) for batch in batches)


if __name__ == "__main__":
    main()
