"""Whether the report tells that models are worthless which learned from shuffled labels.

    python benchmarks/shuffled_labels.py FOLDER [--seeds 10] [--videos 2000] [--recipe RECIPE] [--set KEY=VALUE]...

Generates videos, shuffles their labels with every seed, and runs the recipe on them. Prints the GAP of each exported
model, and which models the warnings of the report call worthless: the exported model must always be one of them.
Finished runs in the folder are not repeated.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from support.measuring import say

from yt8m.stages.generate import GenerateConfig, generate

# Number of the rule in docs/warnings.md.
WORTHLESS = 2


def main() -> None:
    """Run the recipe on shuffled labels and print what the reports say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--videos", type=int, default=2000)
    parser.add_argument("--recipe", default="pipelines/recipes/smoke.yaml")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    arguments = parser.parse_args()
    videos = arguments.folder / "videos"
    generate(config=GenerateConfig(preset="smoke", videos=arguments.videos, test_share=0.0), output_uri=str(videos))
    say("| seed | exported | label frequencies | gain in standard errors | worthless |\n|---|---|---|---|---|")
    told = 0
    for seed in range(arguments.seeds):
        summary = run(
            arguments.recipe, shuffle(videos, arguments.folder / f"shuffled-{seed}", seed), arguments.settings
        )
        final = summary["final"]
        nodes = [warning["node"] for warning in summary["warnings"] if warning["rule"] == WORTHLESS]
        told += "export" in nodes
        gain = (final["gap"] - final["baseline_gap"]) / final["gain_error"]
        say(f"| {seed} | {final['gap']:.4f} | {final['baseline_gap']:.4f} | {gain:+.2f} | {', '.join(nodes)} |")
    say(f"\n{told} of {arguments.seeds} exported models are called worthless.")


def shuffle(source: Path, target: Path, seed: int) -> Path:
    """Write the shards of a folder to another one, with the labels of all videos exchanged at random."""
    if target.is_dir():
        return target
    shards = sorted(source.glob("*.tfrecord"))
    videos = {
        shard: [tf.train.SequenceExample.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(shard))]
        for shard in shards
    }
    labels = [list(video.context.feature["labels"].int64_list.value) for each in videos.values() for video in each]
    random.Random(seed).shuffle(labels)
    target.mkdir(parents=True)
    for shard in shards:
        with tf.io.TFRecordWriter(str(target / shard.name)) as writer:
            for video in videos[shard]:
                video.context.feature["labels"].int64_list.value[:] = labels.pop()
                writer.write(video.SerializeToString())
    (target / "dataset.json").write_text((source / "dataset.json").read_text())
    return target


def run(recipe: str, videos: Path, settings: Sequence[str]) -> dict[str, Any]:
    """Run a recipe on these videos and return the summary."""
    root = videos.with_name(f"run-{videos.name}")
    given = [
        "data.generate=null",
        f"data.training=[{videos}/train*]",
        f"data.validation=[{videos}/validate*]",
        *settings,
    ]
    options = [part for setting in given for part in ("--set", setting)]
    command = [sys.executable, "-m", "pipelines", "run", recipe, "--root", str(root), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    summary: dict[str, Any] = json.loads((root / "summary.json").read_text())
    return summary


if __name__ == "__main__":
    main()
