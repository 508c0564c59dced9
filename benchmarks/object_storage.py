"""Measures whether training from an object store keeps up with training from disk.

    python benchmarks/object_storage.py [--videos 1536] [--shards 32] [--step-seconds 0.6] [--epochs 2]

Generated shards of YouTube-8M's sizes are read from disk and from gcp-storage-emulator over HTTP, in turn, each with an
empty cache, in the same order and with the same simulated training step: a wait, as for a GPU. The emulator runs in a
process of its own on the same cores and answers one request at a time, so that without a step it is what is measured. A
step of 0.6 s are 213 videos/s, a small NetVLAD on two cores.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measuring import say

from yt8m import storage
from yt8m.records.reading import data_errors, read_videos
from yt8m.records.spec import DataSpec
from yt8m.stages.generate import GenerateConfig, generate
from yt8m.storage.cache import FOLDER_VARIABLE
from yt8m.storage.read_ahead import FILES_AHEAD

BATCH_SIZE = 128
BUCKET = "benchmark"


def main() -> None:
    """Prints rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=1536)
    parser.add_argument("--shards", type=int, default=32)
    parser.add_argument("--step-seconds", type=float, default=0.6, help="simulated step of 128 videos")
    parser.add_argument("--epochs", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, emulator():
        disk = make_shards(f"{folder}/shards", arguments.videos, arguments.shards)
        remote = upload(disk)
        megabytes = sum(storage.stat(uri).size for uri in disk) / 1e6
        say(f"{len(disk)} shards, {megabytes:.0f} MB, {arguments.videos} videos; {FILES_AHEAD} shards staged in ahead")
        for step_seconds in (arguments.step_seconds, 0.0):
            times = {"disk": Times(), "object store": Times()}
            for epoch in range(arguments.epochs):
                times["disk"].add(disk, epoch, step_seconds)
                os.environ[FOLDER_VARIABLE] = f"{folder}/cache-{step_seconds}-{epoch}"
                times["object store"].add(remote, epoch, step_seconds)
            say(f"with a step of {step_seconds} s:" if step_seconds else "as fast as possible:")
            for place, each in times.items():
                say(
                    f"  {place}: first batch after {each.start / arguments.epochs:.1f} s, then {each.rate:.0f} videos/s"
                )
            say(f"  ratio after the first batch: {times['object store'].rate / times['disk'].rate:.2f}")


@dataclass
class Times:
    """What epochs took.

    Attributes:
        start: Seconds until their first batches.
        rest: Seconds after that.
        videos: Videos after the first batches.
    """

    start: float = 0.0
    rest: float = 0.0
    videos: int = 0

    def add(self, uris: list[str], epoch: int, step_seconds: float) -> None:
        """Reads an epoch in training's order."""
        start = time.monotonic()
        batches = iter(read_videos(uris, DataSpec(), batch_size=BATCH_SIZE, shuffle_seed=0, epoch=epoch))
        with data_errors():
            next(batches)
            first = time.monotonic()
            time.sleep(step_seconds)
            for batch in batches:
                self.videos += len(batch["ids"])
                time.sleep(step_seconds)
        self.start += first - start
        self.rest += time.monotonic() - first

    @property
    def rate(self) -> float:
        """Videos per second after the first batch."""
        return self.videos / self.rest


def make_shards(folder: str, videos: int, shards: int) -> list[str]:
    """Generated training shards of equal size."""
    config = GenerateConfig(
        preset="yt8m", videos=videos, videos_per_shard=-(-videos // shards), validation_share=0.0, test_share=0.0
    )
    generate(config=config, output_uri=folder)
    return storage.list_uris(f"{folder}/*.tfrecord")


def upload(uris: list[str]) -> list[str]:
    """Copies shards to the emulator."""
    copies = [f"gs://{BUCKET}/{Path(uri).name}" for uri in uris]
    for uri, copy in zip(uris, copies, strict=True):
        with storage.open_atomic(copy) as file:
            file.write(storage.read_bytes(uri))
    return copies


@contextmanager
def emulator() -> Iterator[None]:
    """Runs gcp-storage-emulator and points the client at it."""
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
