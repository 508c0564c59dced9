"""Measures whether training from an object store keeps up with training from disk.

    python benchmarks/object_storage.py [--videos 1536] [--shards 32] [--rounds 3] [--what training reading]

A small NetVLAD is trained for an epoch on generated shards of YouTube-8M's sizes, from disk and from
gcp-storage-emulator over HTTP in turn, in several rounds, each with an empty cache and in the same order. Time counts
from the first request for a video, before any is read, to the beginning of the last step, so without the step's
compilation. Then the videos are only read, as fast as possible. The two of a round are compared, as they find the
machine equally busy.

The emulator runs in a process of its own, but on the same cores: what it needs of them, training lacks. And it answers
one request at a time, so that without training it is what is measured.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf
from measuring import say

from yt8m import storage
from yt8m.data.partition import Partition
from yt8m.data.reading import data_errors
from yt8m.models import build_from_bytes
from yt8m.models.netvlad import NetVLADConfig
from yt8m.stages.generate import GenerateConfig, generate
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.storage.cache import FOLDER_VARIABLE
from yt8m.storage.transfer import FILES_AHEAD
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.config import TrainingConfig
from yt8m.training.loop import fit
from yt8m.training.run import training_batches
from yt8m.training.steps import Steps
from yt8m.training.training_model import TrainingModel

BUCKET = "benchmark"
MODEL = NetVLADConfig(num_clusters=32, hidden_units=64)
# Read from the shards, not held in memory.
TRAINING = TrainingConfig(epochs=1, batch_size=64, memory_bytes=0)


def main() -> None:
    """Print rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=1536)
    parser.add_argument("--shards", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--what", nargs="+", choices=WORK, default=list(WORK))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, emulator():
        disk = make_shards(f"{folder}/shards", arguments.videos, arguments.shards)
        os.environ[FOLDER_VARIABLE] = f"{folder}/cache"
        partitions = {
            "disk": partition_of(disk, f"{folder}/disk.json"),
            "object store": partition_of(upload(disk), f"{folder}/object-store.json"),
        }
        megabytes = sum(shard.size_bytes for shard in partitions["disk"].training) / 1e6
        say(f"{arguments.shards} shards, {megabytes:.0f} MB; {FILES_AHEAD} shards staged in ahead")
        for what in arguments.what:
            compare(what, partitions, folder, arguments.rounds)


def compare(what: str, partitions: dict[str, Partition], folder: str, rounds: int) -> None:
    """Do the same from both places in turn; prints the median of the rounds' ratios."""
    rates: dict[str, list[float]] = {place: [] for place in partitions}
    for number in range(rounds):
        os.environ[FOLDER_VARIABLE] = f"{folder}/cache-{what}-{number}"
        # The first is the second in the next round, lest it pays for what changes with time.
        for place in sorted(partitions, reverse=bool(number % 2)):
            rates[place].append(WORK[what](partitions[place]))
    for place, each in rates.items():
        say(f"{what} from {place}: {', '.join(f'{rate:.0f}' for rate in each)} videos/s")
    ratios = [store / disk for store, disk in zip(rates["object store"], rates["disk"], strict=True)]
    say(f"{what}: median ratio {statistics.median(ratios):.2f}")


def train(partition: Partition) -> float:
    """Train a small NetVLAD for an epoch; returns videos per second."""
    model = TrainingModel(build_from_bytes(MODEL, partition.spec))
    read_epoch = training_batches(partition, TRAINING, None)
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder, data_errors():
        fit(
            model,
            lambda epoch, skip: timed(read_epoch(epoch, skip), seconds),
            steps=Steps.of(partition.num_training_videos, TRAINING.epochs, TRAINING.batch_size),
            config=TRAINING,
            checkpoint=Checkpoint(folder, "0" * 64),
            description="Training",
        )
    return rate(seconds)


def read(partition: Partition) -> float:
    """Read an epoch; returns videos per second."""
    seconds: list[float] = []
    with data_errors():
        for _ in timed(training_batches(partition, TRAINING, None)(0, 0), seconds):
            pass
    return rate(seconds)


def timed(batches: Any, seconds: list[float]) -> Any:
    """Note when the first batch was asked for, and when each was there."""

    def note(batch: Any) -> Any:
        now = tf.numpy_function(lambda: seconds.append(time.monotonic()) or True, [], tf.bool)
        with tf.control_dependencies([now]):
            return tf.nest.map_structure(tf.identity, batch)

    beginning = tf.data.Dataset.from_tensors(0).map(note)
    return beginning.flat_map(lambda _: batches.map(lambda *batch: note(batch)))


def rate(seconds: list[float]) -> float:
    """Videos per second: of all batches but the last, with which the clock stops."""
    return (len(seconds) - 2) * TRAINING.batch_size / (seconds[-1] - seconds[0])


WORK = {"training": train, "reading": read}


def make_shards(folder: str, videos: int, shards: int) -> list[str]:
    """Generated training shards of equal size, and two of a few videos that are not read in training."""
    config = GenerateConfig(
        preset="yt8m",
        videos=videos + 2,
        videos_per_shard=-(-videos // shards),
        validation_share=2 / (videos + 2),
        test_share=0.0,
    )
    generate(config=config, output_uri=folder)
    return storage.list_uris(f"{folder}/*.tfrecord")


def partition_of(uris: list[str], output: str) -> Partition:
    """The training shards with what training wants to know of them."""
    training = tuple(uri for uri in uris if "/train" in uri)
    validation = tuple(uri for uri in uris if "/validate" in uri)
    prepare(
        config=PrepareConfig(training=training, validation=validation, holdout_shards=len(validation)),
        output=Path(output),
    )
    return Partition.load(output)


def upload(uris: list[str]) -> list[str]:
    """Copy shards to the emulator."""
    copies = [f"gs://{BUCKET}/{Path(uri).name}" for uri in uris]
    for uri, copy in zip(uris, copies, strict=True):
        with storage.open_atomic(copy) as file:
            file.write(storage.read_bytes(uri))
    return copies


@contextmanager
def emulator() -> Iterator[None]:
    """Run gcp-storage-emulator and points the client at it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = ["-m", "gcp_storage_emulator", "start", "--in-memory", "--quiet", f"--port={port}", "--host=127.0.0.1"]
    process = subprocess.Popen([sys.executable, *command, f"--default-bucket={BUCKET}"])
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
