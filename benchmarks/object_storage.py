"""Throughput of training from an object store, compared with training from disk.

    python benchmarks/object_storage.py [--videos 1536] [--shards 32] [--rounds 3] [--what training reading]

Trains a small NetVLAD for an epoch on synthetic shards of YouTube-8M's size, from disk and from gcp-storage-emulator
over HTTP. Each round begins with an empty cache and reads the shards in the same order. The clock runs from the request
for the first video to the beginning of the last step, which excludes compilation. Afterwards the videos are only read,
as fast as possible. Ratios are taken within a round, in which other load of the machine affects both measurements.

The emulator is a separate process on the same cores, so it slows down training. It answers one request at a time, so it
limits the rates of reading.
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
from support.measuring import say

from yt8m import storage
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition
from yt8m.data.reading import data_errors
from yt8m.models import build_from_bytes
from yt8m.models.netvlad import NetVLADConfig
from yt8m.stages.generate import GenerateConfig, generate
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.storage.cache import FOLDER_VARIABLE
from yt8m.storage.transfer import FILES_AHEAD
from yt8m.training.auto.counts import DataCounts
from yt8m.training.auto.rules import resolve_training
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.config import TrainingConfig
from yt8m.training.loop import fit
from yt8m.training.run import training_batches
from yt8m.training.steps import Steps
from yt8m.training.training_model import TrainingModel

BUCKET = "benchmark"
MODEL = NetVLADConfig(num_clusters=32, hidden_units=64)
# No cache in memory, so that videos are read from the shards.
TRAINING, _ = resolve_training(
    TrainingConfig(epochs=1, batch_size=64, memory_bytes=0), DataCounts.of_videos(1000, DataSpec())
)


def main() -> None:
    """Print the rates and their ratios."""
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
        say(f"{arguments.shards} shards, {megabytes:.0f} MB; {FILES_AHEAD} shards read ahead")
        for what in arguments.what:
            compare(what, partitions, folder, arguments.rounds)


def compare(what: str, partitions: dict[str, Partition], folder: str, rounds: int) -> None:
    """Measure both sources in turn, and print the median ratio over all rounds."""
    rates: dict[str, list[float]] = {source: [] for source in partitions}
    for number in range(rounds):
        os.environ[FOLDER_VARIABLE] = f"{folder}/cache-{what}-{number}"
        # Alternate the order, so that drift over time affects both sources.
        for source in sorted(partitions, reverse=bool(number % 2)):
            rates[source].append(WORK[what](partitions[source]))
    for source, each in rates.items():
        say(f"{what} from {source}: {', '.join(f'{rate:.0f}' for rate in each)} videos/s")
    ratios = [store / disk for store, disk in zip(rates["object store"], rates["disk"], strict=True)]
    say(f"{what}: median ratio {statistics.median(ratios):.2f}")


def train(partition: Partition) -> float:
    """Train a small NetVLAD for an epoch, and return videos per second."""
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
    """Read an epoch, and return videos per second."""
    seconds: list[float] = []
    with data_errors():
        for _ in timed(training_batches(partition, TRAINING, None)(0, 0), seconds):
            pass
    return rate(seconds)


def timed(batches: Any, seconds: list[float]) -> Any:
    """Record the time of the first request, and the time at which each batch arrives."""

    def arrive() -> bool:
        seconds.append(time.monotonic())
        return True

    def note(batch: Any) -> Any:
        now = tf.numpy_function(arrive, [], tf.bool)
        with tf.control_dependencies([now]):
            return tf.nest.map_structure(tf.identity, batch)

    beginning = tf.data.Dataset.from_tensors(0).map(note)
    return beginning.flat_map(lambda _: batches.map(lambda *batch: note(batch)))


def rate(seconds: list[float]) -> float:
    """Return videos per second over all batches but the last, whose arrival stops the clock."""
    return (len(seconds) - 2) * TRAINING.batch_size / (seconds[-1] - seconds[0])


WORK = {"training": train, "reading": read}


def make_shards(folder: str, videos: int, shards: int) -> list[str]:
    """Generate training shards of equal size, and two small shards that training does not read."""
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
    """Return the partition of the shards."""
    training = tuple(uri for uri in uris if "/train" in uri)
    validation = tuple(uri for uri in uris if "/validate" in uri)
    prepare(
        config=PrepareConfig(training=training, validation=validation, holdout_shards=len(validation)),
        output=Path(output),
    )
    return Partition.load(output)


def upload(uris: list[str]) -> list[str]:
    """Copy shards to the emulator, and return their URIs."""
    copies = [f"gs://{BUCKET}/{Path(uri).name}" for uri in uris]
    for uri, copy in zip(uris, copies, strict=True):
        with storage.open_atomic(copy) as file:
            file.write(storage.read_bytes(uri))
    return copies


@contextmanager
def emulator() -> Iterator[None]:
    """Run gcp-storage-emulator, and configure the client to use it."""
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
