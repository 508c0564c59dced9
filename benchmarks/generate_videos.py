"""Measures how fast videos are generated.

    python benchmarks/generate_videos.py [--videos 1000] [--means FILE.npz]

Full-size videos (1024 + 128 features, up to 300 frames) as `yt8m data generate` makes them, one shard per core at a
time: made-up ones, and with `--means` also those around real means. Reading the means and preparing the visual words
count, too.
"""

import argparse
import tempfile

from measuring import Stopwatch, say

from yt8m.stages.generate import GenerateConfig, generate


def main() -> None:
    """Print rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--means", help="An .npz of real videos.")
    arguments = parser.parse_args()
    measure("made-up videos", GenerateConfig(preset="yt8m", videos=arguments.videos))
    if arguments.means:
        measure("around real means", GenerateConfig(means=arguments.means, videos=arguments.videos))


def measure(what: str, config: GenerateConfig) -> None:
    """Generate a data set and removes it."""
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch()
        videos = generate(config=config, output_uri=folder).metrics["videos"]
        seconds, processor = watch.seconds, watch.processor_seconds
    say(
        f"{what}: {videos / seconds:.0f} videos/s, {videos / processor:.0f} for each second of a processor, "
        f"{processor / seconds:.2f} processors busy"
    )


if __name__ == "__main__":
    main()
