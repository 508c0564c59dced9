"""Throughput of generating synthetic videos.

    python benchmarks/generate_videos.py [--videos 1000] [--means FILE.npz]

Generates full-size videos (1024 + 128 features, up to 300 frames) like `yt8m data generate`, one shard per core in
parallel: procedural videos, and with `--means` also videos around real means. The time includes reading the means and
preparing the visual words.
"""

import argparse
import tempfile

from support.measuring import Stopwatch, say

from yt8m.stages.generate import GenerateConfig, generate


def main() -> None:
    """Print the throughput for each source of videos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--means", help="Path of an .npz with the means of real videos.")
    arguments = parser.parse_args()
    measure("procedural videos", GenerateConfig(preset="yt8m", videos=arguments.videos))
    if arguments.means:
        measure("around real means", GenerateConfig(means=arguments.means, videos=arguments.videos))


def measure(title: str, config: GenerateConfig) -> None:
    """Generate a data set in a temporary folder and print the throughput."""
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch()
        videos = generate(config=config, output_uri=folder).metrics["videos"]
        seconds, processor = watch.seconds, watch.processor_seconds
    say(
        f"{title}: {videos / seconds:.0f} videos/s, {videos / processor:.0f} videos per CPU second, "
        f"{processor / seconds:.2f} CPUs busy"
    )


if __name__ == "__main__":
    main()
